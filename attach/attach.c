/* SPDX-License-Identifier: MIT */
#include "attach/attach.h"

#include "attach/device.h"
#include "attach/keeper.h"
#include "attach/nbd_netlink.h"
#include "attach/record.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "cli/json.h"
#include "store/release_load.h"
#include "store/release_name.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>

#define STARTING_WAIT_MS       35000 /* for a keeper that has not attached its device yet */
#define STARTING_PAUSE_MS      20
#define DEFAULT_CONNECTIONS    2
#define DEFAULT_TIMEOUT_S      10
#define DEFAULT_DEAD_TIMEOUT_S 3600
#define ID_SHOWN               16

/* What is asked for, and what becomes of it. */
struct attachment {
    const struct attach_options *o;
    const char *release_path, *device; /* device: NULL when none was named */
    struct nbd_netlink *channel;
    struct keeper_job job;
    char plugin[PATH_MAX];
    int lock;     /* of the record: held by the keeper as long as it lives */
    int release;  /* a server's lock, so that gc keeps the chunks while no server is there */
    int report;   /* of the keeper: where the process that waits reads struct err */
    bool is_kept; /* attached and kept already: nothing to do */
};

static void attachment_free(struct attachment *a)
{
    nbd_netlink_close(a->channel);
    if (a->lock >= 0)
        close(a->lock);
    if (a->release >= 0)
        close(a->release);
}

void attach_print(const struct attach_options *o, const struct attached *done)
{
    char path[DEVICE_PATH_SIZE];
    json_t *result;

    device_path(done->index, path);
    if (!o->common.json) {
        puts(path);
        fflush(stdout);
        return;
    }
    result = json_new_result(0);
    json_set_text(result, "device", path);
    json_set_text(result, "release", done->release);
    json_set_text(result, "id", done->id);
    json_set_bool(result, "attached_before", done->is_kept);
    json_print(result);
}

static void tell_result(const struct attachment *a, struct attached *done)
{
    *done = (struct attached){.index = a->job.index, .is_kept = a->is_kept};
    strcpy(done->release, a->job.record.release);
    strcpy(done->id, a->job.record.id);
}

static int check_image(struct attachment *a, const struct image *image, struct err *e)
{
    struct record *r = &a->job.record;

    text_hex(image->source_checksum, CHUNK_HASH_SIZE, r->id);
    if (a->o->id && strncasecmp(r->id, a->o->id, strlen(a->o->id)) != 0)
        return err_set(e, ERR_OTHER_IMAGE, "release %s/%s is the image %.*s..., not %s", r->store,
                       r->release, ID_SHOWN, r->id, a->o->id);
    if (image->source_size == 0)
        return err_set(e, ERR_USAGE, "release %s/%s is empty: no device has no bytes", r->store,
                       r->release);
    a->job.server.size = image->source_size;
    return 0;
}

static int load_release(struct attachment *a, struct err *e)
{
    const struct store_options reading = {.access = STORE_READ};
    CLEANUP(store_cleanup) struct store *store = NULL;
    struct record *r = &a->job.record;
    CLEANUP_FREE char *path = NULL;
    struct image image = {0};
    const char *name;
    int result;

    if (release_name_split(a->release_path, &path, &name, e) < 0)
        return -1;
    if (!realpath(path, r->store))
        return err_set(e, ERR_NOT_FOUND, "store %s: %s", path, strerror(errno));
    if (strchr(r->store, '\n'))
        return err_set(e, ERR_USAGE, "the path of the store has a line break");
    snprintf(r->release, sizeof r->release, "%s", name);
    if (store_open(r->store, &reading, &store, e) < 0 ||
        store_release_find(store, r->release, &image, &a->release, e) < 0)
        return -1;
    result = check_image(a, &image, e);
    image_free(&image);
    return result;
}

/* What the command line says; or else what was said when the device was attached; or else the
 * defaults. How many connections a device has cannot be changed. */
