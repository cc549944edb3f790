/* SPDX-License-Identifier: MIT */
#include "attach/attach.h"

#include "attach/attachment.h"
#include "attach/device.h"
#include "attach/notify.h"
#include "attach/record.h"
#include "attach/verity.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "cli/json.h"
#include "store/release_name.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#define STARTING_WAIT_MS       35000 /* for a keeper that has not attached its device yet */
#define STARTING_PAUSE_MS      20
#define DEFAULT_CONNECTIONS    2
#define DEFAULT_TIMEOUT_S      10
#define DEFAULT_DEAD_TIMEOUT_S 3600
#define ID_SHOWN               16
#define KEEPER_WAIT_MS         15000

void attach_print(const struct attach_options *o, const struct attached *done)
{
    char path[VERITY_PATH_SIZE], device[DEVICE_PATH_SIZE];
    json_t *result;

    device_path(done->index, device);
    verity_path(done->index, path);
    if (!done->is_mapped)
        strcpy(path, device);
    if (done->is_damaged && !o->common.quiet)
        fprintf(stderr, "ihop-attach: the first or the last block of %s is damaged\n", path);
    if (!o->common.json) {
        puts(path);
        fflush(stdout);
        return;
    }
    result = json_new_result(0);
    json_set_text(result, "device", path);
    json_set_text(result, "nbd", device);
    json_set_text(result, "release", done->release);
    json_set_text(result, "id", done->id);
    if (done->is_damaged)
        json_set_bool(result, "damaged", true);
    json_set_bool(result, "attached_before", done->is_kept);
    if (done->switch_ms > 0)
        json_set_number(result, "switch_ms", done->switch_ms);
    json_print(result);
}

/* A device on which verity is open cannot be mounted itself, whoever opened it. */
static void tell_result(const struct attachment *a, bool is_kept, struct attached *done)
{
    struct verity_state verity;
    struct err ignored = ERR_INIT;

    *done = (struct attached){.index = a->job.index, .is_kept = is_kept};
    done->is_mapped = verity_look(a->job.index, &verity, &ignored) == 0 && verity.is_open;
    strcpy(done->release, a->job.record.release);
    strcpy(done->id, a->job.record.id);
}

static int name_release(struct attachment *a, const char *release_path, struct err *e)
{
    struct record *r = &a->job.record;
    CLEANUP_FREE char *path = NULL;
    const char *name;

    if (release_name_split(release_path, &path, &name, e) < 0)
        return -1;
    if (!realpath(path, r->store))
        return err_set(e, ERR_NOT_FOUND, "store %s: %s", path, strerror(errno));
    if (strchr(r->store, '\n'))
        return err_set(e, ERR_USAGE, "the path of the store has a line break");
    snprintf(r->release, sizeof r->release, "%s", name);
    return 0;
}

/* What the command line says; or else what was said when the device was attached; or else the
 * defaults. How many connections a device has cannot be changed. */
static void choose_settings(struct attachment *a, const struct record *old)
{
    const struct attach_options *o = a->o;
    struct record *r = &a->job.record;

    r->connections = old ? old->connections : o->connections ? o->connections : DEFAULT_CONNECTIONS;
    r->timeout_s = o->timeout_s ? o->timeout_s : old ? old->timeout_s : DEFAULT_TIMEOUT_S;
    r->dead_timeout_s = o->dead_timeout_s ? o->dead_timeout_s
                        : old             ? old->dead_timeout_s
                                          : DEFAULT_DEAD_TIMEOUT_S;
}

