/* SPDX-License-Identifier: MIT */
#include "store/store_private.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "store/format_file.h"
#include "store/layout.h"
#include "store/lock.h"
#include "store/lock_holder.h"
#include "store/pending.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define FORMAT_NAME "format"

/* Directories are named by their path below STORE, for messages; system calls take the last
 * part of it. */
static const char *last_part(const char *name)
{
    const char *slash = strrchr(name, '/');

    return slash ? slash + 1 : name;
}

/* Fails because what ("open", "create") failed with errno. */
static int no_directory(const char *what, const char *store_path, const char *name, struct err *e)
{
    if (errno == ELOOP || errno == ENOTDIR)
        return err_set(e, ERR_IO,
                       "%s/%s is not a directory of its own (a link or a file): move it away",
                       store_path, name);
    return err_sys(e, errno, "cannot %s directory %s/%s", what, store_path, name);
}

static int open_directory(const char *store_path, int dirfd, const char *name, int *fd,
                          struct err *e)
{
    *fd = io_openat(dirfd, last_part(name), O_RDONLY | O_DIRECTORY, 0);
    return *fd < 0 ? no_directory("open", store_path, name, e) : 0;
}

static int make_directory(const char *store_path, int dirfd, const char *name, int *fd,
                          struct err *e)
{
    if (io_mkdirat(dirfd, last_part(name)) < 0)
        return no_directory("create", store_path, name, e);
    return open_directory(store_path, dirfd, name, fd, e);
}

/* Makes STORE, unless it is there. */
static int create_root(const struct store *s, bool *created, struct err *e)
{
    *created = mkdir(s->path, 0755) == 0;
    if (*created || errno == EEXIST)
        return 0;
    if (errno == ENOENT)
        return err_set(e, ERR_IO, "cannot create store %s: its parent directory does not exist",
                       s->path);
    return err_sys(e, errno, "cannot create store %s", s->path);
}

/* STORE itself may be a link, because the user has named it. */
static int open_root(struct store *s, const struct store_options *o, struct err *e)
{
    bool created = false;

    if (o->create && o->access == STORE_WRITE && create_root(s, &created, e) < 0)
        return -1;
    do
        s->root_fd = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    while (s->root_fd < 0 && errno == EINTR);
    if (s->root_fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "store %s does not exist", s->path);
    if (s->root_fd < 0)
        return err_sys(e, errno, "cannot open store %s", s->path);
    store_sync_choose(s, o->sync);
    return created ? store_sync_parent(s, e) : 0;
}

/* Reads .ihop/format: *digits stays 0 when there is none. */
static int read_format(const struct store *s, unsigned *digits, struct err *e)
{
    CLEANUP_FD int fd = -1;
    char text[STORE_FORMAT_SIZE];
    ssize_t n;

    if (s->meta_fd < 0)
        return 0;
    fd = io_openat(s->meta_fd, FORMAT_NAME, O_RDONLY, 0);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_sys(e, errno, "cannot open %s/" STORE_META "/" FORMAT_NAME, s->path);
    n = io_pread_full(fd, text, sizeof text, 0);
    if (n < 0)
        return err_sys(e, errno, "cannot read %s/" STORE_META "/" FORMAT_NAME, s->path);
    *digits = store_format_parse(text, (size_t)n);
    if (*digits == 0)
        return err_set(e, ERR_DAMAGED,
                       "%s/" STORE_META "/" FORMAT_NAME " is of an unknown format: "
                       "use the version of ihop that made this store",
                       s->path);
    return 0;
}

/* The format is durable before chunks/ exists: a directory chunks/ without a format is what
 * ihop 0.1 makes, so a power cut between the two must not leave that. */
