/* SPDX-License-Identifier: MIT */
#include "store/layout.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "store/chunk_file.h"
#include "store/foreign.h"
#include "store/format_file.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define ORIGINAL_DIGITS 4
#define HEX             "0123456789abcdef"

/* Says whether an entry of a directory may be there; -1 with errno when it cannot be
 * examined. */
typedef int (*entry_fn)(int dirfd, const char *name, bool *accepted);

/* Whether accept takes every entry of a directory; stops at the first one that it does not
 * take. */
static int holds_only(int dirfd, entry_fn accept, bool *only)
{
    CLEANUP_DIR DIR *dir = io_opendirat(dirfd);
    struct dirent *entry;

    *only = true;
    if (!dir)
        return -1;
    while (*only && (entry = io_readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (accept(dirfd, entry->d_name, only) < 0)
            return -1;
    }
    return *only && errno ? -1 : 0;
}

/* holds_only for a directory below dirfd; what is missing or is no directory of its own
 * holds something else. */
static int directory_holds_only(int dirfd, const char *name, entry_fn accept, bool *only)
{
    CLEANUP_FD int fd = io_openat(dirfd, name, O_RDONLY | O_DIRECTORY, 0);

    *only = false;
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP || errno == ENOENT ? 0 : -1;
    return holds_only(fd, accept, only);
}

static int accept_nothing(int dirfd, const char *name, bool *accepted)
{
    (void)dirfd;
    (void)name;
    *accepted = false;
    return 0;
}

/* ---- what the first clone makes before the format ---- */

/* A beginning of .ihop/format; zeros when a power cut came before its fsync. */
static bool is_format_beginning(const char text[STORE_FORMAT_SIZE])
{
    return text[0] == '\0' || strncmp(text, "ihop-store ", 11) == 0;
}

static int accept_beginning(int dirfd, const char *name, bool *accepted)
{
    char text[STORE_FORMAT_SIZE];
    CLEANUP_FD int fd = -1;
    bool is_format = strcmp(name, STORE_FORMAT_TEMPORARY) == 0;
    struct stat st;

    *accepted = false;
    if (!is_format && strcmp(name, "lock") != 0 && strcmp(name, "publish") != 0)
        return 0;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        *accepted = errno == ENOENT;
        return *accepted ? 0 : -1;
    }
    if (!S_ISREG(st.st_mode) || st.st_size >= STORE_FORMAT_SIZE)
        return 0;
    *accepted = st.st_size == 0;
    if (*accepted)
        return 0;
    fd = io_openat(dirfd, name, O_RDONLY, 0);
    if (fd < 0 || io_pread_full(fd, text, sizeof text, 0) < 0)
        return -1;
    *accepted = is_format && is_format_beginning(text);
    return 0;
}

static int accept_vacant(int dirfd, const char *name, bool *accepted)
{
    if (strcmp(name, STORE_META) == 0)
        return directory_holds_only(dirfd, name, accept_beginning, accepted);
    *accepted =
        strcmp(name, "lost+found") == 0 && io_is_directory(dirfd, name, AT_SYMLINK_NOFOLLOW);
    return 0;
}

int store_layout_is_vacant(int root_fd, bool *vacant)
{
    return holds_only(root_fd, accept_vacant, vacant);
}

/* ---- stores of ihop 0.1 ---- */

static bool is_original_directory(const char *name)
{
    return strlen(name) == ORIGINAL_DIGITS && strspn(name, HEX) == ORIGINAL_DIGITS;
}

/* Whether the directory, open as dirfd and named by digits, has a chunk that belongs there. */
static int has_chunk(int dirfd, const char *digits, bool *has)
{
    CLEANUP_DIR DIR *dir = io_opendirat(dirfd);
    uint8_t hash[CHUNK_HASH_SIZE];
    struct dirent *entry;

    *has = false;
    if (!dir)
        return -1;
    while (!*has && (entry = io_readdir(dir)))
        *has = store_chunk_hash(entry->d_name, hash) > 0 &&
               strncmp(entry->d_name, digits, ORIGINAL_DIGITS) == 0;
    return !*has && errno ? -1 : 0;
}

static int accept_without_chunk(int dirfd, const char *name, bool *accepted)
{
    CLEANUP_FD int fd = -1;
    bool has = false;

    *accepted = true;
    if (!is_original_directory(name))
        return 0;
    fd = io_openat(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return errno == ENOTDIR || errno == ELOOP ? 0 : -1;
    if (has_chunk(fd, name, &has) < 0)
        return -1;
    *accepted = !has;
    return 0;
}

static int accept_empty_directory(int dirfd, const char *name, bool *accepted)
{
    *accepted = false;
    return is_original_directory(name) ? directory_holds_only(dirfd, name, accept_nothing, accepted)
                                       : 0;
}

/* Judges a file of STORE; one that is gone since it was listed is not in the way: *gone. */
static int judge_entry(int dirfd, const char *name, enum store_file *file, bool *gone)
{
    const char *what;
    int r = store_file_judge_at(dirfd, name, file, &what);

    *gone = r < 0 && errno == ENOENT;
    return *gone ? 0 : r;
}

/* A release, or what is there before the first one. */
static int accept_part_of_store(int dirfd, const char *name, bool *accepted)
{
    enum store_file file;
    bool gone;

    if (strcmp(name, STORE_CHUNKS) == 0)
        return directory_holds_only(dirfd, name, accept_empty_directory, accepted);
    if (accept_vacant(dirfd, name, accepted) == 0 && *accepted)
        return 0;
    if (judge_entry(dirfd, name, &file, &gone) < 0)
        return -1;
    *accepted = gone || store_file_is_ours(file);
    return 0;
}

/* Refuses a release, so that one ends the listing. */
static int accept_no_release(int dirfd, const char *name, bool *accepted)
{
    enum store_file file;
    bool gone;

    if (judge_entry(dirfd, name, &file, &gone) < 0)
        return -1;
    *accepted = gone || file != STORE_FILE_RELEASE;
    return 0;
}

/* Releases, at least one, and nothing else: chunks/ was lost. */
static int is_rest_of_store(int root_fd, bool *rest)
{
    bool without_release;

    *rest = false;
    if (holds_only(root_fd, accept_no_release, &without_release) < 0)
        return -1;
    return without_release ? 0 : holds_only(root_fd, accept_part_of_store, rest);
}

/* Whether chunks/ is empty or has a chunk of such a store. */
static int has_original_chunks(int root_fd, bool *has)
{
    bool without_chunk = false;

    *has = false;
    if (directory_holds_only(root_fd, STORE_CHUNKS, accept_without_chunk, &without_chunk) < 0)
        return -1;
    if (without_chunk)
        return directory_holds_only(root_fd, STORE_CHUNKS, accept_empty_directory, has);
    *has = true;
    return 0;
}

int store_layout_is_original(int root_fd, bool *original)
{
    if (!io_is_directory(root_fd, STORE_CHUNKS, AT_SYMLINK_NOFOLLOW))
        return is_rest_of_store(root_fd, original);
    /* A program of ours makes this directory only in what was a store already. */
    *original = io_is_directory(root_fd, STORE_META, AT_SYMLINK_NOFOLLOW) &&
                io_is_directory(root_fd, STORE_META "/retired", AT_SYMLINK_NOFOLLOW);
    return *original ? 0 : has_original_chunks(root_fd, original);
}
