/* SPDX-License-Identifier: MIT */
#include "store/boot_file.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define BOOT  "boot"
#define SPARE "boot.spare"
#define FRESH "boot.new" /* the beginning of a first or repaired file */
/* The file may be exchanged while it is read without the lock, and its blocks written over. */
#define READ_TRIES    5
#define READ_PAUSE_NS 20000000

/* What has one of the two names. */
enum boot_entry {
    ENTRY_ABSENT,
    ENTRY_OURS,    /* a regular file, no larger than a record may be */
    ENTRY_FOREIGN, /* anything else: neither read nor replaced */
};

static enum boot_entry look_at_entry(const struct store *store, const char *name)
{
    struct stat st;

    if (store->meta_fd < 0 || fstatat(store->meta_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return store->meta_fd < 0 || errno == ENOENT ? ENTRY_ABSENT : ENTRY_FOREIGN;
    return S_ISREG(st.st_mode) && st.st_size <= BOOT_RECORD_MAX ? ENTRY_OURS : ENTRY_FOREIGN;
}

static int is_foreign_entry(const struct store *store, const char *name, struct err *e)
{
    return err_set(e, ERR_IO,
                   "%s/" STORE_META "/%s is none of ihop's files (no regular file, or larger than "
                   "%d bytes): move it away",
                   store->path, name, BOOT_RECORD_MAX);
}

/* ---- reading ---- */

static int read_record(const struct store *store, const char *name, struct boot_record *record,
                       struct err *e)
{
    CLEANUP_FD int fd = -1;
    char text[BOOT_RECORD_MAX + 1];
    ssize_t n;

    if (look_at_entry(store, name) == ENTRY_FOREIGN)
        return is_foreign_entry(store, name, e);
    fd = store->meta_fd < 0 ? -1 : io_openat(store->meta_fd, name, O_RDONLY, 0);
    if (fd < 0 && (store->meta_fd < 0 || errno == ENOENT))
        return err_set(e, ERR_NOT_FOUND, "%s/" STORE_META "/%s is lost", store->path, name);
    n = fd < 0 ? -1 : io_pread_full(fd, text, sizeof text, 0);
    if (n < 0) {
        err_sys(e, errno, "cannot read %s/" STORE_META "/%s", store->path, name);
        e->kind = ERR_IO; /* whatever it was: this is not known to be damaged */
        return -1;
    }
    if (boot_record_parse(text, (size_t)n, record, e) < 0)
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
        if (why->kind == ERR_NOT_FOUND && look_at_entry(store, SPARE) == ENTRY_ABSENT)
            return BOOT_FILE_NONE;
        pause_for_writer();
    }
    if (why->kind == ERR_NOT_FOUND)
        why->kind = ERR_DAMAGED;
    salvage(store, record, why);
    return BOOT_FILE_DAMAGED;
}

/* ---- writing ---- */

/* Opens the spare, or the fresh file, to write over it. One that is not this user's is made anew,
 * and so is one that has a second name, under which somebody may read it. */
static int open_target(const struct store *store, const char *name, struct err *e)
{
    CLEANUP_FD int fd = -1;
    struct stat st;

    if (look_at_entry(store, name) == ENTRY_FOREIGN)
        return is_foreign_entry(store, name, e);
    fd = io_openat(store->meta_fd, name, O_WRONLY, 0);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink <= 1)
        return steal_fd(&fd);
    if ((fd >= 0 || errno == EACCES || errno == EPERM) && unlinkat(store->meta_fd, name, 0) < 0 &&
        errno != ENOENT)
        return err_sys(e, errno, "cannot replace %s/" STORE_META "/%s", store->path, name);
    if (fd >= 0)
        close(steal_fd(&fd));
    fd = io_openat(store->meta_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0)
        return err_sys(e, errno, "cannot create %s/" STORE_META "/%s", store->path, name);
    return steal_fd(&fd);
}

/* Writes the text, durably; the name of the file is not yet. */
static int write_target(const struct store *store, const char *name,
                        const char text[BOOT_RECORD_SIZE], struct err *e)
{
    CLEANUP_FD int fd = open_target(store, name, e);
    struct stat st;

    if (fd < 0)
        return -1;
    if (io_pwrite_full(fd, text, BOOT_RECORD_SIZE, 0) < 0 || fstat(fd, &st) < 0 ||
        (st.st_size != BOOT_RECORD_SIZE && ftruncate(fd, BOOT_RECORD_SIZE) < 0) ||
        io_fsync(fd) < 0 || io_close(&fd) < 0)
        return err_sys(e, errno, "cannot write %s/" STORE_META "/%s", store->path, name);
    return 0;
}

/* Makes a spare when there is none, for the day on which the disk is full. Best effort. */
static void prepare_spare(const struct store *store, const char text[BOOT_RECORD_SIZE])
{
    struct err ignored = ERR_INIT;

    if (look_at_entry(store, SPARE) == ENTRY_ABSENT &&
        (write_target(store, SPARE, text, &ignored) < 0 ||
         store_sync_directory(store, store->meta_fd, STORE_META, &ignored) < 0))
        ignored.kind = ERR_NONE; /* the record itself is durable */
}

/* The file is whole: the record is written over the spare, which then changes places with it. */
static int exchange_file(const struct store *store, const char text[BOOT_RECORD_SIZE],
                         struct err *e)
{
    int fd = store->meta_fd;
    bool exchanged;

    if (write_target(store, SPARE, text, e) < 0)
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

/* There is no file, or none that is whole. The spare, which may be, is left alone until the file
 * has its name: a power cut in between must not leave two that are not whole. */
static int make_file(const struct store *store, const char text[BOOT_RECORD_SIZE], struct err *e)
{
    int fd = store->meta_fd;

    if (write_target(store, FRESH, text, e) == 0) {
        if (renameat(fd, FRESH, fd, BOOT) == 0)
            return store_sync_directory(store, fd, STORE_META, e);
        err_sys(e, errno, "cannot replace %s/" STORE_META "/" BOOT, store->path);
    }
    if (look_at_entry(store, FRESH) == ENTRY_OURS)
        unlinkat(fd, FRESH, 0);
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
    if (look_at_entry(store, BOOT) == ENTRY_FOREIGN)
        return is_foreign_entry(store, BOOT, e);
    boot_record_format(record, text);
    r = read_record(store, BOOT, &old, &ignored) == 0 ? exchange_file(store, text, e)
                                                      : make_file(store, text, e);
    if (r == 0)
        prepare_spare(store, text);
    return r;
}
