/* SPDX-License-Identifier: MIT */
#include "store/boot_file.h"

#include "base/io.h"
#include "store/meta_file.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#define BOOT  "boot"
#define SPARE "boot.spare"
#define FRESH "boot.new" /* the beginning of a first or repaired file */
/* The file may be exchanged while it is read without the lock, and its blocks written over. */
#define READ_TRIES    5
#define READ_PAUSE_NS 20000000

/* ---- reading ---- */

static int read_record(const struct store *store, const char *name, struct boot_record *record,
                       struct err *e)
{
    char text[META_FILE_MAX + 1];
    size_t size;

    if (meta_file_read(store, name, text, &size, e) < 0)
        return -1;
    if (boot_record_parse(text, size, record, e) < 0)
        return err_context(e, "%s/" STORE_META "/%s is damaged", store->path, name);
    return 0;
}

static void pause_for_writer(void)
{
    const struct timespec pause = {.tv_nsec = READ_PAUSE_NS};

    nanosleep(&pause, NULL);
}

/* Takes from the spare what is safe when the file itself is lost. A spare that cannot be read at
 * present may be whole. */
static void salvage(const struct store *store, struct boot_record *record, struct err *why)
{
    struct boot_record spare;
    struct err fault = ERR_INIT;

    if (read_record(store, SPARE, &spare, &fault) < 0) {
        if (fault.kind == ERR_IO)
            *why = fault;
        return;
    }
    *record = spare;
    record->tries = 0;
    record->of[BOOT_BOOTED] = (struct boot_choice){.id = ""};
}

enum boot_file_state boot_file_read(const struct store *store, struct boot_record *record,
                                    struct err *why)
{
    *record = (struct boot_record){.tries = 0};
    for (int i = 0; i < READ_TRIES; i++) {
        if (read_record(store, BOOT, record, why) == 0) {
            why->kind = ERR_NONE;
            return BOOT_FILE_WHOLE;
        }
        if (why->kind != ERR_DAMAGED && why->kind != ERR_NOT_FOUND)
            break;
        /* A store that nobody has chosen from has neither. */
        if (why->kind == ERR_NOT_FOUND && meta_file_look(store, SPARE) == META_ABSENT)
            return BOOT_FILE_NONE;
        pause_for_writer();
    }
    if (why->kind == ERR_NOT_FOUND)
        why->kind = ERR_DAMAGED;
    salvage(store, record, why);
    return BOOT_FILE_DAMAGED;
}

/* ---- writing ---- */

/* Makes a spare when there is none, for the day on which the disk is full. Best effort. */
static void prepare_spare(const struct store *store, const char text[BOOT_RECORD_SIZE])
{
    struct err ignored = ERR_INIT;

    if (meta_file_look(store, SPARE) == META_ABSENT &&
        (meta_file_write(store, SPARE, text, BOOT_RECORD_SIZE, &ignored) < 0 ||
         store_sync_directory(store, store->meta_fd, STORE_META, &ignored) < 0))
        ignored.kind = ERR_NONE; /* the record itself is durable */
}

/* The file is whole: the record is written over the spare, which then changes places with it. */
static int exchange_file(const struct store *store, const char text[BOOT_RECORD_SIZE],
                         struct err *e)
{
    int fd = store->meta_fd;
    bool exchanged;

    if (meta_file_write(store, SPARE, text, BOOT_RECORD_SIZE, e) < 0)
        return -1;
    exchanged = renameat2(fd, SPARE, fd, BOOT, RENAME_EXCHANGE) == 0;
    if (!exchanged && (!io_is_refused(errno) || renameat(fd, SPARE, fd, BOOT) < 0))
        return err_sys(e, errno, "cannot replace %s/" STORE_META "/" BOOT, store->path);
    if (store_sync_directory(store, fd, STORE_META, e) == 0)
        return 0;
    /* Readers should not see what may not be on the disk. */
    if (exchanged && renameat2(fd, SPARE, fd, BOOT, RENAME_EXCHANGE) < 0)
        e->kind = ERR_IO;
    return -1;
}

int boot_file_replace(const struct store *store, const struct boot_record *record, struct err *e)
{
    char text[BOOT_RECORD_SIZE];
    struct boot_record old;
    struct err ignored = ERR_INIT;
    int r;

    if (store->meta_fd < 0)
        return err_set(e, ERR_IO, "%s has no directory " STORE_META, store->path);
    if (meta_file_look(store, BOOT) == META_FOREIGN)
        return meta_file_is_foreign(store, BOOT, e);
    boot_record_format(record, text);
    /* Without a file that is whole, the spare, which may be, is left alone until the file has its
     * name: a power cut in between must not leave two that are not whole. */
    r = read_record(store, BOOT, &old, &ignored) == 0
            ? exchange_file(store, text, e)
            : meta_file_replace(store, FRESH, BOOT, text, BOOT_RECORD_SIZE, e);
    if (r == 0)
        prepare_spare(store, text);
    return r;
}
