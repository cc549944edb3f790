/* SPDX-License-Identifier: MIT */
/* Detaching a device, and showing devices. */
#include "attach/attach.h"

#include "attach/detach.h"
#include "attach/device.h"
#include "attach/record.h"
#include "attach/verity.h"
#include "base/cleanup.h"
#include "cli/json.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#define KEEPER_WAIT_MS 15000
#define LOCK_WAIT_MS   2000
#define ID_SHOWN       16

/* What is known about a device: from the kernel, and from its record. */
struct view {
    unsigned index;
    struct device device;
    struct record record;
    struct verity_state verity;
    bool has_record, has_keeper, has_server;
};

static int view_device(unsigned index, struct view *v, struct err *e)
{
    *v = (struct view){.index = index};
    if (device_look(DEVICE_SYS_BLOCK, index, &v->device, e) < 0)
        return -1;
    if (v->device.is_ours && verity_look(index, &v->verity, e) < 0)
        return -1;
    v->has_record = v->device.connected && record_read(RECORD_DIRECTORY, index, &v->record) &&
                    strcmp(v->record.id, v->device.id) == 0;
    v->has_keeper = v->has_record && process_is_alive(&v->record.keeper);
    v->has_server = v->has_record && process_is_alive(&v->record.server);
    return 0;
}

/* A device that a user named and that must be one of ours. */
static int view_ours(const char *path, struct view *v, struct err *e)
{
    unsigned index;

    if (device_parse(path, &index, e) < 0 || view_device(index, v, e) < 0)
        return -1;
    return device_require_ours(&v->device, index, e);
}

/* Between the first word of the identifier and the last one. */
static void view_release(const struct view *v, char text[LIMIT_RELEASE_NAME + 1])
{
    const char *begin = strchr(v->device.identifier, ' ') + 1;
    const char *end = strrchr(v->device.identifier, ' ');

    snprintf(text, LIMIT_RELEASE_NAME + 1, "%.*s", end > begin ? (int)(end - begin) : 0, begin);
}

/* A keeper may also end because another one has taken its place. */
static int check_gone(const struct view *v, struct err *e)
{
    struct device now;

    if (device_look(DEVICE_SYS_BLOCK, v->index, &now, e) < 0)
        return -1;
    if (now.connected && strcmp(now.identifier, v->device.identifier) == 0)
        return err_set(
            e, ERR_BUSY,
            "/dev/nbd%u is still attached, as its keeper was killed or replaced: try again",
            v->index);
    return 0;
}

static int end_keeper(const struct view *v, struct err *e)
{
    CLEANUP_FD int keeper = process_open(&v->record.keeper);
    char path[DEVICE_PATH_SIZE];
    CLEANUP_FD int claim = -1;
    struct pollfd p = {.fd = keeper, .events = POLLIN};

    /* For the messages: the keeper does both once more, as it takes the device away. */
    device_path(v->index, path);
    if (verity_close(v->index, e) < 0 || device_claim(path, &claim, e) < 0)
        return -1;
    close(steal_fd(&claim));
    if (pidfd_send_signal(keeper, SIGTERM, NULL, 0) < 0 || poll(&p, 1, KEEPER_WAIT_MS) <= 0)
        return err_set(e, ERR_BUSY, "the keeper of /dev/nbd%u, process %ld, does not end", v->index,
                       (long)v->record.keeper.pid);
    return check_gone(v, e);
}

static int detach_alone(const struct view *v, struct err *e)
{
    CLEANUP(nbd_netlink_cleanup) struct nbd_netlink *channel = nbd_netlink_open(e);
    const struct process none = {.pid = 0};
    CLEANUP_FD int lock = -1;
    bool disconnected;

    if (!channel || record_lock(RECORD_DIRECTORY, v->index, LOCK_WAIT_MS, &lock, e) < 0)
        return -1;
    return detach_device(v->index, v->device.identifier, channel,
                         v->has_record ? &v->record.server : &none, &disconnected, e);
}

int detach_run(const struct attach_options *o, struct output *out, struct err *e)
{
    struct view v;

    if (view_ours(o->operands[0], &v, e) < 0)
        return -1;
    if ((v.has_keeper ? end_keeper(&v, e) : detach_alone(&v, e)) < 0)
        return -1;
    if (o->common.json)
        json_print(json_new_result(0));
    output_note(out, "/dev/nbd%u is detached", v.index);
    return 0;
}

