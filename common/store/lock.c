/* SPDX-License-Identifier: MIT */
#include "store/lock.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "store/lock_holder.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define PUBLISH_WAIT_MS 300000
/* Only those who may write the release can make a server wait so long. */
#define SERVER_WAIT_MS 5000
/* Others can make it wait so long, for a flock that it can do without. */
#define SERVER_FLOCK_MS 500
/* Another program that looks may hold the lock for a moment. */
#define LOOK_MS 50

static void pause_briefly(void)
{
    const struct timespec pause = {.tv_nsec = 10000000L};

    nanosleep(&pause, NULL);
}

/* ---- files for locks ---- */

/* The mode of a lock file: those who may write to .ihop may lock; reading is not enough. */
static mode_t lock_mode(const struct stat *directory)
{
    return 0600 | (directory->st_mode & S_IWGRP ? 0060 : 0) |
           (directory->st_mode & S_IWOTH ? 0006 : 0);
}

/* Corrects mode and owner of a lock file. An earlier version made files that are open to all,
 * and root makes files in another user's store. Best effort, as only root and the owner
 * may. A file that has a second name is left alone: the owner of a store may have linked
 * another user's file to this name, and root must not give it away. */
static void put_right(int fd, const struct stat *directory)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
        return;
    if ((st.st_uid != directory->st_uid || st.st_gid != directory->st_gid) &&
        fchown(fd, directory->st_uid, directory->st_gid) < 0)
        errno = 0;
    if ((st.st_mode & 0777) != lock_mode(directory) && fchmod(fd, lock_mode(directory)) < 0)
        errno = 0;
}

int store_lock_open(const struct store *store, const char *name, struct err *e)
{
    struct stat directory;
    int fd;

    if (fstat(store->meta_fd, &directory) < 0)
        return err_sys(e, errno, "cannot examine %s/" STORE_META, store->path);
    fd = io_openat(store->meta_fd, name, O_RDWR | O_CREAT, lock_mode(&directory));
    if (fd < 0)
        return err_sys(e, errno, "cannot open %s/" STORE_META "/%s", store->path, name);
    put_right(fd, &directory);
    return fd;
}

void store_lock_put_right(const struct store *store, const char *name)
{
    CLEANUP_FD int fd = io_openat(store->meta_fd, name, O_RDONLY, 0);
    struct stat directory;

    if (fd >= 0 && fstat(store->meta_fd, &directory) == 0)
        put_right(fd, &directory);
}

