/* SPDX-License-Identifier: MIT */
#include "store/release_list.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "store/boot_selection.h"
#include "store/floor.h"
#include "store/foreign.h"
#include "store/lock.h"
#include "store/lock_holder.h"
#include "store/pending.h"
#include "store/release_load.h"
#include "store/release_name.h"
#include "store/release_order.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define PROTECTED "protected"

static bool is_protected(const struct store *store, const char *name)
{
    char path[sizeof PROTECTED + NAME_MAX + 1];
    struct stat st;

    snprintf(path, sizeof path, PROTECTED "/%s", name);
    return store->meta_fd >= 0 && fstatat(store->meta_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Fills *r, unless the release is gone since it was listed: *there. */
static int describe_release(const struct store *store, const char *name, struct store_release *r,
                            bool *there, struct err *e)
{
    CLEANUP_FD int fd = store_pending_open(store, name);
    struct stat st;

    *there = fd >= 0 || errno != ENOENT;
    if (!*there)
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, errno, "cannot examine release %s/%s", store->path, name);
    *r = (struct store_release){.name = strdup(name),
                                .published = st.st_mtim,
                                .number = release_order_number(fd),
                                .is_protected = is_protected(store, name)};
    r->served = store_lock_is_served(store->root_fd, name, fd);
    r->served_errno = r->served == STORE_SERVED_UNKNOWN ? errno : 0;
    return r->name ? 0 : err_nomem(e, "listing releases");
}

int store_release_list_read(const struct store *store, struct store_release_list *list,
                            struct err *e)
{
    CLEANUP(store_names_free) struct store_names names = {0};

    if (boot_selection_read(store, &list->boot, &list->boot_fault) == 0)
        list->boot_fault.kind = ERR_NONE;
    if (store_release_names(store, &names, e) < 0)
        return -1;
    for (size_t i = 0; i < names.count; i++) {
        bool there;

        if (array_grow((void **)&list->items, &list->capacity, list->count, sizeof *list->items,
                       e) < 0)
            return -1;
        if (describe_release(store, names.names[i], &list->items[list->count], &there, e) < 0)
            return -1;
        if (there)
            list->items[list->count].boots = boot_role_that_keeps(&list->boot, names.names[i]);
        list->count += there;
    }
    release_order_sort(list);
    return 0;
}

void store_release_list_free(struct store_release_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i].name);
    free(list->items);
    *list = (struct store_release_list){0};
}

int store_releases_check_served(const struct store *store, const struct store_release_list *list,
                                struct err *e)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].served == STORE_SERVED_UNKNOWN)
            return store_lock_cannot_tell(store, "", list->items[i].name,
                                          list->items[i].served_errno, e);
    return 0;
}

int store_releases_check_known(const struct store *store, const struct store_release_list *list,
                               struct err *e)
{
    if (store_releases_check_served(store, list, e) < 0)
        return -1;
    if (list->boot_fault.kind == ERR_NONE)
        return 0;
    *e = list->boot_fault;
    return err_context(e,
                       "no release of %s is removed, as it is not known which ones boot (choose "
                       "again with ihop-store default)",
                       store->path);
}

/* Opens the release of this name, whole or damaged: a damaged one may be removed, too. */
static int open_named(const struct store *store, const char *name, struct err *e)
{
    CLEANUP_FD int fd = -1;

    if (release_name_check(name, e) < 0 ||
        store_foreign_check_at(store->root_fd, store->path, "", name, STORE_FOREIGN_READ, e) < 0)
        return -1;
    fd = io_openat(store->root_fd, name, O_RDONLY, 0);
    if (fd < 0 && errno == ENOENT)
        return store_release_missing(store, name, e);
    if (fd < 0)
        return err_sys(e, errno, "cannot open release %s/%s", store->path, name);
    return steal_fd(&fd);
}

static int check_unserved(const struct store *store, const char *name, int fd, struct err *e)
{
    char holder[LOCK_HOLDER_SIZE];
    enum store_served served = store_lock_is_served(store->root_fd, name, fd);

    if (served == STORE_SERVED_UNKNOWN)
        return store_lock_cannot_tell(store, "", name, errno, e);
    if (served == STORE_NOT_SERVED)
        return 0;
    lock_holder_name(fd, holder);
    return err_set(e, ERR_BUSY,
                   "release %s/%s is being served: stop its server (%s), or pass --force (the "
                   "server then goes on, and gc keeps the chunks until it ends)",
                   store->path, name, holder);
}

