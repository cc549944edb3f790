/* SPDX-License-Identifier: MIT */
/* Giving a device a new keeper and a new server, while it is in use. */
#include "attach/attach.h"

#include "attach/attachment.h"
#include "attach/device.h"
#include "attach/record.h"
#include "base/cleanup.h"
#include "cli/json.h"

#include <stdio.h>
#include <string.h>

/* What the device is, the kernel knows; where its store is and how its server was started, only the
 * record. */
static int read_device(struct attachment *a, const char *path, struct err *e)
{
    struct keeper_job *job = &a->job;
    struct device d;

    if (device_parse(path, &job->index, e) < 0 ||
        device_look(DEVICE_SYS_BLOCK, job->index, &d, e) < 0 ||
        device_require_ours(&d, job->index, e) < 0)
        return -1;
    if (!record_read(RECORD_DIRECTORY, job->index, &job->record) ||
        strcmp(job->record.id, d.id) != 0)
        return err_set(e, ERR_NOT_FOUND,
                       "there is no record of /dev/nbd%u in " RECORD_DIRECTORY
                       ": take it over with ihop-attach --id %s STORE/RELEASE /dev/nbd%u",
                       job->index, d.id, job->index);
    strcpy(job->identifier, d.identifier);
    job->take_over = 1;
    return 0;
}

/* A keeper that lives keeps the lock until its successor is sure to succeed. */
static int take_lock(struct attachment *a, struct err *e)
{
    struct keeper_job *job = &a->job;

    if (process_is_alive(&job->record.keeper))
        return 0;
    return record_lock(RECORD_DIRECTORY, job->index, 0, &job->lock, e);
}

static void choose_times(struct attachment *a)
{
    if (a->o->timeout_s)
        a->job.record.timeout_s = a->o->timeout_s;
    if (a->o->dead_timeout_s)
        a->job.record.dead_timeout_s = a->o->dead_timeout_s;
}

int upgrade_run(const struct attach_options *o, struct output *out, struct err *e)
{
    CLEANUP(attachment_free) struct attachment a;
    struct attached done = {.is_kept = true};

    if (attachment_begin(&a, o, e) < 0 || read_device(&a, o->operands[0], e) < 0 ||
        attachment_choose_programs(&a, false, e) < 0 || take_lock(&a, e) < 0)
        return -1;
    choose_times(&a);
    if (attachment_load_release(&a, a.job.record.id, e) < 0 || attachment_launch(&a, out, e) < 0)
        return -1;
    output_note(out, "/dev/nbd%u has a new keeper and a new server", a.job.index);
    if (o->common.json) {
        done.index = a.job.index;
        strcpy(done.release, a.job.record.release);
        strcpy(done.id, a.job.record.id);
        attach_print(o, &done);
    }
    return 0;
}
