/* SPDX-License-Identifier: MIT */
/* Giving a device a new keeper and a new server, while it is in use: when somebody asks for it, or
 * when the keeper has died. */
#include "attach/attach.h"

#include "attach/attachment.h"
#include "attach/device.h"
#include "attach/record.h"
#include "base/cleanup.h"
#include "cli/json.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_PAUSE_MS   50 /* between keepers that cannot be started, doubling */
#define LONGEST_PAUSE_MS 2000

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

/* How long reads waited for the upgrade, as the new keeper wrote down; 0: it is not known. */
static unsigned find_switch(const struct attachment *a)
{
    struct record now;

    return record_read(RECORD_DIRECTORY, a->job.index, &now) ? now.switch_ms : 0;
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
    done.switch_ms = find_switch(&a);
    if (done.switch_ms > 0)
        output_note(out, "/dev/nbd%u has a new keeper and a new server: reads waited for %u ms",
                    a.job.index, done.switch_ms);
    else
        output_note(out, "/dev/nbd%u has a new keeper and a new server", a.job.index);
    if (o->common.json) {
        done.index = a.job.index;
        strcpy(done.release, a.job.record.release);
        strcpy(done.id, a.job.record.id);
        attach_print(o, &done);
    }
    return 0;
}

/* ---- watching ---- */

/* Gives the device a keeper if it has none. With the turn among the programs that attach, nobody is
 * about to do the same. */
static int replace_dead(const struct attach_options *o, struct output *out, struct err *e)
{
    CLEANUP(attachment_free) struct attachment a;

    if (attachment_begin(&a, o, e) < 0 || read_device(&a, o->operands[0], e) < 0)
        return -1;
    if (process_is_alive(&a.job.record.keeper))
        return 0;
    if (attachment_choose_programs(&a, false, e) < 0 || take_lock(&a, e) < 0 ||
        attachment_load_release(&a, a.job.record.id, e) < 0 || attachment_launch(&a, NULL, e) < 0)
        return -1;
    output_note(out, "/dev/nbd%u has a new keeper: the old one had died", a.job.index);
    return 0;
}

/* Sleeps until the keeper of the device has ended, if it has one. */
static void sleep_while_kept(unsigned index)
{
    struct pollfd ended = {.events = POLLIN};
    CLEANUP_FD int keeper = -1;
    struct record record;

    if (record_read(RECORD_DIRECTORY, index, &record))
        keeper = process_open(&record.keeper);
    ended.fd = keeper;
    if (keeper >= 0)
        (void)poll(&ended, 1, -1);
    /* It was a child of this process if this process started it. */
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

/* What no other try could change. */
static bool is_final(const struct err *e)
{
    return e->kind == ERR_REFUSED || e->kind == ERR_OTHER_IMAGE;
}

/* A keeper that ends because its device was detached leaves nothing to do. *ended tells so. */
static int watch_once(const struct attach_options *o, unsigned index, struct output *out,
                      bool *ended, struct err *e)
{
    struct device d;

    if (device_look(DEVICE_SYS_BLOCK, index, &d, e) < 0)
        return -1;
    *ended = !d.connected;
    return *ended ? 0 : replace_dead(o, out, e);
}

int watch_run(const struct attach_options *o, struct output *out, struct err *e)
{
    unsigned index, pause_ms = 0;
    bool ended = false;

    if (device_parse(o->operands[0], &index, e) < 0 || replace_dead(o, out, e) < 0)
        return -1;
    while (!ended) {
        struct err why = ERR_INIT;

        sleep_while_kept(index);
        if (watch_once(o, index, out, &ended, &why) == 0) {
            pause_ms = 0;
            continue;
        }
        if (is_final(&why)) {
            *e = why;
            return -1;
        }
        if (pause_ms == 0)
            output_note(out, "no new keeper yet: %s", why.text);
        pause_ms = pause_ms == 0                     ? FIRST_PAUSE_MS
                   : 2 * pause_ms < LONGEST_PAUSE_MS ? 2 * pause_ms
                                                     : LONGEST_PAUSE_MS;
        usleep(1000 * pause_ms);
    }
    output_note(out, "/dev/nbd%u is detached", index);
    return 0;
}