static int write_format(struct store *s, unsigned digits, struct err *e)
{
    CLEANUP_FD int fd = -1;
    char text[STORE_FORMAT_SIZE];
    size_t size = store_format_text(digits, text);

    fd = io_openat(s->meta_fd, STORE_FORMAT_TEMPORARY, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || io_write_full(fd, text, size) < 0 || io_fsync(fd) < 0 || io_close(&fd) < 0 ||
        renameat(s->meta_fd, STORE_FORMAT_TEMPORARY, s->meta_fd, FORMAT_NAME) < 0 ||
        io_fsync(s->meta_fd) < 0 || io_fsync(s->root_fd) < 0)
        return err_sys(e, errno, "cannot write %s/" STORE_META "/" FORMAT_NAME, s->path);
    s->fanout_digits = digits;
    return 0;
}

static bool has_chunks_directory(const struct store *s)
{
    struct stat st;

    return fstatat(s->root_fd, STORE_CHUNKS, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Opens .ihop; meta_fd stays -1 when there is none. */
static int open_meta(struct store *s, struct err *e)
{
    if (s->meta_fd >= 0)
        close(s->meta_fd);
    s->meta_fd = io_openat(s->root_fd, STORE_META, O_RDONLY | O_DIRECTORY, 0);
    if (s->meta_fd < 0 && errno != ENOENT)
        return open_directory(s->path, s->root_fd, STORE_META, &s->meta_fd, e);
    return 0;
}

static int find_layout(struct store *s, struct err *e)
{
    bool original;

    s->fanout_digits = 0;
    if (read_format(s, &s->fanout_digits, e) < 0)
        return -1;
    if (s->fanout_digits != 0)
        return 0;
    if (store_layout_is_original(s->root_fd, &original) < 0)
        return err_sys(e, errno, "cannot examine store %s", s->path);
    if (!original)
        return 0;
    /* A first clone may have made chunks/ since the format was looked for; then it made the
     * format before. */
    if (s->meta_fd < 0 && open_meta(s, e) < 0)
        return -1;
    if (read_format(s, &s->fanout_digits, e) < 0)
        return -1;
    if (s->fanout_digits == 0)
        s->fanout_digits = 4;
    return 0;
}

/* Whether this directory lies in the .ihop of a store, which may remove what it finds there. */
static bool is_inside_meta(const struct store *s)
{
    struct stat st;

    return fstatat(s->root_fd, "../lock", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           fstatat(s->root_fd, "../retired", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Fails unless a layout may be made in this directory, which has none: a clone makes one in an
 * empty directory; nobody else makes any, and nowhere else. */
static int check_vacant(struct store *s, bool create, struct err *e)
{
    bool vacant;

    if (!create)
        return err_set(e, ERR_NOT_FOUND, "%s is no store (ihop-clone makes one)", s->path);
    if (store_layout_is_vacant(s->root_fd, &vacant) < 0)
        return err_sys(e, errno, "cannot examine directory %s", s->path);
    if (vacant)
        return 0;
    /* What lies here may come from another first clone; then that made the format before. */
    if (open_meta(s, e) < 0 || find_layout(s, e) < 0)
        return -1;
    if (s->fanout_digits != 0)
        return 0;
    return err_set(e, ERR_IO,
                   "%s is no store, and not empty: name a directory that is missing or empty, for "
                   "example %s%sihop",
                   s->path, s->path, s->path[strlen(s->path) - 1] == '/' ? "" : "/");
}

/* Finds the layout, or that there is none and that one may be made here. */
static int check_place(struct store *s, const struct store_options *o, struct err *e)
{
    if (o->create && is_inside_meta(s))
        return err_set(e, ERR_IO, "%s belongs to a store: name the store's own directory", s->path);
    if (open_meta(s, e) < 0 || find_layout(s, e) < 0)
        return -1;
    return s->fanout_digits == 0 ? check_vacant(s, o->create, e) : 0;
}

/* Takes the lock on lock_fd, shared or exclusive as operation says; waits for it. */
static int take_lock(const struct store *s, int operation, unsigned wait_seconds, struct err *e)
{
    char holder[LOCK_HOLDER_SIZE];

    if (store_lock_take(s->lock_fd, operation, (uint64_t)wait_seconds * 1000) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return err_sys(e, errno,
                       "cannot lock %s/" STORE_META "/lock: locks do not work here (flock)",
                       s->path);
    lock_holder_name(s->lock_fd, holder);
    return err_set(e, ERR_BUSY,
                   "store %s is in use by another program (%s, %s): try again later or "
                   "pass --wait SECONDS",
                   s->path, operation == LOCK_SH ? "a clean-up" : "a clone or a clean-up", holder);
}

int store_relock(struct store *store, bool exclusive, unsigned wait_seconds, struct err *e)
{
    return take_lock(store, exclusive ? LOCK_EX : LOCK_SH, wait_seconds, e);
}

int store_hold(struct store *store, unsigned wait_seconds, bool *held, struct err *e)
{
    struct err why = ERR_INIT;

    *held = true;
    store->lock_fd = store->meta_fd < 0 ? -1 : io_openat(store->meta_fd, "lock", O_RDONLY, 0);
    if (store->lock_fd < 0 && (store->meta_fd < 0 || errno == ENOENT))
        return 0;
    if (store->lock_fd < 0 && errno != EACCES)
        return err_sys(e, errno, "cannot open %s/" STORE_META "/lock", store->path);
    *held = store->lock_fd >= 0 && take_lock(store, LOCK_SH, wait_seconds, &why) == 0;
    if (why.kind != ERR_BUSY)
        return 0;
    *e = why;
    return -1;
}

/* The first writer decides on the layout, alone. */
static int decide_layout(struct store *s, const struct store_options *o, struct err *e)
{
    CLEANUP_FD int lock = -1;

    if (find_layout(s, e) < 0)
        return -1;
    if (s->fanout_digits != 0)
        return 0;
    lock = store_publish_lock(s, e);
    if (lock < 0 || find_layout(s, e) < 0)
        return -1;
    return s->fanout_digits == 0 ? write_format(s, o->four_digits ? 4 : 2, e) : 0;
}

static int check_same_device(const struct store *s, struct err *e)
{
    struct stat root, chunks, meta;

    if (fstat(s->root_fd, &root) < 0 || fstat(s->chunks_fd, &chunks) < 0 ||
        fstat(s->meta_fd, &meta) < 0)
        return err_sys(e, errno, "cannot examine store %s", s->path);
    if (root.st_dev != chunks.st_dev || root.st_dev != meta.st_dev)
        return err_set(e, ERR_IO,
                       "store %s spans two file systems (" STORE_CHUNKS " or " STORE_META
                       " is mounted): it must lie on one",
                       s->path);
    return 0;
}

/* Opens .ihop/staging, which only those who write may open: a staging directory is owned by a
 * flock on it, and everyone can take that who can open the directory. An earlier version
 * left it open to all. */
static int make_staging(struct store *s, struct err *e)
{
    struct stat meta, st;
    mode_t wanted;

    if (make_directory(s->path, s->meta_fd, STORE_META "/staging", &s->staging_fd, e) < 0)
        return -1;
    if (fstat(s->meta_fd, &meta) < 0 || fstat(s->staging_fd, &st) < 0)
        return err_sys(e, errno, "cannot examine %s/" STORE_META "/staging", s->path);
    wanted = (st.st_mode & 07000) | S_IRWXU | (meta.st_mode & S_IWGRP ? S_IRWXG : 0) |
             (meta.st_mode & S_IWOTH ? S_IRWXO : 0);
    if ((st.st_mode & 07777) != wanted && fchmod(s->staging_fd, wanted) < 0)
        errno = 0; /* best effort: only the owner may */
    return 0;
}

static int open_for_writing(struct store *s, const struct store_options *o, struct err *e)
{
    int lock = o->access == STORE_CLEAN ? LOCK_EX : LOCK_SH;

    if (check_place(s, o, e) < 0)
        return -1;
    if (s->meta_fd < 0 && make_directory(s->path, s->root_fd, STORE_META, &s->meta_fd, e) < 0)
        return -1;
    s->lock_fd = store_lock_open(s, "lock", e);
    if (s->lock_fd < 0)
        return -1;
    store_lock_put_right(s, "publish");
    if (decide_layout(s, o, e) < 0 || take_lock(s, lock, o->wait_seconds, e) < 0)
        return -1;
    if (make_staging(s, e) < 0 ||
        make_directory(s->path, s->meta_fd, STORE_META "/partial", &s->partial_fd, e) < 0 ||
        make_directory(s->path, s->meta_fd, STORE_META "/retired", &s->retired_fd, e) < 0 ||
        make_directory(s->path, s->root_fd, STORE_CHUNKS, &s->chunks_fd, e) < 0)
        return -1;
    return check_same_device(s, e) < 0 ? -1 : store_pending_finish(s, e);
}

static int open_for_reading(struct store *s, const struct store_options *o, struct err *e)
{
    if (check_place(s, o, e) < 0)
        return -1;
    if (s->fanout_digits == 0)
        return err_set(e, ERR_NOT_FOUND, "%s is an empty directory, not a store yet", s->path);
    if (!has_chunks_directory(s))
        return 0;
    return open_directory(s->path, s->root_fd, STORE_CHUNKS, &s->chunks_fd, e);
}

int store_open(const char *path, const struct store_options *options, struct store **store,
               struct err *e)
{
    CLEANUP(store_cleanup) struct store *s = malloc(sizeof *s);
    int r;

    if (!s)
        return err_nomem(e, "opening a store");
    *s = (struct store){.root_fd = -1,
                        .chunks_fd = -1,
                        .meta_fd = -1,
                        .staging_fd = -1,
                        .partial_fd = -1,
                        .retired_fd = -1,
                        .lock_fd = -1};
    s->path = strdup(path);
    if (!s->path)
        return err_nomem(e, "opening a store");
    if (open_root(s, options, e) < 0)
        return -1;
    r = options->access == STORE_READ ? open_for_reading(s, options, e)
                                      : open_for_writing(s, options, e);
    if (r < 0)
        return -1;
    s->trusted = s->fanout_digits == 2;
    *store = STEAL(s);
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    const int fds[] = {s->lock_fd, s->retired_fd, s->partial_fd, s->staging_fd,
                       s->meta_fd, s->chunks_fd,  s->root_fd};

    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(s->path);
    free(s);
}

void store_cleanup(struct store **store)
{
    store_close(*store);
}

int store_check_readable(const struct store *store, struct err *e)
{
    if (faccessat(store->root_fd, ".", R_OK | X_OK, AT_EACCESS) < 0)
        return err_sys(e, errno, "user %ld may not read the store %s", (long)geteuid(),
                       store->path);
    if (store->chunks_fd >= 0 && faccessat(store->chunks_fd, ".", X_OK, AT_EACCESS) < 0)
        return err_sys(
            e, errno,
            "user %ld may not read the chunks of store %s (chmod -R go+rX %s/" STORE_CHUNKS ")",
            (long)geteuid(), store->path, store->path);
    return 0;
}

const char *store_path(const struct store *store)
{
    return store->path;
}

unsigned store_fanout_digits(const struct store *store)
{
    return store->fanout_digits;
}

int store_free_space(const struct store *store, uint64_t *bytes, uint64_t *inodes, struct err *e)
{
    struct statvfs fs;

    if (fstatvfs(store->root_fd, &fs) < 0)
        return err_sys(e, errno, "cannot examine the file system of %s", store->path);
    *bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    *inodes = fs.f_files == 0 ? UINT64_MAX : fs.f_favail;
    return 0;
}
