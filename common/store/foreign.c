/* SPDX-License-Identifier: MIT */
#include "store/foreign.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/text.h"
#include "format/release.h"
#include "store/release_name.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define START_SIZE 2048 /* enough for each sign below */
#define PIECE_SIZE ((size_t)(64 * KIB))

#define ARCHIVE "a bita archive"

/* What files are known by: so many bytes at an offset. */
static const struct sign {
    size_t offset, size;
    const char *bytes, *what;
} signs[] = {
    {0, 6, "BITA1", ARCHIVE},
    {0, 6, "\0BITA1", ARCHIVE},
    {0, 4, "\177ELF", "an ELF program"},
    {0, 2, "\x1f\x8b", "gzip data"},
    {0, 6,
     "\xfd"
     "7zXZ",
     "xz data"},
    {0, 4, "\x28\xb5\x2f\xfd", "zstd data"},
    {0, 3, "BZh", "bzip2 data"},
    {0, 4, "PK\3\4", "a zip file"},
    {0, 4, "hsqs", "a squashfs image"},
    {0, 4, "QFI\xfb", "a qcow2 image"},
    {0, 4, "%PDF", "a PDF document"},
    {0, 2, "#!", "a script"},
    {257, 5, "ustar", "a tar file"},
    {1024, 4, "\xe2\xe1\xf5\xe0", "an erofs image"},
    {1080, 2, "\x53\xef", "an ext4 image"},
    {510, 2, "\x55\xaa", "a disk image"},
};

static const char *name_type(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a directory";
    case S_IFLNK:
        return "a link";
    case S_IFIFO:
        return "a FIFO";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a device";
    }
}

/* The last character may be cut off. */
static bool is_text(const uint8_t *start, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (start[i] < ' ' && !isspace(start[i]))
            return false;
    for (size_t cut = 0; cut < 4 && cut < size; cut++)
        if (text_is_utf8(start, size - cut))
            return true;
    return false;
}

static const char *name_content(const uint8_t *start, size_t size)
{
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (size >= signs[i].offset + signs[i].size &&
            memcmp(start + signs[i].offset, signs[i].bytes, signs[i].size) == 0)
            return signs[i].what;
    return is_text(start, size) ? "a text file" : "a file of other content";
}

/* Whether the file has nothing but zeros; -1 with errno. Holes need not be read. */
static int is_blank(int fd, uint64_t size, bool *blank)
{
    CLEANUP_FREE uint8_t *piece = malloc(PIECE_SIZE);

    *blank = true;
    if (!piece)
        return -1;
    for (uint64_t at = 0; at < size;) {
        off_t data = lseek(fd, (off_t)at, SEEK_DATA);
        ssize_t n;

        if (data < 0 && errno == ENXIO)
            return 0;
        if (data > 0)
            at = (uint64_t)data;
        n = io_pread_full(fd, piece, (size_t)min_u64(PIECE_SIZE, size - at), at);
        if (n < 0)
            return -1;
        if (n == 0) /* cut short in the meantime */
            return 0;
        *blank = io_is_zero(piece, (size_t)n);
        if (!*blank)
            return 0;
        at += (uint64_t)n;
    }
    return 0;
}

int store_file_judge(int fd, enum store_file *file, const char **what)
{
    uint8_t start[START_SIZE];
    struct stat st;
    bool blank = false;
    ssize_t n;

    *file = STORE_FILE_SPECIAL;
    if (fstat(fd, &st) < 0)
        return -1;
    if (!S_ISREG(st.st_mode)) {
        *what = name_type(st.st_mode);
        return 0;
    }
    *file = STORE_FILE_FOREIGN;
    if ((n = io_pread_full(fd, start, sizeof start, 0)) < 0)
        return -1;
    if (release_has_magic(start, (size_t)n)) {
        *what = "a release";
        *file = STORE_FILE_RELEASE;
        return 0;
    }
    if (io_is_zero(start, (size_t)n) && (uint64_t)st.st_size <= LIMIT_RELEASE &&
        is_blank(fd, (uint64_t)st.st_size, &blank) < 0)
        return -1;
    if (blank)
        *file = STORE_FILE_BLANK;
    *what = st.st_size == 0 ? "an empty file"
            : blank         ? "a file of zeros"
                            : name_content(start, (size_t)n);
    return 0;
}

