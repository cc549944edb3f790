/* SPDX-License-Identifier: MIT */
#include "store/staging.h"

#include "base/cleanup.h"
#include "store/chunk_file.h"
#include "store/sparse.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

/* New directories that another writer may take away before one stays. */
#define DIRECTORY_TRIES 100

/* What else a staging directory may have: neither is the name of a chunk. */
#define FAILED_MARK "failed" /* a sync failed here: nothing is adopted */
#define REWRITTEN   "new"    /* an adopted chunk that is being written anew */

/* ---- the directory ---- */

/* Makes and owns a directory; *made is false when another writer has taken it for
 * abandoned between mkdir and flock, to remove it. */
static int try_directory(struct staging *s, bool *made, struct err *e)
{
    const struct store *store = s->store;
    CLEANUP_FD int fd = -1;
    struct stat st;
    bool locked;

    *made = false;
    if (io_random_name(s->name) < 0 || mkdirat(store->staging_fd, s->name, 0755) < 0)
        return err_sys(e, errno, "cannot create a directory in %s/" STORE_META "/staging",
                       store->path);
    fd = io_openat(store->staging_fd, s->name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 && errno == ENOENT)
        return 0;
    locked = fd >= 0 && io_flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (!locked && (fd < 0 || errno != EWOULDBLOCK)) {
        err_sys(e, errno, "cannot lock %s/" STORE_META "/staging/%s (flock)", store->path, s->name);
        unlinkat(store->staging_fd, s->name, AT_REMOVEDIR);
        return -1;
    }
    if (!locked || fstat(fd, &st) < 0 || st.st_nlink == 0) {
        unlinkat(store->staging_fd, s->name, AT_REMOVEDIR);
        return 0;
    }
    s->fd = steal_fd(&fd);
    *made = true;
    return 0;
}

int staging_make(const struct store *store, struct staging *s, struct err *e)
{
    bool made = false;

    *s = (struct staging){.store = store, .fd = -1};
    for (int tries = 0; !made && tries < DIRECTORY_TRIES; tries++)
        if (try_directory(s, &made, e) < 0)
            return -1;
    if (!made)
        return err_set(e, ERR_BUSY,
                       "somebody locks each directory that is made in %s/" STORE_META "/staging: "
                       "let nobody open it but who may write to the store",
                       store->path);
    return 0;
}

int staging_take(const struct store *store, const char *name, struct staging *s, bool *taken,
                 struct err *e)
{
    CLEANUP_FD int fd = io_openat(store->staging_fd, name, O_RDONLY | O_DIRECTORY, 0);

    *taken = false;
    if (fd < 0 || !io_is_random_name(name)) /* gone, or none of ours */
        return 0;
    if (io_flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return 0; /* its owner lives */
        return err_sys(e, errno, "cannot lock %s/" STORE_META "/staging/%s (flock)", store->path,
                       name);
    }
    *s = (struct staging){.store = store, .fd = steal_fd(&fd)};
    snprintf(s->name, sizeof s->name, "%s", name);
    *taken = true;
    return 0;
}

void staging_close(struct staging *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
}

void staging_remove(struct staging *s)
{
    CLEANUP_DIR DIR *dir = s->fd >= 0 ? io_opendirat(s->fd) : NULL;
    struct dirent *entry;

    if (s->fd < 0)
        return;
    while (dir && (entry = io_readdir(dir)))
        if (staging_has(s, entry->d_name))
            unlinkat(s->fd, entry->d_name, 0);
    unlinkat(s->fd, REWRITTEN, 0);
    unlinkat(s->fd, FAILED_MARK, 0); /* last: it counts as long as a chunk is here */
    unlinkat(s->store->staging_fd, s->name, AT_REMOVEDIR);
    staging_close(s);
}

bool staging_has(const struct staging *s, const char *file)
{
    uint8_t hash[CHUNK_HASH_SIZE];
    struct stat st;

    return store_chunk_hash(file, hash) > 0 &&
           fstatat(s->fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

void staging_mark_failed(const struct staging *s)
{
    int fd = io_openat(s->fd, FAILED_MARK, O_WRONLY | O_CREAT, 0644);

    if (fd >= 0)
        close(fd);
}

bool staging_is_marked_failed(const struct staging *s)
{
    struct stat st;

    return fstatat(s->fd, FAILED_MARK, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* ---- its files ---- */

static int sync_staged(const struct staging *s, int fd)
{
    int failure;

    if (io_fsync(fd) == 0)
        return 0;
    failure = errno;
    staging_mark_failed(s);
    errno = failure;
    return -1;
}

static int write_staged(const struct staging *s, const char *file, const uint8_t *data, size_t size,
                        uint64_t *written)
{
    CLEANUP_FD int fd = io_openat(s->fd, file, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd < 0)
        return -1;
    if (data ? store_write_sparse(fd, data, size, written) < 0 : ftruncate(fd, (off_t)size) < 0)
        return -1;
    if (s->store->sync_files) {
        /* Through the descriptor that wrote: it sees every error. */
        if (sync_staged(s, fd) < 0)
            return -1;
    } else if (data) {
        sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* a head start, no promise */
    }
    return io_close(&fd);
}

int staging_write(const struct staging *s, const char *file, const uint8_t *data, size_t size,
                  uint64_t *written, struct err *e)
{
    if (write_staged(s, file, data, size, written) < 0)
        return err_sys(e, errno,
                       "cannot write chunk %s (%zu bytes) below %s/" STORE_META "/staging", file,
                       size, s->store->path);
    return 0;
}

static int write_rewritten(const struct staging *s, const uint8_t *data, size_t size)
{
    CLEANUP_FD int fd = -1;
    uint64_t ignored = 0;

    unlinkat(s->fd, REWRITTEN, 0);
    fd = io_openat(s->fd, REWRITTEN, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0 || store_write_sparse(fd, data, size, &ignored) < 0 || sync_staged(s, fd) < 0)
        return -1;
    return io_close(&fd);
}

int staging_rewrite(const struct staging *s, const char *file, const uint8_t *data, size_t size,
                    struct err *e)
{
    if (write_rewritten(s, data, size) < 0 || renameat(s->fd, REWRITTEN, s->fd, file) < 0)
        return err_sys(e, errno, "cannot write a staged chunk anew below %s/" STORE_META "/staging",
                       s->store->path);
    return 0;
}
