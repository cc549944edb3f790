/* SPDX-License-Identifier: MIT */
#include "store/publish.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "format/release.h"
#include "store/floor.h"
#include "store/foreign.h"
#include "store/lock.h"
#include "store/partial_age.h"
#include "store/pending.h"
#include "store/release_name.h"
#include "store/release_order.h"
#include "store/release_sync.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* The content of a new file, in up to three parts, so that a release gets its number without
 * being copied. */
struct file_content {
    struct {
        const void *data;
        size_t size;
    } parts[3];
};

static struct file_content whole(const uint8_t *data, size_t size)
{
    return (struct file_content){.parts = {{data, size}}};
}

/* Writes a new file, and removes it when that fails. place is that of a release; otherwise NULL. */
static int write_new(const struct store *store, int dirfd, const char *name,
                     const struct file_content *content, const struct release_order_place *place,
                     struct err *e)
{
    CLEANUP_FD int fd = io_openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
    size_t n = sizeof content->parts / sizeof *content->parts;
    int r = 0;

    if (fd < 0)
        return err_sys(e, errno, "cannot create a file below %s/" STORE_META, store->path);
    for (size_t i = 0; i < n && r == 0; i++)
        r = io_write_full(fd, content->parts[i].data, content->parts[i].size);
    if (r == 0 && place && release_order_set_time(fd, place) < 0)
        r = err_sys(e, errno,
                    "cannot set the time of a release below %s/" STORE_META " (utimensat)",
                    store->path);
    else if (r < 0 || (store->sync_files && io_fsync(fd) < 0) || io_close(&fd) < 0)
        r = err_sys(e, errno, "cannot write a release below %s/" STORE_META, store->path);
    if (r < 0)
        unlinkat(dirfd, name, 0);
    return r;
}

/* Whatever has the name must be ours: an exchange would carry anything away. */
static int check_target(const struct store *store, const char *name, bool replace, struct err *e)
{
    enum store_file file;
    const char *what;

    if (store_foreign_check_at(store->root_fd, store->path, "", name, STORE_FOREIGN_REPLACE, e) < 0)
        return -1;
    if (store_file_judge_at(store->root_fd, name, &file, &what) < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "cannot examine %s/%s", store->path, name);
    if (!replace)
        return err_set(e, ERR_OTHER_IMAGE, "%s/%s exists: pass --force to replace it", store->path,
                       name);
    return 0;
}

/* For file systems without the flags of renameat2: keeps the old file's inode in
 * retired/ by a link, then renames over it. The publish lock keeps others from publishing in
 * between. */
static int rename_over(const struct store *store, const char *temporary, const char *name,
                       bool replace, struct err *e)
{
    char kept[IO_RANDOM_NAME_SIZE];

    if (io_random_name(kept) < 0)
        return err_sys(e, errno, "cannot get random bytes");
    if (check_target(store, name, replace, e) < 0)
        return -1;
    if (linkat(store->root_fd, name, store->retired_fd, kept, 0) < 0 && errno != ENOENT)
        return io_is_refused(errno) || errno == EMLINK
                   ? store_pending_replace(store, temporary, name, e)
                   : err_sys(e, errno, "cannot keep the old release %s/%s", store->path, name);
    /* Once more: a file that appeared since the first check would be replaced. */
    if (check_target(store, name, replace, e) < 0)
        return -1;
    if (renameat(store->retired_fd, temporary, store->root_fd, name) < 0)
        return err_sys(e, errno, "cannot publish %s/%s", store->path, name);
    return 0;
}

/* Looks at the file that an exchange has moved to retired/: one that appeared since the check may
 * be the user's, and is moved back. If even that fails it stays in retired/, as the message
 * says; gc leaves it alone there. */
static int check_exchanged(const struct store *store, char *temporary, const char *name,
                           struct err *e)
{
    if (store_foreign_check_at(store->retired_fd, store->path, STORE_META "/retired/", temporary,
                               STORE_FOREIGN_REPLACE, e) == 0)
        return 0;
    if (renameat2(store->retired_fd, temporary, store->root_fd, name, RENAME_EXCHANGE) == 0)
        return err_set(e, ERR_OTHER_IMAGE,
                       "%s/%s was replaced by a file that is no release meanwhile: choose another "
                       "name or move it away",
                       store->path, name);
    err_sys(e, errno,
            "%s/%s was replaced by a file that is no release meanwhile, which is %s/" STORE_META
            "/retired/%s now: move it back",
            store->path, name, store->path, temporary);
    temporary[0] = '\0'; /* not ours to remove */
    return -1;
}

