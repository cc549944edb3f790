/* SPDX-License-Identifier: MIT */
#include "store/pending.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "store/foreign.h"
#include "store/lock.h"
#include "store/publish.h"
#include "store/release_name.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PENDING "pending"
#define TRIES   10 /* of opening a name that is just being replaced */

static int open_pending_directory(const struct store *store)
{
    if (store->meta_fd < 0) {
        errno = ENOENT;
        return -1;
    }
    return io_openat(store->meta_fd, PENDING, O_RDONLY | O_DIRECTORY, 0);
}

static bool is_there(int dirfd, const char *name)
{
    struct stat st;

    return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static int sync_pending(const struct store *store, int pending, struct err *e)
{
    return store_sync_directory(store, pending, STORE_META "/" PENDING, e);
}

/* The first rename: from now on readers find the new release if they find no other. */
static int announce(const struct store *store, int pending, const char *temporary, const char *name,
                    struct err *e)
{
    if (renameat(store->retired_fd, temporary, pending, name) < 0)
        return err_sys(e, errno, "cannot publish %s/%s", store->path, name);
    if (sync_pending(store, pending, e) < 0)
        return -1;
    return store_sync_directory(store, store->meta_fd, STORE_META, e);
}

/* The second and third rename. */
static int replace(const struct store *store, int pending, const char *name, const char *kept,
                   struct err *e)
{
    if (renameat(store->root_fd, name, store->retired_fd, kept) < 0 && errno != ENOENT)
        return err_sys(e, errno, "cannot keep the old release %s/%s", store->path, name);
    /* A file that took the name since it was judged may be the user's: the caller moves it back. */
    if (store_foreign_check_at(store->retired_fd, store->path, STORE_META "/retired/", kept,
                               STORE_FOREIGN_REPLACE, e) < 0)
        return -1;
    if (store_sync_directory(store, store->root_fd, "", e) < 0)
        return -1;
    if (renameat(pending, name, store->root_fd, name) < 0)
        return err_sys(e, errno, "cannot publish %s/%s", store->path, name);
    if (store_sync_directory(store, store->root_fd, "", e) < 0)
        return -1;
    return sync_pending(store, pending, e);
}

int store_pending_replace(const struct store *store, const char *temporary, const char *name,
                          struct err *e)
{
    CLEANUP_FD int pending = -1;
    char kept[IO_RANDOM_NAME_SIZE];

    if (io_random_name(kept) < 0)
        return err_sys(e, errno, "cannot get random bytes");
    if (io_mkdirat(store->meta_fd, PENDING) < 0 || (pending = open_pending_directory(store)) < 0)
        return err_sys(e, errno, "cannot open directory %s/" STORE_META "/" PENDING, store->path);
    if (announce(store, pending, temporary, name, e) < 0 ||
        replace(store, pending, name, kept, e) < 0) {
        /* Undoes as much as can be undone; store_pending_finish does the rest. */
        if (!is_there(store->root_fd, name) && is_there(pending, name))
            renameat(store->retired_fd, kept, store->root_fd, name);
        if (is_there(store->root_fd, name))
            renameat(pending, name, store->retired_fd, temporary);
        return -1;
    }
    unlinkat(store->meta_fd, PENDING, AT_REMOVEDIR);
    return 0;
}

/* Gives the release in pending/ its name if no other has it; otherwise retires it. */
static int finish_one(const struct store *store, int pending, const char *name, struct err *e)
{
    char retired[IO_RANDOM_NAME_SIZE];
    bool back = is_there(store->root_fd, name);

    if (io_random_name(retired) < 0)
        return err_sys(e, errno, "cannot get random bytes");
    if (renameat(pending, name, back ? store->retired_fd : store->root_fd, back ? retired : name) <
        0)
        return err_sys(e, errno, "cannot finish the replacement of %s/%s", store->path, name);
    return 0;
}

static int finish_all(const struct store *store, int pending, struct err *e)
{
    CLEANUP_DIR DIR *dir = io_opendirat(pending);
    struct dirent *entry;

    errno = dir ? 0 : errno;
    while (dir && (entry = io_readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            finish_one(store, pending, entry->d_name, e) < 0)
            return -1;
    if (errno)
        return err_sys(e, errno, "cannot list %s/" STORE_META "/" PENDING, store->path);
    if (store_sync_directory(store, store->root_fd, "", e) < 0 ||
        sync_pending(store, pending, e) < 0)
        return -1;
    unlinkat(store->meta_fd, PENDING, AT_REMOVEDIR);
    return 0;
}

int store_pending_finish(const struct store *store, struct err *e)
{
    CLEANUP_FD int lock = -1, pending = -1;

    if (!store_has_pending(store))
        return 0;
    if ((lock = store_publish_lock(store, e)) < 0)
        return -1;
    pending = open_pending_directory(store);
    if (pending < 0 && errno == ENOENT) /* somebody else has finished it */
        return 0;
    if (pending < 0)
        return err_sys(e, errno, "cannot open directory %s/" STORE_META "/" PENDING, store->path);
    return finish_all(store, pending, e);
}

bool store_has_pending(const struct store *store)
{
    return store->meta_fd >= 0 && is_there(store->meta_fd, PENDING);
}

int store_pending_open(const struct store *store, const char *name)
{
    int fd = -1;

    for (int i = 0; i < TRIES; i++) {
        CLEANUP_FD int pending = -1;

        fd = io_openat(store->root_fd, name, O_RDONLY, 0);
        if (fd >= 0 || errno != ENOENT || (pending = open_pending_directory(store)) < 0)
            break;
        fd = io_openat(pending, name, O_RDONLY, 0);
        if (fd >= 0 || errno != ENOENT)
            break;
    }
    return fd;
}

static bool has_name(const struct store_names *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list->names[i], name) == 0)
            return true;
    return false;
}

int store_pending_names(const struct store *store, struct store_names *list, struct err *e)
{
    CLEANUP_FD int pending = open_pending_directory(store);
    CLEANUP_DIR DIR *dir = pending >= 0 ? io_opendirat(pending) : NULL;
    const size_t count = list->count;
    struct dirent *entry;

    while (dir && (entry = io_readdir(dir))) {
        struct err ignored = ERR_INIT;

        if (release_name_check(entry->d_name, &ignored) < 0 || has_name(list, count, entry->d_name))
            continue;
        if (array_grow((void **)&list->names, &list->capacity, list->count, sizeof *list->names,
                       e) < 0)
            return -1;
        list->names[list->count] = strdup(entry->d_name);
        if (!list->names[list->count])
            return err_nomem(e, "listing releases");
        list->count++;
    }
    return 0;
}
