/* SPDX-License-Identifier: MIT */
#include "store/gc.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "store/adopt.h"
#include "store/attached.h"
#include "store/chunk_file.h"
#include "store/foreign.h"
#include "store/lock.h"
#include "store/lock_holder.h"
#include "store/partial_age.h"
#include "store/release_load.h"
#include "store/release_name.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define DISK_BLOCK 512 /* what st_blocks counts */

struct gc {
    const struct store *store;
    const struct store_gc_options *o;
    struct store_gc_result *result;
    struct chunk_usage chunk_usage; /* of all that is kept */
};

/* Deals with one entry of a directory. */
typedef int (*visit_fn)(struct gc *gc, int dirfd, const char *name, struct err *e);

/* Calls visit for each entry, until it fails. */
static int visit_directory(struct gc *gc, int dirfd, const char *where, visit_fn visit,
                           struct err *e)
{
    CLEANUP_DIR DIR *dir = io_opendirat(dirfd);
    struct dirent *entry;

    if (!dir)
        return err_sys(e, errno, "cannot list %s/%s", gc->store->path, where);
    while ((entry = io_readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (visit(gc, dirfd, entry->d_name, e) < 0)
            return -1;
    }
    return errno ? err_sys(e, errno, "cannot list %s/%s", gc->store->path, where) : 0;
}

/* visit_directory for a directory below .ihop, which may not be there yet. */
static int visit_meta(struct gc *gc, const char *name, visit_fn visit, struct err *e)
{
    CLEANUP_FD int fd = -1;

    if (gc->store->meta_fd < 0)
        return 0;
    fd = io_openat(gc->store->meta_fd, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_sys(e, errno, "cannot open directory %s/" STORE_META "/%s", gc->store->path,
                       name);
    return visit_directory(gc, fd, STORE_META, visit, e);
}

static int delete (const struct gc *gc, int dirfd, const char *where, const char *name,
                   struct err *e)
{
    if (gc->o->dry_run || unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
        return 0;
    return err_sys(e, errno, "cannot remove %s/%s%s", gc->store->path, where, name);
}

/* ---- what is kept ---- */

static int keep(struct gc *gc, int dirfd, const char *where, const char *name, struct err *e)
{
    CLEANUP(image_free) struct image image = {0};
    struct err why = ERR_INIT;

    if (store_image_load(gc->store, dirfd, where, name, &image, NULL, &why) < 0) {
        if (why.kind == ERR_NOT_FOUND) /* removed since it was listed */
            return 0;
        *e = why;
        if (e->kind == ERR_DAMAGED)
            err_context(e, "nothing was deleted, as the chunks of a damaged release are not known "
                           "(clone it again, or remove it with ihop-store remove)");
        return -1;
    }
    return chunk_usage_add(&gc->chunk_usage, &image.chunks, e);
}

/* Counts the chunks of a release whose name no release may have. If it is damaged and has a name
 * of fsck's, it is a piece that fsck found, which nothing needs. */
static int keep_stray(struct gc *gc, const char *name, int fd, struct err *e)
{
    CLEANUP(image_free) struct image image = {0};
    struct err why = ERR_INIT;

    if (store_image_read(gc->store, "", name, fd, &image, &why) == 0)
        return chunk_usage_add(&gc->chunk_usage, &image.chunks, e);
    if (why.kind == ERR_DAMAGED && release_name_is_fsck(name))
        return 0;
    *e = why;
    return e->kind == ERR_DAMAGED
               ? err_context(e,
                             "nothing was deleted, as a file with a name that ihop does not take "
                             "is a damaged release, whose chunks are not known (move it away)")
               : -1;
}

static bool is_left_out(const struct store_gc_options *o, const char *name)
{
    for (size_t i = 0; i < o->without_count; i++)
        if (strcmp(o->without[i], name) == 0)
            return true;
    return false;
}

/* Looks at a file that is not listed as a release. With the magic of a release it is one all
 * the same, whatever its name: ihop 0.1 takes .v1, and NFS and FUSE rename what is open
 * (.nfs..., .fuse_hidden...). Its chunks stay. */
static int keep_other(struct gc *gc, const char *name, struct err *e)
{
    enum store_file file;
    const char *what;
    CLEANUP_FD int fd = -1;
    struct stat st;

    if (fstatat(gc->store->root_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return 0;
    fd = io_openat(gc->store->root_fd, name, O_RDONLY, 0);
    if (fd < 0 && (errno == ENOENT || errno == ELOOP))
        return 0;
    if (fd < 0 || store_file_judge(fd, &file, &what) < 0)
        return err_sys(e, errno,
                       "nothing was deleted: cannot read %s/%s, which may be a release (let this "
                       "user read it, or move it away)",
                       gc->store->path, name);
    if (file != STORE_FILE_RELEASE)
        return 0;
    return keep_stray(gc, name, fd, e);
}

static int keep_releases(struct gc *gc, struct err *e)
{
    CLEANUP(store_names_free) struct store_names names = {0};
    CLEANUP(store_names_free) struct store_names others = {0};

    if (store_scan(gc->store, &names, &others, e) < 0)
        return -1;
    for (size_t i = 0; i < others.count; i++)
        if (keep_other(gc, others.names[i], e) < 0)
            return -1;
    for (size_t i = 0; i < names.count; i++)
        if (is_left_out(gc->o, names.names[i]))
            gc->result->retired_removed++; /* it will be retired by then */
        else if (keep(gc, gc->store->root_fd, "", names.names[i], e) < 0)
            return -1;
    return 0;
}

/* Whether a file of .ihop is not ours. Its name does not matter there, as we give them all. */
static bool is_foreign(struct gc *gc, int dirfd, const char *name)
{
    enum store_file file;
    const char *what;

    if (store_file_examine(dirfd, name, &file, &what) < 0 || store_file_is_ours(file))
        return false;
    gc->result->foreign_meta++;
    return true;
}

static int keep_served(struct gc *gc, int dirfd, const char *name, int fd, struct err *e)
{
    if (gc->result->retired_kept++ == 0)
        lock_holder_name(fd, gc->result->holder);
    return keep(gc, dirfd, STORE_META "/retired/", name, e);
}

/* Whether a device waits for a server of this release: all that had it locked have died. */
static bool is_attached(const struct gc *gc, int dirfd, const char *name)
{
    CLEANUP(image_free) struct image image = {0};
    struct err ignored = ERR_INIT;

    return store_image_load(gc->store, dirfd, STORE_META "/retired/", name, &image, NULL,
                            &ignored) == 0 &&
           attached_has_image(ATTACHED_SYS_BLOCK, &image);
}

static int keep_attached(struct gc *gc, int dirfd, const char *name, struct err *e)
{
    if (gc->result->retired_kept++ == 0)
        strcpy(gc->result->holder, "a device that waits for a server (ihop-attach --list)");
    return keep(gc, dirfd, STORE_META "/retired/", name, e);
}

/* A server may have opened the file and not locked it yet: it waits for the lock that is held
 * here, and then sees that the file has no name any more. So the file is deleted while the
 * lock is held. */
static int visit_retired(struct gc *gc, int dirfd, const char *name, struct err *e)
{
    CLEANUP_FD int fd = -1;
    enum store_served served;

    if (is_foreign(gc, dirfd, name))
        return 0;
    if (gc->o->dry_run) {
        fd = io_openat(dirfd, name, O_RDONLY, 0);
        served = fd < 0 ? STORE_SERVED_UNKNOWN : store_lock_is_served(dirfd, name, fd);
    } else {
        served = store_lock_unserved(dirfd, name, &fd);
    }
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0) /* it may be served */
        return err_sys(e, errno, "cannot open %s/" STORE_META "/retired/%s", gc->store->path, name);
    if (served == STORE_SERVED_UNKNOWN)
        return store_lock_cannot_tell(gc->store, STORE_META "/retired/", name, errno, e);
    if (served == STORE_NOT_SERVED && is_attached(gc, dirfd, name))
        return keep_attached(gc, dirfd, name, e);
    if (served == STORE_SERVED)
        return keep_served(gc, dirfd, name, fd, e);
    gc->result->retired_removed++;
    return delete (gc, dirfd, STORE_META "/retired/", name, e);
}

/* Whether the image that a partial clone announced was published: then the clone was killed just
 * before it could remove its announcement. */
static bool is_published(const struct gc *gc, const char *name, const struct image *partial)
{
    CLEANUP(image_free) struct image image = {0};
    struct err ignored = ERR_INIT;

    return store_release_load(gc->store, name, &image, NULL, &ignored) == 0 &&
           image_same_source(&image, partial);
}

/* With an age of 0 every partial clone is stale, whatever is known about it. */
static bool is_stale(const struct gc *gc, const char *name)
{
    return gc->o->partial_age_s == 0 ||
           partial_age_seconds(gc->store, name, !gc->o->dry_run) > gc->o->partial_age_s;
}

/* A damaged record was never synced, and chunks are committed only after it was; so it protects
 * nothing. */
static int visit_partial(struct gc *gc, int dirfd, const char *name, struct err *e)
{
    CLEANUP(image_free) struct image image = {0};
    struct err why = ERR_INIT;
    int r;

    if (is_foreign(gc, dirfd, name))
        return 0;
    r = store_image_load(gc->store, dirfd, STORE_META "/partial/", name, &image, NULL, &why);
    if (r < 0 && why.kind == ERR_NOT_FOUND) /* published since it was listed */
        return 0;
    if (r < 0 && why.kind != ERR_DAMAGED) {
        *e = why;
        return -1;
    }
    if (r == 0 && name[0] != '.' && !is_stale(gc, name) && !is_published(gc, name, &image)) {
        gc->result->partials_kept++;
        return chunk_usage_add(&gc->chunk_usage, &image.chunks, e);
    }
    gc->result->partials_removed++;
    if (!gc->o->dry_run)
        partial_age_forget(gc->store, name);
    return delete (gc, dirfd, STORE_META "/partial/", name, e);
}

static int count_kept(struct gc *gc, struct err *e)
{
    /* Releases come first: a damaged one stops the clean-up before anything is deleted. */
    if (keep_releases(gc, e) < 0 || visit_meta(gc, "retired", visit_retired, e) < 0 ||
        visit_meta(gc, "partial", visit_partial, e) < 0)
        return -1;
    if (!gc->o->dry_run)
        partial_age_clean(gc->store);
    return gc->o->also_keep ? chunk_usage_add(&gc->chunk_usage, &gc->o->also_keep->chunks, e) : 0;
}

/* ---- what is not kept ---- */

static int visit_chunk(struct gc *gc, int dirfd, const char *name, struct err *e)
{
    uint8_t hash[CHUNK_HASH_SIZE];
    size_t length = store_chunk_hash(name, hash);
    struct stat st;

    if (length == 0) {
        gc->result->foreign++;
        return 0;
    }
    if (chunk_usage_count(&gc->chunk_usage, hash, length) > 0) {
        gc->result->chunks_kept++;
        return 0;
    }
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "cannot examine chunk %s", name);
    if (!S_ISREG(st.st_mode)) {
        gc->result->foreign++;
        return 0;
    }
    gc->result->chunks_removed++;
    gc->result->bytes_removed += (uint64_t)st.st_blocks * DISK_BLOCK;
    return delete (gc, dirfd, STORE_CHUNKS "/", name, e);
}

static bool is_chunk_directory(const struct gc *gc, const char *name)
{
    return strlen(name) == gc->store->fanout_digits &&
           strspn(name, "0123456789abcdef") == gc->store->fanout_digits;
}

static int visit_chunk_directory(struct gc *gc, int dirfd, const char *name, struct err *e)
{
    CLEANUP_FD int fd = -1;

    if (!is_chunk_directory(gc, name) ||
        ((fd = io_openat(dirfd, name, O_RDONLY | O_DIRECTORY, 0)) < 0 &&
         (errno == ENOTDIR || errno == ELOOP))) {
        gc->result->foreign++; /* another layout, a file, a link: not ours */
        return 0;
    }
    if (fd < 0)
        return err_sys(e, errno, "cannot open directory %s/" STORE_CHUNKS "/%s", gc->store->path,
                       name);
    if (visit_directory(gc, fd, STORE_CHUNKS, visit_chunk, e) < 0)
        return -1;
    if (gc->o->progress)
        gc->o->progress(gc->o->user, gc->result->bytes_removed);
    return 0;
}

static int sweep(struct gc *gc, struct err *e)
{
    if (gc->store->chunks_fd < 0)
        return 0;
    return visit_directory(gc, gc->store->chunks_fd, STORE_CHUNKS, visit_chunk_directory, e);
}

static int run_gc(struct gc *gc, struct err *e)
{
    struct store_adopted adopted = {0};

    /* A name that was exchanged or removed must not come back after a power cut
     * without its chunks. */
    if (!gc->o->dry_run &&
        (store_adopt_staged(gc->store, &adopted, e) < 0 || store_sync_all(gc->store, e) < 0))
        return -1;
    return count_kept(gc, e) < 0 ? -1 : sweep(gc, e);
}

int store_gc_check(const struct store *store, const struct store_gc_options *o, struct err *e)
{
    struct store_gc_options dry = *o;
    struct store_gc_result ignored = {0};
    struct gc gc = {.store = store, .o = &dry, .result = &ignored};
    int r;

    dry.dry_run = true;
    r = count_kept(&gc, e);
    chunk_usage_free(&gc.chunk_usage);
    return r;
}

int store_gc(const struct store *store, const struct store_gc_options *o,
             struct store_gc_result *result, struct err *e)
{
    struct gc gc = {.store = store, .o = o, .result = result};
    int r;

    *result = (struct store_gc_result){0};
    r = run_gc(&gc, e);
    if (r == 0 && o->chunk_usage)
        *o->chunk_usage = gc.chunk_usage;
    else
        chunk_usage_free(&gc.chunk_usage);
    return r;
}