/* Adds a device's members to an object. */
static void describe_json(const struct view *v, json_t *object)
{
    char path[VERITY_PATH_SIZE], release[LIMIT_RELEASE_NAME + 1];

    device_path(v->index, path);
    view_release(v, release);
    json_set_text(object, "device", path);
    json_set_text(object, "release", release);
    json_set_text(object, "id", v->device.id);
    json_set_number(object, "size", v->device.size);
    if (v->verity.is_open) {
        verity_path(v->index, path);
        json_set_text(object, "verity", path);
        json_set_text(object, "root_hash", v->verity.root_hash);
        json_set_bool(object, "corrupted", v->verity.is_corrupted);
    }
    if (v->has_keeper)
        json_set_number(object, "keeper", (uint64_t)v->record.keeper.pid);
    if (v->has_server)
        json_set_number(object, "server", (uint64_t)v->record.server.pid);
    if (!v->has_record)
        return;
    json_set_text(object, "store", v->record.store);
    json_set_number(object, "connections", v->record.connections);
    json_set_number(object, "timeout", v->record.timeout_s);
    json_set_number(object, "dead_timeout", v->record.dead_timeout_s);
    json_set_number(object, "restarts", v->record.restarts);
    if (v->record.switch_ms > 0)
        json_set_number(object, "switch_ms", v->record.switch_ms);
}

static void print_process(const char *word, bool is_there, const struct process *process)
{
    if (is_there)
        printf("%s %ld\n", word, (long)process->pid);
    else
        printf("%s none\n", word);
}

static void print_status(const struct view *v)
{
    char release[LIMIT_RELEASE_NAME + 1], path[VERITY_PATH_SIZE];

    view_release(v, release);
    printf("device /dev/nbd%u\nrelease %s\nid %s\nsize %llu\n", v->index, release, v->device.id,
           (unsigned long long)v->device.size);
    if (v->verity.is_open) {
        verity_path(v->index, path);
        printf("verity %s\nroot-hash %s\ncorrupted %s\n", path, v->verity.root_hash,
               v->verity.is_corrupted ? "yes" : "no");
    }
    print_process("keeper", v->has_keeper, &v->record.keeper);
    print_process("server", v->has_server, &v->record.server);
    if (v->has_record)
        printf("store %s\nconnections %u\ntimeout %u\ndead-timeout %u\nrestarts %u\n",
               v->record.store, v->record.connections, v->record.timeout_s,
               v->record.dead_timeout_s, v->record.restarts);
    if (v->has_record && v->record.switch_ms > 0)
        printf("switch-ms %u\n", v->record.switch_ms);
}

int status_run(const struct attach_options *o, struct err *e)
{
    struct view v;
    json_t *result;

    if (view_ours(o->operands[0], &v, e) < 0)
        return -1;
    if (!o->common.json) {
        print_status(&v);
        return 0;
    }
    result = json_new_result(0);
    describe_json(&v, result);
    json_print(result);
    return 0;
}

int list_run(const struct attach_options *o, struct err *e)
{
    json_t *result = o->common.json ? json_new_result(0) : NULL;
    json_t *devices = o->common.json ? json_array() : NULL;

    for (unsigned i = 0; i <= LIMIT_NBD_DEVICE; i++) {
        char release[LIMIT_RELEASE_NAME + 1];
        struct view v;

        if (view_device(i, &v, e) < 0) {
            json_decref(result);
            json_decref(devices);
            return -1;
        }
        if (!v.device.is_ours)
            continue;
        if (result) {
            json_t *object = json_object();

            describe_json(&v, object);
            json_array_append_new(devices, object);
            continue;
        }
        view_release(&v, release);
        printf("/dev/nbd%u  %.*s  %s%s  %s\n", i, ID_SHOWN, v.device.id,
               v.has_keeper ? "kept" : "not kept", v.verity.is_open ? ", verity" : "", release);
    }
    if (result) {
        json_object_set_new(result, "devices", devices);
        json_print(result);
    }
    return 0;
}