static int put_in_place(const struct store *store, char *temporary, const char *name, bool replace,
                        struct err *e)
{
    for (;;) {
        if (renameat2(store->retired_fd, temporary, store->root_fd, name, RENAME_NOREPLACE) == 0)
            return 0;
        if (io_is_refused(errno))
            return rename_over(store, temporary, name, replace, e);
        if (errno != EEXIST)
            return err_sys(e, errno, "cannot publish %s/%s", store->path, name);
        if (check_target(store, name, replace, e) < 0)
            return -1;
        if (renameat2(store->retired_fd, temporary, store->root_fd, name, RENAME_EXCHANGE) == 0)
            return check_exchanged(store, temporary, name, e);
        if (io_is_refused(errno))
            return rename_over(store, temporary, name, replace, e);
        if (errno != ENOENT) /* the old release was removed in between: once more */
            return err_sys(e, errno, "cannot publish %s/%s", store->path, name);
    }
}

/* Writes the release with its number to retired/temporary. */
static int write_release(const struct store *store, const char *temporary, const uint8_t *data,
                         size_t size, struct err *e)
{
    struct file_content content = whole(data, size);
    struct release_frame frame;
    struct release_order_place place;

    if (release_order_next(store, &place, e) < 0)
        return -1;
    if (release_is_framed(data, size)) {
        if (release_set_number(data, size, place.number, &frame, e) < 0)
            return -1;
        content =
            (struct file_content){.parts = {{frame.head, sizeof frame.head},
                                            {data + RELEASE_PREFIX_SIZE, size - RELEASE_OVERHEAD},
                                            {frame.sum, sizeof frame.sum}}};
    }
    return write_new(store, store->retired_fd, temporary, &content, &place, e);
}

int store_publish(const struct store *store, const char *name, const uint8_t *data, size_t size,
                  bool replace, struct err *e)
{
    CLEANUP_FD int lock = -1;
    char temporary[IO_RANDOM_NAME_SIZE];
    int r;

    if (release_name_check(name, e) < 0 || check_target(store, name, replace, e) < 0 ||
        (lock = store_publish_lock(store, e)) < 0)
        return -1;
    if (store_floor_check_published(store, data, size, e) < 0)
        return -1;
    if (io_random_name(temporary) < 0)
        return err_sys(e, errno, "cannot get random bytes");
    if (write_release(store, temporary, data, size, e) < 0)
        return -1;
    /* Always, even with nothing fetched and where syncfs reports no errors: the
     * chunks may have been committed by a clone that was killed before it got
     * here. This makes the new release file durable, too. */
    r = store_sync_release(store, data, size, e);
    if (r == 0)
        r = put_in_place(store, temporary, name, replace, e);
    if (r < 0) {
        if (temporary[0])
            unlinkat(store->retired_fd, temporary, 0);
        return -1;
    }
    if (store_sync_directory(store, store->root_fd, "", e) < 0)
        return -1;
    return store_sync_directory(store, store->retired_fd, STORE_META "/retired", e);
}

int store_confirm(const struct store *store, struct err *e)
{
    if (store_sync_all(store, e) < 0)
        return -1;
    return store_sync_directory(store, store->root_fd, "", e);
}

int store_partial_write(const struct store *store, const char *name, const uint8_t *data,
                        size_t size, struct err *e)
{
    const struct file_content content = whole(data, size);
    char temporary[IO_RANDOM_NAME_SIZE];

    if (release_name_check(name, e) < 0 ||
        store_foreign_check_at(store->partial_fd, store->path, STORE_META "/partial/", name,
                               STORE_FOREIGN_REPLACE, e) < 0)
        return -1;
    if (io_random_name(temporary) < 0)
        return err_sys(e, errno, "cannot get random bytes");
    /* First in retired/, like a new release: a clean-up removes what a kill leaves there. */
    if (write_new(store, store->retired_fd, temporary, &content, NULL, e) < 0)
        return -1;
    if (renameat(store->retired_fd, temporary, store->partial_fd, name) < 0) {
        err_sys(e, errno, "cannot write %s/" STORE_META "/partial/%s", store->path, name);
        unlinkat(store->retired_fd, temporary, 0);
        return -1;
    }
    (void)partial_age_seconds(store, name, true); /* its age begins here */
    return store->sync_files
               ? store_sync_directory(store, store->partial_fd, STORE_META "/partial", e)
               : 0;
}

void store_partial_remove(const struct store *store, const char *name)
{
    struct err ignored = ERR_INIT;

    if (store_foreign_check_at(store->partial_fd, store->path, STORE_META "/partial/", name,
                               STORE_FOREIGN_REPLACE, &ignored) == 0)
        unlinkat(store->partial_fd, name, 0);
    partial_age_forget(store, name);
}
