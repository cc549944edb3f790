/* SPDX-License-Identifier: MIT */
#include "attach/verity.h"

#include "attach/device.h"
#include "attach/dm.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define TARGET        "verity"
#define OPTION        "CONFIG_DM_VERITY"
#define DM_LOADED     "/sys/class/misc/device-mapper"
#define NAME_SIZE     24 /* of "ihop-nbd" and a number */
#define LOCK_WAIT_MS  15000
#define LOCK_PAUSE_US 10000
#define REMOVE_MS     5000 /* udev may be reading the device */
#define SECTOR        512
#define NUMBER_SIZE   24 /* "MAJOR:MINOR" */
#define ROOT_WORD     8  /* in the table, counted from 0 */

/* A device on which verity is opened. */
struct opening {
    unsigned index;
    const struct verity_demand *demand;
    int device;  /* /dev/nbdN, locked */
    int control; /* of device mapper */
    char name[NAME_SIZE], uuid[DM_UUID_SIZE], number[NUMBER_SIZE];
    struct verity_tree tree;
};

static void opening_free(struct opening *o)
{
    if (o->control >= 0)
        close(o->control);
    if (o->device >= 0)
        close(o->device); /* and so unlocks it */
}

static void verity_name(unsigned index, char name[NAME_SIZE])
{
    snprintf(name, NAME_SIZE, DEVICE_MAPPED "nbd%u", index);
}

void verity_path(unsigned index, char path[VERITY_PATH_SIZE])
{
    char name[NAME_SIZE];

    verity_name(index, name);
    snprintf(path, VERITY_PATH_SIZE, "/dev/mapper/%s", name);
}

