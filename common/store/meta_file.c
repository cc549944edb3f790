/* SPDX-License-Identifier: MIT */
#include "store/meta_file.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum meta_entry meta_file_look(const struct store *store, const char *name)
{
    struct stat st;

    if (store->meta_fd < 0 || fstatat(store->meta_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return store->meta_fd < 0 || errno == ENOENT ? META_ABSENT : META_FOREIGN;
    return S_ISREG(st.st_mode) && st.st_size <= META_FILE_MAX ? META_OURS : META_FOREIGN;
}

int meta_file_is_foreign(const struct store *store, const char *name, struct err *e)
{
    return err_set(e, ERR_IO,
                   "%s/" STORE_META "/%s is none of ihop's files (no regular file, or larger than "
                   "%d bytes): move it away",
                   store->path, name, META_FILE_MAX);
}

int meta_file_read(const struct store *store, const char *name, char text[META_FILE_MAX + 1],
                   size_t *size, struct err *e)
{
    CLEANUP_FD int fd = -1;
    ssize_t n;

    if (meta_file_look(store, name) == META_FOREIGN)
        return meta_file_is_foreign(store, name, e);
    fd = store->meta_fd < 0 ? -1 : io_openat(store->meta_fd, name, O_RDONLY, 0);
    if (fd < 0 && (store->meta_fd < 0 || errno == ENOENT))
        return err_set(e, ERR_NOT_FOUND, "%s/" STORE_META "/%s is lost", store->path, name);
    n = fd < 0 ? -1 : io_pread_full(fd, text, META_FILE_MAX + 1, 0);
    if (n < 0) {
        err_sys(e, errno, "cannot read %s/" STORE_META "/%s", store->path, name);
        e->kind = ERR_IO; /* whatever it was: this is not known to be damaged */
        return -1;
    }
    *size = (size_t)n;
    return 0;
}

/* Opens a file to write over it. One that is not this user's is made anew, and so is one that has a
 * second name, under which somebody may read it. */
static int open_target(const struct store *store, const char *name, struct err *e)
{
    CLEANUP_FD int fd = -1;
    struct stat st;

    if (meta_file_look(store, name) == META_FOREIGN)
        return meta_file_is_foreign(store, name, e);
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

int meta_file_write(const struct store *store, const char *name, const char *text, size_t size,
                    struct err *e)
{
    CLEANUP_FD int fd = open_target(store, name, e);
    struct stat st;

    if (fd < 0)
        return -1;
    if (io_pwrite_full(fd, text, size, 0) < 0 || fstat(fd, &st) < 0 ||
        (st.st_size != (off_t)size && ftruncate(fd, (off_t)size) < 0) || io_fsync(fd) < 0 ||
        io_close(&fd) < 0)
        return err_sys(e, errno, "cannot write %s/" STORE_META "/%s", store->path, name);
    return 0;
}

int meta_file_replace(const struct store *store, const char *fresh, const char *name,
                      const char *text, size_t size, struct err *e)
{
    int fd = store->meta_fd;

    if (meta_file_write(store, fresh, text, size, e) == 0) {
        if (renameat(fd, fresh, fd, name) == 0)
            return store_sync_directory(store, fd, STORE_META, e);
        err_sys(e, errno, "cannot replace %s/" STORE_META "/%s", store->path, name);
    }
    if (meta_file_look(store, fresh) == META_OURS)
        unlinkat(fd, fresh, 0);
    return -1;
}
