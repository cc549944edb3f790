/* SPDX-License-Identifier: MIT */
#include "compress/output_file.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "compress/remove_on_signal.h"
#include "format/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Writeback starts after this many bytes, so that the fsync at the end has little left to do. */
#define FLUSH_BYTES (8 * MIB)
#define COPY_BYTES  (1 * MIB)

/* ---- the hidden name ---- */

/* Chooses a hidden name, which is removed when a signal comes. */
static int choose_temporary(struct output_file *t, struct err *e)
{
    char name[sizeof t->temporary] = ".";

    if (io_random_name(name + 1) < 0)
        return err_sys(e, errno, "cannot make a random name");
    if (remove_on_signal_add(t->directory_fd, name, e) < 0)
        return -1;
    memcpy(t->temporary, name, sizeof name);
    return 0;
}

static void forget_temporary(struct output_file *t)
{
    remove_on_signal_drop(t->temporary);
    t->temporary[0] = '\0';
}

static void remove_temporary(struct output_file *t)
{
    if (!t->temporary[0])
        return;
    unlinkat(t->directory_fd, t->temporary, 0);
    forget_temporary(t);
}

/* ---- opening ---- */

static int open_parent(struct output_file *t, struct err *e)
{
    size_t size = (size_t)(t->name - t->path);
    CLEANUP_FREE char *directory = strndup(t->path, size);

    if (!directory)
        return err_nomem(e, "opening a directory");
    /* Unlike io_openat this follows symbolic links: one may well lead to the directory. */
    t->directory_fd = open(size > 0 ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->directory_fd >= 0)
        return 0;
    err_sys(e, errno, "cannot open the directory of %s", t->path);
    if (errno == ENOENT)
        e->kind = ERR_NOT_FOUND;
    return -1;
}

/* Whether the file begins as an archive does. */
static bool is_archive(int fd)
{
    uint8_t prefix[ARCHIVE_PREFIX_SIZE];
    struct err ignored = ERR_INIT;
    uint64_t size;

    return io_pread_full(fd, prefix, sizeof prefix, 0) == (ssize_t)sizeof prefix &&
           archive_parse_prefix(prefix, &size, &ignored) == 0;
}

/* Whether the operands look swapped: the image is an archive, and the file to be replaced is
 * none. --force-create would then cost the user the image. */
static bool is_swapped(const struct output_file *t, int source_fd)
{
    CLEANUP_FD int fd = io_openat(t->directory_fd, t->name, O_RDONLY, 0);

    return fd >= 0 && is_archive(source_fd) && !is_archive(fd);
}

/* Whether a link leads to a standard stream, as /dev/stdout does even into a file. */
static bool is_stream(const struct stat *st)
{
    struct stat stream;

    for (int fd = 0; fd <= 2; fd++)
        if (fstat(fd, &stream) == 0 && stream.st_dev == st->st_dev && stream.st_ino == st->st_ino)
            return true;
    return false;
}

/* A regular file may be replaced, and so may a link to one or to nothing. */
static int check_output_type(const struct output_file *t, const struct stat *st, struct err *e)
{
    struct stat at_end;

    if (S_ISREG(st->st_mode))
        return 0;
    if (!S_ISLNK(st->st_mode))
        return err_set(e, ERR_USAGE, "%s is not a regular file: an archive cannot replace it",
                       t->path);
    if (fstatat(t->directory_fd, t->name, &at_end, 0) < 0 ||
        (S_ISREG(at_end.st_mode) && !is_stream(&at_end)))
        return 0;
    return err_set(e, ERR_USAGE,
                   "%s is a link to something that is no file of its own (a directory, a device, a "
                   "pipe): an archive cannot replace it",
                   t->path);
}

