/* SPDX-License-Identifier: MIT */
#include "store/release_load.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "format/release.h"
#include "store/foreign.h"
#include "store/lock.h"
#include "store/pending.h"
#include "store/release_name.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPEN_TRIES 1000 /* for a file system that has odd ideas of links and inodes */

static int open_release(const struct store *store, int dirfd, const char *where, const char *name,
                        int *fd, struct err *e)
{
    if (store_foreign_check_at(dirfd, store->path, where, name, STORE_FOREIGN_READ, e) < 0)
        return -1;
    *fd = dirfd == store->root_fd ? store_pending_open(store, name)
                                  : io_openat(dirfd, name, O_RDONLY, 0);
    if (*fd >= 0)
        return 0;
    if (errno == ENOENT) {
        err_set(e, ERR_NOT_FOUND, "store %s has no release %s%s", store->path, where, name);
        e->sys_errno = ENOENT;
        return -1;
    }
    return err_sys(e, errno, "cannot open release %s/%s%s", store->path, where, name);
}

int store_image_read(const struct store *store, const char *where, const char *name, int fd,
                     struct image *image, struct err *e)
{
    CLEANUP_FREE uint8_t *data = NULL;
    size_t size;

    if (io_read_file(fd, LIMIT_RELEASE, "the release", &data, &size, e) < 0 ||
        release_parse(data, size, image, e) < 0)
        return err_context(e, "release %s/%s%s", store->path, where, name);
    return 0;
}

int store_image_load(const struct store *store, int dirfd, const char *where, const char *name,
                     struct image *image, int *fd, struct err *e)
{
    CLEANUP_FD int file = -1;

    if (open_release(store, dirfd, where, name, &file, e) < 0 ||
        store_image_read(store, where, name, file, image, e) < 0)
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
 * have replaced it and a gc deleted the old one: the link count is 0 then. Since some file
 * systems always say 0, the name is looked at, too. */
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

    if (release_name_check(name, e) < 0)
        return -1;
    if (!lock_fd)
        return store_image_load(store, store->root_fd, "", name, image, NULL, e);
    if (open_locked(store, name, &fd, e) < 0 || store_image_read(store, "", name, fd, image, e) < 0)
        return -1;
    *lock_fd = steal_fd(&fd);
    return 0;
}

int store_release_metadata(const struct store *store, const char *name, struct image *image,
                           struct err *e)
{
    CLEANUP_FREE uint8_t *data = NULL;
    CLEANUP_FD int fd = -1;
    size_t size;

    if (release_name_check(name, e) < 0 ||
        open_release(store, store->root_fd, "", name, &fd, e) < 0)
        return -1;
    if (io_read_file(fd, LIMIT_RELEASE, "the release", &data, &size, e) < 0 ||
        release_parse_metadata(data, size, image, e) < 0)
        return err_context(e, "release %s/%s", store->path, name);
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int append_name(struct store_names *list, const char *name, struct err *e)
{
    if (array_grow((void **)&list->names, &list->capacity, list->count, sizeof *list->names, e) < 0)
        return -1;
    list->names[list->count] = strdup(name);
    if (!list->names[list->count])
        return err_nomem(e, "listing releases");
    list->count++;
    return 0;
}

/* Adds a name of STORE to the right list; directories are ignored. A file that this user may not
 * read is among the others, where gc finds it, too. Any other that cannot be examined is an
 * error: if it were taken for no release, gc would free its chunks. */
static int sort_name(const struct store *store, const char *name, struct store_names *releases,
                     struct store_names *others, struct err *e)
{
    struct err ignored = ERR_INIT;
    enum store_file file;
    const char *what;

    if (io_is_directory(store->root_fd, name, AT_SYMLINK_NOFOLLOW))
        return 0;
    if (release_name_check(name, &ignored) < 0)
        return others ? append_name(others, name, e) : 0;
    if (store_file_judge_at(store->root_fd, name, &file, &what) == 0) {
        if (store_file_is_ours(file))
            return append_name(releases, name, e);
    } else if (errno != EACCES && errno != EPERM) {
        return errno == ENOENT ? 0 : err_sys(e, errno, "cannot examine %s/%s", store->path, name);
    }
    return others ? append_name(others, name, e) : 0;
}

static void sort_names(struct store_names *list)
{
    if (list->count > 0) /* names is NULL without any */
        qsort(list->names, list->count, sizeof *list->names, compare_names);
}

int store_scan(const struct store *store, struct store_names *releases, struct store_names *others,
               struct err *e)
{
    CLEANUP_DIR DIR *dir = io_opendirat(store->root_fd);
    struct dirent *entry;

    if (!dir)
        return err_sys(e, errno, "cannot list store %s", store->path);
    while ((entry = io_readdir(dir)))
        if (sort_name(store, entry->d_name, releases, others, e) < 0)
            return -1;
    if (errno)
        return err_sys(e, errno, "cannot list store %s", store->path);
    if (store_pending_names(store, releases, e) < 0)
        return -1;
    sort_names(releases);
    if (others)
        sort_names(others);
    return 0;
}

int store_release_names(const struct store *store, struct store_names *list, struct err *e)
{
    return store_scan(store, list, NULL, e);
}

/* Writes "a, b, c and 3 more". */
static const char *list_names(const struct store_names *list, char text[STORE_NAMES_TEXT])
{
    size_t used = 0, i;

    text[0] = '\0';
    for (i = 0; i < list->count && i < STORE_NAMES_TOLD; i++)
        used += (size_t)snprintf(text + used, STORE_NAMES_TEXT - used, "%s%.*s", i > 0 ? ", " : "",
                                 STORE_NAME_TOLD, list->names[i]);
    if (i < list->count)
        snprintf(text + used, STORE_NAMES_TEXT - used, " and %zu more", list->count - i);
    return text;
}

static size_t count_unreadable(const struct store *store, const struct store_names *others)
{
    size_t count = 0;

    for (size_t i = 0; i < others->count; i++)
        count += faccessat(store->root_fd, others->names[i], R_OK, AT_EACCESS) < 0 &&
                 (errno == EACCES || errno == EPERM);
    return count;
}

const char *store_others_tell(const struct store *store, const struct store_names *others,
                              char text[STORE_OTHERS_TEXT])
{
    size_t unreadable = count_unreadable(store, others);
    char names[STORE_NAMES_TEXT], more[64] = "";

    if (unreadable > 0)
        snprintf(more, sizeof more, " (%zu cannot be read)", unreadable);
    snprintf(text, STORE_OTHERS_TEXT, "%.400s: %zu %s and %s left alone%s: %s", store->path,
             others->count, others->count == 1 ? "file is no release" : "files are no releases",
             others->count == 1 ? "was" : "were", more, list_names(others, names));
    return text;
}

int store_release_missing(const struct store *store, const char *name, struct err *e)
{
    CLEANUP(store_names_free) struct store_names names = {0};
    struct err ignored = ERR_INIT;
    char text[STORE_NAMES_TEXT];

    if (store_release_names(store, &names, &ignored) < 0 || names.count == 0)
        return err_set(e, ERR_NOT_FOUND, "store %s has no release %s", store->path, name);
    return err_set(e, ERR_NOT_FOUND, "store %s has no release %s; it has %s", store->path, name,
                   list_names(&names, text));
}

int store_release_find(const struct store *store, const char *name, struct image *image,
                       int *lock_fd, struct err *e)
{
    if (store_release_load(store, name, image, lock_fd, e) == 0)
        return 0;
    return e->sys_errno == ENOENT ? store_release_missing(store, name, e) : -1;
}

void store_names_free(struct store_names *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct store_names){0};
}