int store_lock_take(int fd, int operation, uint64_t limit_ms)
{
    uint64_t end = io_now_ms() + limit_ms;

    for (;;) {
        if (io_flock(fd, operation | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK || io_now_ms() >= end)
            return -1;
        pause_briefly();
        errno = EWOULDBLOCK;
    }
}

int store_publish_lock(const struct store *store, struct err *e)
{
    CLEANUP_FD int fd = store_lock_open(store, "publish", e);
    char holder[LOCK_HOLDER_SIZE];

    if (fd < 0)
        return -1;
    if (store_lock_take(fd, LOCK_EX, PUBLISH_WAIT_MS) == 0)
        return steal_fd(&fd);
    if (errno == EWOULDBLOCK) {
        lock_holder_name(fd, holder);
        return err_set(e, ERR_BUSY, "store %s is in use by another program (%s): try again later",
                       store->path, holder);
    }
    return err_sys(e, errno, "cannot lock %s/" STORE_META "/publish (flock)", store->path);
}

/* ---- record locks of open files ---- */

/* fcntl with a lock on the whole file, however long it gets. */
static int record_lock(int fd, int command, short type, struct flock *l)
{
    int r;

    do {
        *l = (struct flock){.l_type = type, .l_whence = SEEK_SET};
        r = fcntl(fd, command, l);
    } while (r < 0 && errno == EINTR);
    if (r < 0 && errno == EACCES)
        errno = EAGAIN; /* either says that somebody else has the lock */
    return r;
}

/* Whether a server has its record lock. A write lock is that of a clean-up, which is about to
 * let go. */
static enum store_served has_record_lock(int fd)
{
    struct flock l;

    if (record_lock(fd, F_OFD_GETLK, F_WRLCK, &l) < 0)
        return STORE_SERVED_UNKNOWN;
    return l.l_type == F_RDLCK ? STORE_SERVED : STORE_NOT_SERVED;
}

/* Takes a server's record lock; -1 with errno. EAGAIN: somebody who may write the file has locked
 * it. */
static int share_record_lock(int fd)
{
    uint64_t end = io_now_ms() + SERVER_WAIT_MS;
    struct flock l;

    while (record_lock(fd, F_OFD_SETLK, F_RDLCK, &l) < 0) {
        if (errno != EAGAIN || io_now_ms() >= end)
            return -1;
        pause_briefly();
        errno = EAGAIN;
    }
    return 0;
}

/* ---- releases ---- */

int store_lock_release(int fd, const char *what, struct err *e)
{
    int recorded = share_record_lock(fd), why = errno;

    if (recorded < 0 && why == EAGAIN)
        return err_set(e, ERR_BUSY, "release %s is locked by another program: try again later",
                       what);
    if (store_lock_take(fd, LOCK_SH, recorded == 0 ? SERVER_FLOCK_MS : SERVER_WAIT_MS) == 0 ||
        recorded == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return err_set(e, ERR_BUSY, "release %s is locked by another program: try again later",
                       what);
    return err_sys(e, errno,
                   "cannot lock release %s, so a clean-up could delete it while it is served: "
                   "locks do not work on this file system (flock)",
                   what);
}

/* Whether somebody holds a shared flock. If nobody does, fd has the exclusive one, unless a
 * stranger has it: no server can be behind that. */
static enum store_served has_flock(int fd)
{
    if (store_lock_take(fd, LOCK_EX, LOOK_MS) == 0)
        return STORE_NOT_SERVED;
    if (errno != EWOULDBLOCK)
        return STORE_SERVED_UNKNOWN;
    if (io_flock(fd, LOCK_SH | LOCK_NB) == 0)
        return STORE_SERVED;
    return errno == EWOULDBLOCK ? STORE_NOT_SERVED : STORE_SERVED_UNKNOWN;
}

/* Opens the file that is open as fd once more, for writing; -1 when that cannot be done. */
static int reopen(int dirfd, const char *name, int fd)
{
    CLEANUP_FD int writable = io_openat(dirfd, name, O_RDWR, 0);
    struct stat a, b;

    if (writable < 0 || fstat(fd, &a) < 0 || fstat(writable, &b) < 0 || a.st_dev != b.st_dev ||
        a.st_ino != b.st_ino)
        return -1;
    return steal_fd(&writable);
}

enum store_served store_lock_is_served(int dirfd, const char *name, int fd)
{
    CLEANUP_FD int writable = -1;
    enum store_served flocked;

    if (has_record_lock(fd) == STORE_SERVED)
        return STORE_SERVED;
    /* Where there are no record locks, servers have flocks alone. */
    flocked = has_flock(fd);
    if (flocked == STORE_SERVED_UNKNOWN && errno == EBADF) {
        /* NFS has exclusive locks only on what is open for writing. */
        writable = reopen(dirfd, name, fd);
        errno = EBADF;
        return writable < 0 ? STORE_SERVED_UNKNOWN : has_flock(writable);
    }
    flock(fd, LOCK_UN);
    return flocked;
}

enum store_served store_lock_unserved(int dirfd, const char *name, int *fd)
{
    struct flock l;
    enum store_served flocked;

    *fd = io_openat(dirfd, name, O_RDWR, 0);
    if (*fd < 0 && errno != ENOENT && errno != ELOOP)
        *fd = io_openat(dirfd, name, O_RDONLY, 0);
    if (*fd < 0)
        return STORE_SERVED_UNKNOWN;
    /* Held from here on; without the right to write the lock is only looked at, below. */
    if (record_lock(*fd, F_OFD_SETLK, F_WRLCK, &l) < 0 && errno == EAGAIN)
        return STORE_SERVED;
    flocked = has_flock(*fd);
    return flocked == STORE_NOT_SERVED && has_record_lock(*fd) == STORE_SERVED ? STORE_SERVED
                                                                               : flocked;
}

int store_lock_cannot_tell(const struct store *store, const char *where, const char *name,
                           int errnum, struct err *e)
{
    return err_sys(e, errnum,
                   "cannot tell whether release %s/%s%s is served: locks do not work on this file "
                   "system (flock)",
                   store->path, where, name);
}