/* A device that is connected and has no keeper. */
static int check_orphan(struct attachment *a, const struct device *d, struct err *e)
{
    unsigned index = a->job.index;
    struct record old;

    if (!d->is_ours)
        return err_set(e, ERR_OTHER_IMAGE, "/dev/nbd%u is used by another program", index);
    if (strcmp(d->id, a->job.record.id) != 0)
        return err_set(e, ERR_OTHER_IMAGE,
                       "/dev/nbd%u has no keeper and is the image %.*s..., not %.*s...: give it a "
                       "keeper with --upgrade, or detach it",
                       index, ID_SHOWN, d->id, ID_SHOWN, a->job.record.id);
    a->job.take_over = 1;
    strcpy(a->job.identifier, d->identifier); /* the release may have had another name */
    if (record_read(RECORD_DIRECTORY, index, &old) && strcmp(old.id, d->id) == 0) {
        a->job.record.keeper = old.keeper;
        a->job.record.server = old.server;
        a->job.record.restarts = old.restarts + 1;
        strcpy(a->job.record.suspended, old.suspended);
        choose_settings(a, &old);
    }
    return 0;
}

/* Decides what to do with a device whose lock is held by this process. */
static int check_free(struct attachment *a, unsigned index, struct err *e)
{
    struct device d;

    if (device_look(DEVICE_SYS_BLOCK, index, &d, e) < 0)
        return -1;
    a->job.index = index;
    if (d.connected)
        return check_orphan(a, &d, e);
    device_identifier(a->job.record.release, a->job.record.id, a->job.identifier);
    return 0;
}

/* A device whose lock somebody else holds: it may still be about to attach it. *again is set when
 * the lock should be tried once more. */
static int check_kept(struct attachment *a, unsigned index, bool *again, bool *is_kept,
                      struct err *e)
{
    struct device d;

    if (device_look(DEVICE_SYS_BLOCK, index, &d, e) < 0)
        return -1;
    *again = !d.connected;
    if (*again)
        return 0;
    if (!d.is_ours || strcmp(d.id, a->job.record.id) != 0)
        return err_set(e, ERR_OTHER_IMAGE,
                       "/dev/nbd%u is another image: %s; detach it, or name another device", index,
                       *d.identifier ? d.identifier : "not one of ihop");
    a->job.index = index;
    *is_kept = true;
    return 0;
}

/* Takes a device: its lock, or the knowledge that it is attached and kept already. */
static int take_device(struct attachment *a, unsigned index, bool *is_kept, struct err *e)
{
    uint64_t deadline = io_now_ms() + STARTING_WAIT_MS;
    bool again = true;

    while (again) {
        struct err busy = ERR_INIT;

        if (record_lock(RECORD_DIRECTORY, index, STARTING_PAUSE_MS, &a->job.lock, &busy) == 0)
            return check_free(a, index, e);
        if (busy.kind != ERR_BUSY || io_now_ms() >= deadline) {
            *e = busy;
            return -1;
        }
        if (check_kept(a, index, &again, is_kept, e) < 0)
            return -1;
    }
    return 0;
}

/* The device that has this image already, or else the first one that is free. Numbers have gaps: a
 * device is made by its name. */
static int find_device(struct attachment *a, bool *is_kept, struct err *e)
{
    struct device d;

    for (unsigned i = 0; i <= LIMIT_NBD_DEVICE; i++) {
        if (device_look(DEVICE_SYS_BLOCK, i, &d, e) < 0)
            return -1;
        if (d.connected && d.is_ours && strcmp(d.id, a->job.record.id) == 0)
            return take_device(a, i, is_kept, e);
    }
    for (unsigned i = 0; i <= LIMIT_NBD_DEVICE; i++) {
        struct err busy = ERR_INIT;

        if (device_look(DEVICE_SYS_BLOCK, i, &d, e) < 0)
            return -1;
        if (d.connected)
            continue;
        if (record_lock(RECORD_DIRECTORY, i, 0, &a->job.lock, &busy) == 0)
            return check_free(a, i, e);
        if (busy.kind != ERR_BUSY) {
            *e = busy;
            return -1;
        }
    }
    return err_set(e, ERR_BUSY, "no NBD device is free: name one, or detach one");
}

static int choose_device(struct attachment *a, const char *device, bool *is_kept, struct err *e)
{
    unsigned index;

    if (!device)
        return find_device(a, is_kept, e);
    return device_parse(device, &index, e) < 0 ? -1 : take_device(a, index, is_kept, e);
}