/* A name that no release may have, or one that editors give to what they keep. */
static bool is_stray_name(const char *name)
{
    struct err ignored = ERR_INIT;
    size_t size = strlen(name);

    return release_name_check(name, &ignored) < 0 || name[size - 1] == '~' ||
           (size > 1 && name[0] == '#' && name[size - 1] == '#');
}

int store_file_examine(int dirfd, const char *name, enum store_file *file, const char **what)
{
    CLEANUP_FD int fd = -1;
    struct stat st;

    *file = STORE_FILE_SPECIAL;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (!S_ISREG(st.st_mode)) {
        *what = name_type(st.st_mode);
        return 0;
    }
    fd = io_openat(dirfd, name, O_RDONLY, 0);
    if (fd < 0 && errno == ELOOP) { /* it has become a link since fstatat */
        *what = name_type(S_IFLNK);
        return 0;
    }
    return fd < 0 ? -1 : store_file_judge(fd, file, what);
}

int store_file_judge_at(int dirfd, const char *name, enum store_file *file, const char **what)
{
    if (store_file_examine(dirfd, name, file, what) < 0)
        return -1;
    if (*file == STORE_FILE_BLANK && is_stray_name(name))
        *file = STORE_FILE_FOREIGN;
    return 0;
}

static int refuse(const char *path, const char *what, enum store_foreign_use use, struct err *e)
{
    bool archive = strcmp(what, ARCHIVE) == 0;

    if (use == STORE_FOREIGN_REPLACE)
        return err_set(e, ERR_OTHER_IMAGE, "%s is %s, which is never replaced: %s", path, what,
                       archive ? "are the operands swapped? Use ihop-clone ARCHIVE STORE/RELEASE"
                               : "choose another name or move it away");
    if (archive)
        return err_set(e, ERR_NOT_FOUND,
                       "release %s: this is %s, not a release: clone it first (ihop-clone %s "
                       "STORE/RELEASE)",
                       path, what, path);
    return err_set(e, ERR_NOT_FOUND, "release %s: this is %s, not a release", path, what);
}

static int refuse_special(const char *path, const char *what, enum store_foreign_use use,
                          struct err *e)
{
    if (use == STORE_FOREIGN_READ)
        return err_set(e, ERR_IO, "release %s: this is %s, not a release", path, what);
    return err_set(e, ERR_IO, "%s is not a regular file (%s): choose another name or move it away",
                   path, what);
}

int store_foreign_check_at(int dirfd, const char *directory, const char *where, const char *name,
                           enum store_foreign_use use, struct err *e)
{
    char path[ERR_TEXT_SIZE / 3]; /* it occurs twice at most */
    enum store_file file;
    const char *what;

    if (store_file_judge_at(dirfd, name, &file, &what) < 0 || store_file_is_ours(file))
        return 0;
    snprintf(path, sizeof path, "%s/%s%s", strcmp(directory, "/") == 0 ? "" : directory, where,
             name);
    return file == STORE_FILE_SPECIAL ? refuse_special(path, what, use, e)
                                      : refuse(path, what, use, e);
}

bool store_path_is(const char *path, enum store_file file)
{
    enum store_file found;
    const char *what;
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
           store_file_examine(AT_FDCWD, path, &found, &what) == 0 && found == file;
}

int store_foreign_check(const char *directory, const char *name, enum store_foreign_use use,
                        struct err *e)
{
    CLEANUP_FD int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? 0 : store_foreign_check_at(fd, directory, "", name, use, e);
}