static int check_output_name(const struct output_file *t, int source_fd, struct err *e)
{
    struct stat st, source;

    if (fstatat(t->directory_fd, t->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : err_sys(e, errno, "cannot examine %s", t->path);
    if (check_output_type(t, &st, e) < 0)
        return -1;
    if (!t->replace)
        return err_set(e, ERR_OTHER_IMAGE, "%s exists: pass --force-create to replace it", t->path);
    if (fstat(source_fd, &source) == 0 && source.st_dev == st.st_dev && source.st_ino == st.st_ino)
        return err_set(e, ERR_USAGE, "%s is the image itself: choose another name", t->path);
    if (S_ISREG(st.st_mode) && st.st_size > 0 && is_swapped(t, source_fd))
        return err_set(e, ERR_OTHER_IMAGE,
                       "%s is no archive, and the image is one: are the operands swapped? Use "
                       "ihop-compress IMAGE ARCHIVE",
                       t->path);
    return 0;
}

static int open_nameless(const struct output_file *t)
{
    return openat(t->directory_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
}

/* Gives the file open as fd, which has no name yet, this one. */
static int link_file(const struct output_file *t, int fd, const char *name)
{
    char proc[64];

    snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, proc, t->directory_fd, name, AT_SYMLINK_FOLLOW);
}

/* Whether link_file works here. It does not without /proc, nor on every file system that has
 * files without names. An empty file is tried, before there is work to lose. */
static bool can_link(struct output_file *t)
{
    CLEANUP_FD int fd = open_nameless(t);
    struct err ignored = ERR_INIT;
    bool can;

    if (fd < 0 || choose_temporary(t, &ignored) < 0)
        return false;
    can = link_file(t, fd, t->temporary) == 0;
    remove_temporary(t);
    return can;
}

/* Opens a file without a name, or else one with a hidden name. */
static int open_unnamed(struct output_file *t, struct err *e)
{
    t->fd = can_link(t) ? open_nameless(t) : -1;
    if (t->fd >= 0)
        return 0;
    if (choose_temporary(t, e) < 0)
        return -1;
    t->fd = io_openat(t->directory_fd, t->temporary, O_RDWR | O_CREAT | O_EXCL, 0666);
    if (t->fd >= 0)
        return 0;
    err_sys(e, errno, "cannot create %s", t->path);
    forget_temporary(t);
    return -1;
}

int output_file_open(struct output_file *t, const char *path, bool replace, int source_fd,
                     struct err *e)
{
    const char *slash = strrchr(path, '/');

    *t = (struct output_file)OUTPUT_FILE_INIT;
    t->path = path;
    t->name = slash ? slash + 1 : path;
    t->replace = replace;
    if (!*t->name || strcmp(t->name, ".") == 0 || strcmp(t->name, "..") == 0)
        return err_set(e, ERR_USAGE, "'%s' is not the name of a file", path);
    if (open_parent(t, e) < 0 || check_output_name(t, source_fd, e) < 0)
        return -1;
    return open_unnamed(t, e);
}

/* ---- writing ---- */

static int cannot_write(const struct output_file *t, struct err *e)
{
    return err_sys(e, errno, "cannot write %s", t->path);
}

int output_file_write(struct output_file *t, const void *data, size_t size, struct err *e)
{
    if (io_pwrite_full(t->fd, data, size, t->size) < 0)
        return cannot_write(t, e);
    t->size += size;
    if (t->size - t->flushed >= FLUSH_BYTES) {
        /* This is only a hint; the fsync at the end reports what fails. */
        (void)sync_file_range(t->fd, (off_t)t->flushed, (off_t)(t->size - t->flushed),
                              SYNC_FILE_RANGE_WRITE);
        t->flushed = t->size;
    }
    return 0;
}

/* A stretch of a file, to be copied to another one, where it begins at target. */
struct stretch {
    int fd;
    uint64_t at, end, target;
    const char *name; /* of the file that is read */
};

/* Copies in user space what copy_file_range refuses to copy. */
static int copy_by_hand(struct stretch *s, const struct output_file *to, struct err *e)
{
    CLEANUP_FREE uint8_t *buf = malloc(COPY_BYTES);

    if (!buf)
        return err_nomem(e, "copying the chunk data");
    while (s->at < s->end) {
        ssize_t n = io_pread_full(s->fd, buf, (size_t)min_u64(COPY_BYTES, s->end - s->at), s->at);

        if (n == 0)
            errno = EIO; /* Somebody truncated the file. */
        if (n <= 0)
            return err_sys(e, errno, "cannot read %s", s->name);
        if (io_pwrite_full(to->fd, buf, (size_t)n, s->target) < 0)
            return cannot_write(to, e);
        s->at += (uint64_t)n;
        s->target += (uint64_t)n;
    }
    return 0;
}

static int copy_stretch(struct stretch *s, const struct output_file *to, struct err *e)
{
    while (s->at < s->end) {
        off64_t in = (off64_t)s->at, out = (off64_t)s->target;
        ssize_t n = copy_file_range(s->fd, &in, to->fd, &out, s->end - s->at, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == ENOSPC)
            return cannot_write(to, e);
        if (n <= 0)
            return copy_by_hand(s, to, e);
        s->at += (uint64_t)n;
        s->target += (uint64_t)n;
    }
    return 0;
}

int output_file_copy(struct output_file *t, int fd, uint64_t size, const char *what, struct err *e)
{
    struct stretch s = {.fd = fd, .end = size, .target = t->size, .name = what};

    if (copy_stretch(&s, t, e) < 0)
        return -1;
    t->size += size;
    return 0;
}

/* Copies the data to a second file, which takes the place of t: for file systems where blocks
 * cannot be inserted. */
static int move_by_copy(struct output_file *t, uint64_t data_offset, struct err *e)
{
    struct stretch data = {.fd = t->fd, .end = t->size, .target = data_offset, .name = t->path};
    struct output_file copy = *t;
    int r;

    copy.fd = -1;
    copy.temporary[0] = '\0';
    /* The first file needs its name no more, and a kill would leave it there. */
    remove_temporary(t);
    r = open_unnamed(&copy, e);
    if (r == 0)
        r = copy_stretch(&data, &copy, e);
    cleanup_fd(&t->fd);
    *t = copy; /* Even after a failure, so that closing t frees all that copy has. */
    return r;
}

static int insert_header_space(struct output_file *t, uint64_t data_offset, struct err *e)
{
    if (t->size == 0) /* An image without bytes: the space for signatures is there all the same. */
        return ftruncate(t->fd, (off_t)data_offset) < 0 ? cannot_write(t, e) : 0;
    if (data_offset % OUTPUT_FILE_BLOCK == 0 &&
        fallocate(t->fd, FALLOC_FL_INSERT_RANGE, 0, (off_t)data_offset) == 0)
        return 0;
    return move_by_copy(t, data_offset, e);
}

/* ---- publishing ---- */

/* Takes the name with an empty file of its own, which fails when somebody else has the name,
 * and renames over that file. This is the last resort (exFAT, FAT), because a kill between the
 * two steps leaves the empty file. */
static int rename_over_own(const struct output_file *t)
{
    CLEANUP_FD int fd = io_openat(t->directory_fd, t->name, O_WRONLY | O_CREAT | O_EXCL, 0666);
    int failure;

    if (fd < 0)
        return -1;
    if (renameat(t->directory_fd, t->temporary, t->directory_fd, t->name) == 0)
        return 0;
    failure = errno;
    unlinkat(t->directory_fd, t->name, 0);
    errno = failure;
    return -1;
}

/* Renames from the hidden name, and fails with EEXIST when the new name is taken. */
static int rename_new(const struct output_file *t)
{
    if (renameat2(t->directory_fd, t->temporary, t->directory_fd, t->name, RENAME_NOREPLACE) == 0)
        return 0;
    if (!io_is_refused(errno))
        return -1;
    /* This file system (NFS) does not know the flag, but a link, too, fails when the name is
     * taken. */
    if (linkat(t->directory_fd, t->temporary, t->directory_fd, t->name, 0) < 0)
        return io_is_refused(errno) || errno == EMLINK ? rename_over_own(t) : -1;
    unlinkat(t->directory_fd, t->temporary, 0);
    return 0;
}

static int cannot_name(const struct output_file *t, struct err *e)
{
    if (errno == EEXIST)
        return err_set(e, ERR_OTHER_IMAGE,
                       "%s was made by somebody else meanwhile: pass --force-create to replace it",
                       t->path);
    return err_sys(e, errno, "cannot name %s", t->path);
}

/* Gives the file its name, in one step where possible. A link cannot replace another file, so
 * replacing takes a hidden name first. */
static int give_name(struct output_file *t, struct err *e)
{
    struct stat st;

    if (!t->temporary[0]) {
        if (link_file(t, t->fd, t->name) == 0)
            return 0;
        if (errno != EEXIST || !t->replace)
            return cannot_name(t, e);
        if (choose_temporary(t, e) < 0)
            return -1;
        if (link_file(t, t->fd, t->temporary) < 0)
            return cannot_name(t, e);
    }
    if (t->replace && fstatat(t->directory_fd, t->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        check_output_type(t, &st, e) < 0) /* It may have appeared since output_file_open. */
        return -1;
    if ((t->replace ? renameat(t->directory_fd, t->temporary, t->directory_fd, t->name)
                    : rename_new(t)) < 0)
        return cannot_name(t, e);
    forget_temporary(t);
    return 0;
}

int output_file_finish(struct output_file *t, struct err *e)
{
    if (io_fsync(t->fd) < 0)
        return cannot_write(t, e);
    if (give_name(t, e) < 0)
        return -1;
    if (io_fsync(t->directory_fd) < 0)
        return err_sys(e, errno, "cannot make the name of %s durable", t->path);
    return 0;
}

int output_file_publish(struct output_file *t, const uint8_t *front, size_t front_size,
                        uint64_t data_offset, struct err *e)
{
    if (insert_header_space(t, data_offset, e) < 0)
        return -1;
    if (io_pwrite_full(t->fd, front, front_size, 0) < 0)
        return cannot_write(t, e);
    return output_file_finish(t, e);
}

void output_file_close(struct output_file *t)
{
    remove_temporary(t);
    cleanup_fd(&t->fd);
    cleanup_fd(&t->directory_fd);
    t->fd = t->directory_fd = -1;
}
