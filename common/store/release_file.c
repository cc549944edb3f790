/* SPDX-License-Identifier: MIT */
#include "store/release_file.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "format/release.h"
#include "store/internal.h"
#include "store/lock.h"
#include "store/name.h"
#include "store/pending.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define OPEN_TRIES 1000 /* for a file system that has odd ideas of links and inodes */

static int open_release(const struct store *store, int dirfd, const char *where, const char *name,
                        int *fd, struct err *e)
{
    *fd = dirfd == store->root_fd ? store_pending_open(store, name)
                                  : io_openat(dirfd, name, O_RDONLY, 0);
    if (*fd >= 0)
        return 0;
    if (errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "store %s has no release %s%s", store->path, where, name);
    if (errno == ELOOP)
        return err_set(e, ERR_DAMAGED, "%s/%s%s is a link, not a release", store->path, where,
                       name);
    return err_sys(e, errno, "cannot open release %s/%s%s", store->path, where, name);
}

static int read_release(const struct store *store, const char *where, const char *name, int fd,
                        struct image *image, struct err *e)
{
    CLEANUP_FREE uint8_t *data = NULL;
    size_t size;

    if (io_read_file(fd, RELEASE_MAX_SIZE, "the release", &data, &size, e) < 0 ||
        release_parse(data, size, image, e) < 0)
        return err_context(e, "release %s/%s%s", store->path, where, name);
    return 0;
}

int store_image_load(const struct store *store, int dirfd, const char *where, const char *name,
                     struct image *image, int *fd, struct err *e)
{
    CLEANUP_FD int file = -1;

    if (open_release(store, dirfd, where, name, &file, e) < 0 ||
        read_release(store, where, name, file, image, e) < 0)
        return -1;
    if (fd)
        *fd = steal_fd(&file);
    return 0;
}

/* Whether the name still leads to the file of st. */
static bool is_named(const struct store *store, const char *name, const struct stat *st)
{
    struct stat named;

    return fstatat(store->root_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           named.st_dev == st->st_dev && named.st_ino == st->st_ino;
}

/* Opens the release with a server's lock on it. Between open and lock a clone may
 * have replaced it and a gc dropped the old one: its link count tells, but where the
 * file system always says 0. */
static int open_locked(const struct store *store, const char *name, int *fd, struct err *e)
{
    CLEANUP_FREE char *what = NULL;
    struct stat st;

    if (asprintf(&what, "%s/%s", store->path, name) < 0) {
        what = NULL;
        return err_nomem(e, "opening a release");
    }
    for (int tries = 0;; tries++) {
        CLEANUP_FD int candidate = -1;

        if (open_release(store, store->root_fd, "", name, &candidate, e) < 0 ||
            store_lock_release(candidate, what, e) < 0)
            return -1;
        if (fstat(candidate, &st) < 0)
            return err_sys(e, errno, "cannot examine release %s", what);
        if (st.st_nlink == 0 && !is_named(store, name, &st) && tries < OPEN_TRIES)
            continue;
        *fd = steal_fd(&candidate);
        return 0;
    }
}

int store_release_load(const struct store *store, const char *name, struct image *image,
                       int *lock_fd, struct err *e)
{
    CLEANUP_FD int fd = -1;

    if (store_name_check(name, e) < 0)
        return -1;
    if (!lock_fd)
        return store_image_load(store, store->root_fd, "", name, image, NULL, e);
    if (open_locked(store, name, &fd, e) < 0 || read_release(store, "", name, fd, image, e) < 0)
        return -1;
    *lock_fd = steal_fd(&fd);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* 1, 0, or -1: one that is taken for none would lose its chunks to gc. */
static int may_be_release(const struct store *store, const char *name, struct err *e)
{
    struct err ignored = ERR_INIT;
    struct stat st;

    if (store_name_check(name, &ignored) < 0)
        return 0;
    if (fstatat(store->root_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return S_ISREG(st.st_mode);
    return errno == ENOENT ? 0 : err_sys(e, errno, "cannot examine %s/%s", store->path, name);
}

int store_release_names(const struct store *store, struct store_names *list, struct err *e)
{
    CLEANUP_DIR DIR *dir = io_opendirat(store->root_fd);
    struct dirent *entry;

    if (!dir)
        return err_sys(e, errno, "cannot list store %s", store->path);
    while ((entry = io_readdir(dir))) {
        int r = may_be_release(store, entry->d_name, e);

        if (r < 0)
            return -1;
        if (r == 0)
            continue;
        if (array_grow((void **)&list->names, &list->room, list->count, sizeof *list->names, e) < 0)
            return -1;
        list->names[list->count] = strdup(entry->d_name);
        if (!list->names[list->count])
            return err_nomem(e, "listing releases");
        list->count++;
    }
    if (errno)
        return err_sys(e, errno, "cannot list store %s", store->path);
    if (store_pending_names(store, list, e) < 0)
        return -1;
    if (list->count > 0) /* names is NULL without any */
        qsort(list->names, list->count, sizeof *list->names, compare_names);
    return 0;
}

void store_names_free(struct store_names *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct store_names){0};
}