/* Looks at the file that was moved to retired/: one that took the name since the release was
 * opened as fd may be the user's, and is moved back. */
static int check_moved(const struct store *store, const char *name, const char *retired, int fd,
                       struct err *e)
{
    struct stat opened, moved;

    if (fstat(fd, &opened) < 0 ||
        fstatat(store->retired_fd, retired, &moved, AT_SYMLINK_NOFOLLOW) < 0 ||
        (opened.st_ino == moved.st_ino && opened.st_dev == moved.st_dev) ||
        store_foreign_check_at(store->retired_fd, store->path, STORE_META "/retired/", retired,
                               STORE_FOREIGN_READ, e) == 0)
        return 0;
    if (renameat2(store->retired_fd, retired, store->root_fd, name, RENAME_NOREPLACE) < 0)
        return err_sys(e, errno,
                       "%s/%s was replaced by a file that is no release meanwhile, which is "
                       "%s/" STORE_META "/retired/%s now: move it back",
                       store->path, name, store->path, retired);
    return err_set(e, ERR_NOT_FOUND, "%s/%s was replaced by a file that is no release meanwhile",
                   store->path, name);
}

int store_release_remove(const struct store *store, const char *name, bool force, struct err *e)
{
    CLEANUP_FD int lock = -1;
    CLEANUP_FD int fd = open_named(store, name, e);
    char retired[IO_RANDOM_NAME_SIZE];

    if (fd < 0)
        return -1;
    if (is_protected(store, name))
        return err_set(e, ERR_REFUSED,
                       "release %s/%s is protected: unprotect it first (ihop-store unprotect)",
                       store->path, name);
    /* The lock keeps others from choosing it for booting just now. */
    if ((lock = store_publish_lock(store, e)) < 0 || boot_check_removable(store, name, e) < 0 ||
        store_floor_keep(store, e) < 0)
        return -1;
    if (!force && check_unserved(store, name, fd, e) < 0)
        return -1;
    if (io_random_name(retired) < 0)
        return err_sys(e, errno, "cannot get random bytes");
    if (renameat(store->root_fd, name, store->retired_fd, retired) < 0)
        return err_sys(e, errno, "cannot remove release %s/%s", store->path, name);
    if (check_moved(store, name, retired, fd, e) < 0)
        return -1;
    if (store_sync_directory(store, store->root_fd, "", e) < 0)
        return -1;
    return store_sync_directory(store, store->retired_fd, STORE_META "/retired", e);
}

/* Removes a protection, which is an empty file; any other file is not ours. */
static int unprotect(const struct store *store, int dir, const char *name, struct err *e)
{
    struct stat st;

    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
        return 0;
    if (!S_ISREG(st.st_mode) || st.st_size > 0)
        return err_set(e, ERR_IO,
                       "%s/" STORE_META "/" PROTECTED "/%s is none of ihop's files: move it away",
                       store->path, name);
    if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
        return err_sys(e, errno, "cannot unprotect release %s/%s", store->path, name);
    return 0;
}

static int set_protection(const struct store *store, int dir, const char *name, bool on,
                          struct err *e)
{
    CLEANUP_FD int fd = -1;

    if (!on && unprotect(store, dir, name, e) < 0)
        return -1;
    if (on && (fd = io_openat(dir, name, O_RDONLY | O_CREAT, 0644)) < 0)
        return err_sys(e, errno, "cannot protect release %s/%s", store->path, name);
    return store_sync_directory(store, dir, STORE_META "/" PROTECTED, e);
}

int store_release_protect(const struct store *store, const char *name, bool on, struct err *e)
{
    CLEANUP_FD int dir = -1, release = -1;

    if (release_name_check(name, e) < 0)
        return -1;
    /* A protection may outlive its release, and can be ended then, too. */
    if (on && (release = open_named(store, name, e)) < 0)
        return -1;
    if (io_mkdirat(store->meta_fd, PROTECTED) < 0 ||
        (dir = io_openat(store->meta_fd, PROTECTED, O_RDONLY | O_DIRECTORY, 0)) < 0)
        return err_sys(e, errno, "cannot open directory %s/" STORE_META "/" PROTECTED, store->path);
    return set_protection(store, dir, name, on, e) < 0
               ? -1
               : store_sync_directory(store, store->meta_fd, STORE_META, e);
}
