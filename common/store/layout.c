/* SPDX-License-Identifier: MIT */
#include "store/layout.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "store/foreign.h"
#include "store/format_file.h"
#include "store/store_private.h"
#include "store/chunk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define ORIGINAL_DIGITS 4
#define HEX             "0123456789abcdef"

/* 1, 0 or -1 for an entry. */
typedef int (*entry_fn)(int dirfd, const char *name);

/* Whether accept takes every entry of a directory; -1 and errno when one cannot be examined. */
static int holds_only(int dirfd, entry_fn accept)
{
    CLEANUP_DIR DIR *dir = io_opendirat(dirfd);
    struct dirent *entry;

    if (!dir)
        return -1;
    while ((entry = io_readdir(dir))) {
        int r;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if ((r = accept(dirfd, entry->d_name)) <= 0)
            return r;
    }
    return errno ? -1 : 1;
}

/* The same for a directory below dirfd; what is no directory of its own is none. */
static int directory_holds_only(int dirfd, const char *name, entry_fn accept)
{
    CLEANUP_FD int fd = io_openat(dirfd, name, O_RDONLY | O_DIRECTORY, 0);

    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP || errno == ENOENT ? 0 : -1;
    return holds_only(fd, accept);
}

static int accept_nothing(int dirfd, const char *name)
{
    (void)dirfd;
    (void)name;
    return 0;
}

/* ---- what the first clone makes before the format ---- */

static int accept_beginning(int dirfd, const char *name)
{
    char text[STORE_FORMAT_SIZE];
    CLEANUP_FD int fd = -1;
    bool is_format = strcmp(name, STORE_FORMAT_TEMPORARY) == 0;
    struct stat st;

    if (!is_format && strcmp(name, "lock") != 0 && strcmp(name, "publish") != 0)
        return 0;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 1 : -1;
    if (!S_ISREG(st.st_mode) || st.st_size >= STORE_FORMAT_SIZE)
        return 0;
    if (st.st_size == 0)
        return 1;
    fd = io_openat(dirfd, name, O_RDONLY, 0);
    if (fd < 0 || io_pread_full(fd, text, sizeof text, 0) < 0)
        return -1;
    /* Zeros: a power cut came before the fsync. */
    return is_format && (text[0] == '\0' || strncmp(text, "ihop-store ", 11) == 0);
}

static int accept_vacant(int dirfd, const char *name)
{
    if (strcmp(name, "lost+found") == 0)
        return io_is_directory(dirfd, name, AT_SYMLINK_NOFOLLOW);
    if (strcmp(name, STORE_META) == 0)
        return directory_holds_only(dirfd, name, accept_beginning);
    return 0;
}

int store_layout_is_vacant(int root_fd)
{
    return holds_only(root_fd, accept_vacant);
}

/* ---- the original's ---- */

static bool is_original_directory(const char *name)
{
    return strlen(name) == ORIGINAL_DIGITS && strspn(name, HEX) == ORIGINAL_DIGITS;
}

/* Whether the directory, open as dirfd and named by digits, has a chunk that belongs there. */
static int has_chunk(int dirfd, const char *digits)
{
    CLEANUP_DIR DIR *dir = io_opendirat(dirfd);
    uint8_t hash[CHUNK_HASH_SIZE];
    struct dirent *entry;

    if (!dir)
        return -1;
    while ((entry = io_readdir(dir)))
        if (store_chunk_hash(entry->d_name, hash) > 0 &&
            strncmp(entry->d_name, digits, ORIGINAL_DIGITS) == 0)
            return 1;
    return errno ? -1 : 0;
}

static int accept_without_chunk(int dirfd, const char *name)
{
    CLEANUP_FD int fd = -1;
    int r;

    if (!is_original_directory(name))
        return 1;
    fd = io_openat(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP ? 1 : -1;
    r = has_chunk(fd, name);
    return r < 0 ? -1 : !r;
}

static int accept_empty_directory(int dirfd, const char *name)
{
    return is_original_directory(name) ? directory_holds_only(dirfd, name, accept_nothing) : 0;
}

/* A release, or what is there before one. */
static int accept_part_of_store(int dirfd, const char *name)
{
    enum store_file file;
    const char *what;

    if (strcmp(name, STORE_CHUNKS) == 0)
        return directory_holds_only(dirfd, name, accept_empty_directory);
    if (accept_vacant(dirfd, name) > 0)
        return 1;
    if (store_file_judge_at(dirfd, name, &file, &what) < 0)
        return errno == ENOENT ? 1 : -1;
    return store_file_is_ours(file);
}

/* Refuses a release, so that one ends the listing. */
static int accept_no_release(int dirfd, const char *name)
{
    enum store_file file;
    const char *what;

    if (store_file_judge_at(dirfd, name, &file, &what) < 0)
        return errno == ENOENT ? 1 : -1;
    return file != STORE_FILE_RELEASE;
}

/* Releases, at least one, and nothing else: chunks/ was lost. */
static int is_rest_of_store(int root_fd)
{
    int r = holds_only(root_fd, accept_no_release);

    return r != 0 ? (r < 0 ? -1 : 0) : holds_only(root_fd, accept_part_of_store);
}

int store_layout_is_original(int root_fd)
{
    int r;

    if (!io_is_directory(root_fd, STORE_CHUNKS, AT_SYMLINK_NOFOLLOW))
        return is_rest_of_store(root_fd);
    /* Made only in what was a store already. */
    if (io_is_directory(root_fd, STORE_META, AT_SYMLINK_NOFOLLOW) &&
        io_is_directory(root_fd, STORE_META "/retired", AT_SYMLINK_NOFOLLOW))
        return 1;
    r = directory_holds_only(root_fd, STORE_CHUNKS, accept_without_chunk);
    if (r <= 0)
        return r < 0 ? -1 : 1;
    return directory_holds_only(root_fd, STORE_CHUNKS, accept_empty_directory);
}