static void choose_settings(struct attachment *a, const struct record *old)
{
    struct record *r = &a->job.record;

    r->connections = old->connections;
    r->timeout_s = a->o->timeout_s ? a->o->timeout_s : old->timeout_s;
    r->dead_timeout_s = a->o->dead_timeout_s ? a->o->dead_timeout_s : old->dead_timeout_s;
}

/* Decides what to do with a device whose lock is held by this process. */
static int check_free(struct attachment *a, unsigned index, struct err *e)
{
    struct record old;
    struct device d;

    if (device_look(DEVICE_SYS_BLOCK, index, &d, e) < 0)
        return -1;
    a->job.index = index;
    a->job.take_over = d.connected;
    if (!d.connected)
        return 0;
    if (!d.is_ours)
        return err_set(e, ERR_OTHER_IMAGE, "/dev/nbd%u is used by another program", index);
    if (strcmp(d.id, a->job.record.id) != 0)
        return err_set(e, ERR_OTHER_IMAGE,
                       "/dev/nbd%u is the image %.*s..., not %.*s...: detach it first", index,
                       ID_SHOWN, d.id, ID_SHOWN, a->job.record.id);
    if (record_read(a->job.directory, index, &old)) {
        a->job.record.server = old.server;
        a->job.record.restarts = old.restarts + 1;
        choose_settings(a, &old);
    }
    return 0;
}

/* A device whose lock somebody else holds: it may still be about to attach it. *again is set when
 * the lock should be tried once more. */
static int check_kept(struct attachment *a, unsigned index, bool *again, struct err *e)
{
    struct device d;

    if (device_look(DEVICE_SYS_BLOCK, index, &d, e) < 0)
        return -1;
    *again = !d.connected;
    if (*again)
        return 0;
    if (!d.is_ours || strcmp(d.id, a->job.record.id) != 0)
        return err_set(e, ERR_OTHER_IMAGE, "/dev/nbd%u is another image: %s; detach it first",
                       index, *d.identifier ? d.identifier : "not one of ihop");
    a->job.index = index;
    a->is_kept = true;
    return 0;
}

/* Takes a device: its lock, or the knowledge that it is attached and kept already. */
static int take_device(struct attachment *a, unsigned index, struct err *e)
{
    uint64_t deadline = io_now_ms() + STARTING_WAIT_MS;
    bool again = true;

    while (again) {
        struct err busy = ERR_INIT;

        if (record_lock(a->job.directory, index, STARTING_PAUSE_MS, &a->lock, &busy) == 0)
            return check_free(a, index, e);
        if (busy.kind != ERR_BUSY || io_now_ms() >= deadline) {
            *e = busy;
            return -1;
        }
        if (check_kept(a, index, &again, e) < 0)
            return -1;
    }
    return 0;
}

/* The device that has this image already, or else the first one that is free. */
static int find_device(struct attachment *a, struct err *e)
{
    struct device d = {.exists = true};

    for (unsigned i = 0; d.exists && i <= LIMIT_NBD_DEVICE; i++) {
        if (device_look(DEVICE_SYS_BLOCK, i, &d, e) < 0)
            return -1;
        if (d.connected && d.is_ours && strcmp(d.id, a->job.record.id) == 0)
            return take_device(a, i, e);
    }
    for (unsigned i = 0; i <= LIMIT_NBD_DEVICE; i++) {
        struct err busy = ERR_INIT;

        if (device_look(DEVICE_SYS_BLOCK, i, &d, e) < 0)
            return -1;
        if (d.connected)
            continue;
        if (record_lock(a->job.directory, i, 0, &a->lock, &busy) == 0)
            return check_free(a, i, e);
        if (busy.kind != ERR_BUSY) {
            *e = busy;
            return -1;
        }
    }
    return err_set(e, ERR_BUSY, "no NBD device is free: name one, or detach one");
}

static int choose_device(struct attachment *a, struct err *e)
{
    unsigned index;

    if (!a->device)
        return find_device(a, e);
    return device_parse(a->device, &index, e) < 0 ? -1 : take_device(a, index, e);
}

static void report(const struct attachment *a, const struct err *e)
{
    if (a->report >= 0 && io_write_full(a->report, e, sizeof *e) < 0)
        return; /* nobody waits for it any more */
}