/* Says to the keeper of the device how verity went: why is NULL when it is open. Else waits for the
 * keeper's end, with the exit code of why if it is in the foreground. */
static void tell_new_keeper(unsigned index, const struct err *why)
{
    siginfo_t info = {.si_signo = why ? SIGTERM : SIGUSR1, .si_code = SI_QUEUE};
    CLEANUP_FD int keeper = -1;
    struct pollfd p = {.events = POLLIN};
    struct record record;

    if (record_read(RECORD_DIRECTORY, index, &record))
        keeper = process_open(&record.keeper);
    p.fd = keeper;
    if (why)
        info.si_value.sival_int = err_exit_code(why->kind);
    if (keeper >= 0 && pidfd_send_signal(keeper, info.si_signo, &info, 0) == 0 && why)
        (void)poll(&p, 1, KEEPER_WAIT_MS);
}

/* Opens verity on the device. When that fails, a device that was there before stays, with the
 * keeper that it has now. It reads the device, still in this program's turn: whoever else attaches
 * the same image must not be told of a device that goes away if the root hash does not fit. Reads
 * of a server that does not come hold up the others, too, who give up after a minute
 * (record_queue); the keeper, which is what brings a server, needs no turn. */
static int map_device(const struct attachment *a, bool is_kept, struct attached *done,
                      struct err *e)
{
    struct verity_result result;

    if (verity_open(a->job.index, &a->verity, &result, e) < 0) {
        if (!is_kept && !a->job.take_over)
            tell_new_keeper(a->job.index, e);
        return -1;
    }
    if (!is_kept && a->o->foreground)
        tell_new_keeper(a->job.index, NULL);
    done->is_mapped = true;
    done->is_damaged = result.is_damaged;
    done->is_unvouched = a->verity.recorded && !key_options_demanded(&a->o->keys).keys;
    return 0;
}

int attach_release(const struct attach_options *o, const char *release_path, const char *device,
                   struct attached *done, struct err *e)
{
    CLEANUP(attachment_free) struct attachment a;
    bool is_kept = false;

    if (attachment_begin(&a, o, e) < 0 || attachment_choose_programs(&a, true, e) < 0)
        return -1;
    a.job.mapped = o->verity != NULL;
    choose_settings(&a, NULL);
    if (name_release(&a, release_path, e) < 0 || attachment_load_release(&a, o->id, e) < 0 ||
        choose_device(&a, device, &is_kept, e) < 0)
        return -1;
    if (!is_kept && attachment_launch(&a, NULL, e) < 0)
        return -1;
    tell_result(&a, is_kept, done);
    return o->verity ? map_device(&a, is_kept, done, e) : 0;
}

/* A keeper tells by itself. Of one that was there before, this process tells, which a unit of
 * systemd has started in vain: the unit is to watch that keeper. */
static void tell_of_keeper(unsigned index, struct output *out)
{
    struct err e = ERR_INIT;
    struct record kept;

    if (record_read(RECORD_DIRECTORY, index, &kept) && notify_ready(kept.keeper.pid, &e) < 0)
        output_note(out, "%s", e.text);
}

void attach_tell(struct output *out, const struct attached *done)
{
    if (done->is_kept)
        output_note(out, "/dev/nbd%u is attached already", done->index);
    if (done->is_unvouched)
        output_note(out,
                    "nothing vouches for the root hash that release %s records: no key was "
                    "demanded (--verify-key, or keys.d)",
                    done->release);
}

int attach_run(const struct attach_options *o, struct output *out, struct err *e)
{
    struct attached done;

    if (attach_release(o, o->operands[0], o->operands[1], &done, e) < 0)
        return -1;
    attach_tell(out, &done);
    attach_print(o, &done);
    if (o->foreground && done.is_kept)
        tell_of_keeper(done.index, out);
    return 0;
}