/* Opens /dev/nbdN and locks it against another ihop-attach and against udev. */
static int lock_device(struct opening *o, struct err *e)
{
    uint64_t deadline = io_now_ms() + LOCK_WAIT_MS;
    char path[DEVICE_PATH_SIZE];
    struct stat st;

    device_path(o->index, path);
    o->device = open(path, O_RDONLY | O_CLOEXEC);
    if (o->device < 0 || fstat(o->device, &st) < 0)
        return err_sys(e, errno, "cannot open %s", path);
    snprintf(o->number, sizeof o->number, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
    while (io_flock(o->device, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return err_sys(e, errno, "cannot lock %s", path);
        if (io_now_ms() >= deadline)
            return err_set(e, ERR_BUSY, "%s is locked by another program: try again", path);
        usleep(LOCK_PAUSE_US);
    }
    return 0;
}

static int read_tree(struct opening *o, struct err *e)
{
    uint8_t superblock[VERITY_SUPERBLOCK] = {0};
    uint64_t size = io_input_size(o->device);
    char hex[2 * VERITY_UUID + 1];
    ssize_t n = 0;

    if (o->demand->offset < size)
        n = io_pread_full(o->device, superblock, sizeof superblock, o->demand->offset);
    if (n < 0)
        return err_sys(e, errno, "cannot read byte %llu of /dev/nbd%u",
                       (unsigned long long)o->demand->offset, o->index);
    if (verity_tree_parse(superblock, o->demand, size, (unsigned)sysconf(_SC_PAGESIZE), &o->tree,
                          e) < 0)
        return -1;
    text_hex(o->tree.uuid, VERITY_UUID, hex);
    snprintf(o->uuid, sizeof o->uuid, "CRYPT-VERITY-%s-%s", hex, o->name);
    return 0;
}

static int write_target(const struct opening *o, const struct verity_demand *demand,
                        char text[DM_TABLE_SIZE], struct dm_target *target, struct err *e)
{
    if (!verity_table_write(&o->tree, demand, o->number, text, DM_TABLE_SIZE))
        return err_set(e, ERR_ARCHIVE, "the table of %s is too long", o->name);
    *target = (struct dm_target){.type = TARGET,
                                 .parameters = text,
                                 .sectors = o->tree.data_blocks * (o->tree.data_block / SECTOR)};
    return 0;
}

/* ---- is it right? ---- */

static bool can_read_block(int fd, uint64_t block, uint32_t size, void *buffer)
{
    return io_pread_full(fd, buffer, size, block * size) == (ssize_t)size;
}

/* A root hash that does not fit shows at the first read only, and then at every one. When one of
 * the two blocks can be read, what lies between it and the root hash is right. */
static int check_blocks(const struct opening *o, struct verity_result *result, struct err *e)
{
    CLEANUP_FREE void *buffer = malloc(o->tree.data_block);
    char path[VERITY_PATH_SIZE];
    CLEANUP_FD int fd = -1;
    bool first, last;

    verity_path(o->index, path);
    fd = buffer ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (!buffer)
        return err_nomem(e, "checking a device");
    if (fd < 0)
        return err_sys(e, errno, "cannot open %s", path);
    /* Without readahead, no other block is read. */
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    first = can_read_block(fd, 0, o->tree.data_block, buffer);
    last = can_read_block(fd, o->tree.data_blocks - 1, o->tree.data_block, buffer);
    if (!first && !last)
        return err_set(e, ERR_ARCHIVE,
                       "the root hash %.16s... does not fit the image of /dev/nbd%u, or its hash "
                       "tree is damaged: nothing was opened",
                       o->demand->root_hash, o->index);
    result->is_damaged = !first || !last;
    return 0;
}

/* ---- opening ---- */

static bool is_ours(const char *name, const struct dm_state *state)
{
    size_t n = strlen(state->uuid), suffix = strlen(name);

    return strncmp(state->uuid, "CRYPT-VERITY-", 13) == 0 && n > suffix &&
           strcmp(state->uuid + n - suffix, name) == 0;
}

static int refuse_open(const struct opening *o, struct err *e)
{
    return err_set(
        e, ERR_OTHER_IMAGE,
        "/dev/mapper/%s is open with another root hash or other options: detach it first", o->name);
}

/* Compares what is open with what is wanted. *unfinished is set when it is open, but somebody was
 * interrupted before its options were set. */
static int compare_open(const struct opening *o, const char *checking, const char *wanted,
                        bool *unfinished, struct err *e)
{
    char type[DM_TYPE_SIZE], text[DM_TABLE_SIZE];

    if (dm_read_target(o->control, o->name, false, type, text, e) < 0)
        return -1;
    if (strcmp(type, TARGET) != 0)
        return refuse_open(o, e);
    *unfinished = strcmp(text, wanted) != 0;
    return *unfinished && strcmp(text, checking) != 0 ? refuse_open(o, e) : 0;
}

static int create_device(const struct opening *o, const struct dm_target *target, struct err *e)
{
    if (dm_create(o->control, o->name, o->uuid, target, e) == 0)
        return 0;
    if (e->kind == ERR_BUSY)
        return err_set(e, ERR_BUSY,
                       "/dev/nbd%u is in use itself: unmount it and take away the devices on it",
                       o->index);
    if (e->kind == ERR_USAGE)
        return err_set(e, ERR_ARCHIVE,
                       "the kernel's dm-verity refuses the image of /dev/nbd%u: the root hash has "
                       "not the length of %s, or this kernel has no %s, or no blocks of %u bytes",
                       o->index, o->tree.algorithm, o->tree.algorithm, o->tree.data_block);
    return -1;
}

/* Creates the device with errors for corruption, so that a wrong root hash cannot restart the
 * machine; only what has been read gets the options that are asked for. */
static int create_checked(const struct opening *o, const struct dm_target *checking,
                          const struct dm_target *wanted, struct verity_result *result,
                          struct err *e)
{
    struct err ignored = ERR_INIT;

    if (create_device(o, checking, e) < 0)
        return -1;
    if (check_blocks(o, result, e) == 0 && (strcmp(checking->parameters, wanted->parameters) == 0 ||
                                            dm_replace(o->control, o->name, wanted, e) == 0))
        return 0;
    if (dm_remove(o->control, o->name, REMOVE_MS, &ignored) < 0)
        err_context(e, "and /dev/mapper/%s is left (%s)", o->name, ignored.text);
    return -1;
}

/* What is there under our name already: it is the same, or it is refused, or it was never
 * finished. */
static int open_existing(const struct opening *o, const struct dm_state *state,
                         const struct dm_target *checking, const struct dm_target *wanted,
                         struct verity_result *result, struct err *e)
{
    bool unfinished;

    if (!is_ours(o->name, state))
        return err_set(e, ERR_OTHER_IMAGE, "/dev/mapper/%s belongs to another program", o->name);
    if (!state->is_active) {
        if (dm_remove(o->control, o->name, REMOVE_MS, e) < 0)
            return -1;
        return create_checked(o, checking, wanted, result, e);
    }
    if (compare_open(o, checking->parameters, wanted->parameters, &unfinished, e) < 0 ||
        (state->is_suspended && dm_resume(o->control, state->number, e) < 0) ||
        (unfinished &&
         (check_blocks(o, result, e) < 0 || dm_replace(o->control, o->name, wanted, e) < 0)))
        return -1;
    result->was_open = true;
    return dm_link(o->control, o->name, e);
}

int verity_open(unsigned index, const struct verity_demand *demand, struct verity_result *result,
                struct err *e)
{
    CLEANUP(opening_free)
    struct opening o = {.index = index, .demand = demand, .device = -1, .control = -1};
    char checking_text[DM_TABLE_SIZE], wanted_text[DM_TABLE_SIZE];
    struct verity_demand harmless = *demand;
    struct dm_target checking, wanted;
    struct dm_state state;

    *result = (struct verity_result){.was_open = false};
    harmless.on_corruption = VERITY_ERROR;
    verity_name(index, o.name);
    if (lock_device(&o, e) < 0 || read_tree(&o, e) < 0 ||
        write_target(&o, &harmless, checking_text, &checking, e) < 0 ||
        write_target(&o, demand, wanted_text, &wanted, e) < 0 || dm_open(&o.control, e) < 0 ||
        dm_require(o.control, TARGET, OPTION, e) < 0 || dm_look(o.control, o.name, &state, e) < 0)
        return -1;
    return state.exists ? open_existing(&o, &state, &checking, &wanted, result, e)
                        : create_checked(&o, &checking, &wanted, result, e);
}

/* ---- looking and closing ---- */

/* Opens the control device and looks for ours. *control stays -1 when there is none. */
static int find_ours(unsigned index, int *control, struct dm_state *state, struct err *e)
{
    char name[NAME_SIZE];
    CLEANUP_FD int fd = -1;

    *state = (struct dm_state){.exists = false};
    if (access(DM_LOADED, F_OK) < 0)
        return 0;
    verity_name(index, name);
    if (dm_open(&fd, e) < 0 || dm_look(fd, name, state, e) < 0)
        return -1;
    if (state->exists && is_ours(name, state))
        *control = steal_fd(&fd);
    return 0;
}

/* Takes the root hash out of a table that the kernel printed. */
static bool take_root_hash(char *table, char root_hash[VERITY_HEX])
{
    char *rest = table, *word = NULL;

    for (int i = 0; i <= ROOT_WORD; i++)
        word = strsep(&rest, " ");
    if (!word || strlen(word) >= VERITY_HEX)
        return false;
    memcpy(root_hash, word, strlen(word) + 1);
    return true;
}

int verity_look(unsigned index, struct verity_state *state, struct err *e)
{
    char name[NAME_SIZE], type[DM_TYPE_SIZE], text[DM_TABLE_SIZE];
    CLEANUP_FD int control = -1;
    struct dm_state dm;

    *state = (struct verity_state){.is_open = false};
    verity_name(index, name);
    if (find_ours(index, &control, &dm, e) < 0)
        return -1;
    if (control < 0 || !dm.is_active)
        return 0;
    if (dm_read_target(control, name, true, type, text, e) < 0)
        return -1;
    state->is_corrupted = *text == 'C';
    if (dm_read_target(control, name, false, type, text, e) < 0)
        return -1;
    state->is_open = strcmp(type, TARGET) == 0 && take_root_hash(text, state->root_hash);
    return 0;
}

/* One that is mounted is refused at once, by the lock that a mount has; what opens it in another
 * way may be udev, for the blink of an eye. While another program's device lies on the NBD device,
 * too, that one cannot be detached, so ours stays as well. */
static int check_unused(unsigned index, struct err *e)
{
    struct err claimed = ERR_INIT;
    char path[VERITY_PATH_SIZE];
    CLEANUP_FD int fd = -1;
    struct dm_number ours;
    size_t count, others;

    verity_path(index, path);
    /* One whose name in /dev is gone is closed all the same. */
    if (device_claim(path, &fd, &claimed) < 0 && claimed.kind == ERR_BUSY) {
        *e = claimed;
        return -1;
    }
    if (dm_find_holders(DEVICE_SYS_BLOCK, index, &ours, 1, &count, &others, e) < 0)
        return -1;
    if (count + others > 1)
        return err_set(e, ERR_BUSY,
                       "/dev/nbd%u is in use: take away the devices on it (lsblk "
                       "/dev/nbd%u)",
                       index, index);
    return 0;
}

int verity_close(unsigned index, struct err *e)
{
    CLEANUP(opening_free)
    struct opening o = {.index = index, .device = -1, .control = -1};
    struct dm_state state;

    if (find_ours(index, &o.control, &state, e) < 0)
        return -1;
    if (o.control < 0)
        return 0;
    verity_name(index, o.name);
    if (check_unused(index, e) < 0 || lock_device(&o, e) < 0)
        return -1;
    return dm_remove(o.control, o.name, REMOVE_MS, e);
}