/* In the keeper, when the device can be used. */
static void on_ready(void *user)
{
    struct attachment *a = user;
    const struct err none = ERR_INIT;
    int null;

    if (a->report < 0) {
        struct attached done;

        tell_result(a, &done);
        attach_print(a->o, &done);
        return;
    }
    report(a, &none);
    close(steal_fd(&a->report));
    null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < 3 && null >= 0; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
}

static int become_keeper(struct attachment *a, struct err *e)
{
    a->job.foreground = a->report < 0;
    a->job.ready = on_ready;
    a->job.user = a;
    if (chdir("/") < 0)
        return err_sys(e, errno, "cannot change to /");
    return keeper_run(&a->job, e);
}

static int fork_keeper(struct attachment *a, struct err *e)
{
    struct err answer;
    int pipes[2];
    ssize_t n;
    pid_t pid;

    if (pipe2(pipes, O_CLOEXEC) < 0 || (pid = fork()) < 0)
        return err_sys(e, errno, "cannot start the keeper");
    if (pid == 0) {
        struct err failed = ERR_INIT;

        close(pipes[0]);
        a->report = pipes[1];
        setsid();
        if (become_keeper(a, &failed) < 0)
            report(a, &failed);
        _exit(0);
    }
    close(pipes[1]);
    n = io_read_full(pipes[0], &answer, sizeof answer);
    close(pipes[0]);
    if (n != sizeof answer)
        return err_set(e, ERR_IO, "the keeper ended before the device was attached");
    if (answer.kind == ERR_NONE)
        return 0;
    *e = answer;
    return -1;
}

/* The plugin that was installed with this program, or the one that nbdkit finds by its name. */
static void choose_plugin(struct attachment *a)
{
    const char *installed = PLUGIN_DIRECTORY "/nbdkit-ihop-plugin.so";
    const char *chosen = a->o->plugin                   ? a->o->plugin
                         : access(installed, R_OK) == 0 ? installed
                                                        : "ihop";

    /* The keeper's directory is /, so a path must be absolute. */
    if (!strchr(chosen, '/') || !realpath(chosen, a->plugin))
        snprintf(a->plugin, sizeof a->plugin, "%s", chosen);
}

static void prepare_job(struct attachment *a)
{
    const struct attach_options *o = a->o;
    struct keeper_job *job = &a->job;
    const struct record defaults = {
        .connections = o->connections ? o->connections : DEFAULT_CONNECTIONS,
        .timeout_s = DEFAULT_TIMEOUT_S,
        .dead_timeout_s = DEFAULT_DEAD_TIMEOUT_S,
    };

    choose_plugin(a);
    job->directory = RECORD_DIRECTORY;
    choose_settings(a, &defaults);
    job->server = (struct server_command){.nbdkit = o->nbdkit,
                                          .plugin = a->plugin,
                                          .store = job->record.store,
                                          .release = job->record.release,
                                          .id = job->record.id,
                                          .parameters = o->parameters};
}

int attach_release(const struct attach_options *o, const char *release_path, const char *device,
                   struct attached *done, struct err *e)
{
    CLEANUP(attachment_free)
    struct attachment a = {.o = o,
                           .release_path = release_path,
                           .device = device,
                           .lock = -1,
                           .release = -1,
                           .report = -1};

    prepare_job(&a);
    if (load_release(&a, e) < 0)
        return -1;
    a.channel = nbd_netlink_open(e);
    a.job.channel = a.channel;
    if (!a.channel || choose_device(&a, e) < 0)
        return -1;
    if (!a.is_kept && (o->foreground ? become_keeper(&a, e) : fork_keeper(&a, e)) < 0)
        return -1;
    tell_result(&a, done);
    return 0;
}

int attach_run(const struct attach_options *o, struct output *out, struct err *e)
{
    struct attached done;

    if (attach_release(o, o->operands[0], o->operands[1], &done, e) < 0)
        return -1;
    if (done.is_kept)
        output_note(out, "/dev/nbd%u is attached already", done.index);
    if (done.is_kept || !o->foreground)
        attach_print(o, &done);
    return 0;
}
