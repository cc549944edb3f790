/* SPDX-License-Identifier: MIT */
#include "store/chunk_file.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/text.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define SUFFIX ".chunk"

/* ---- names ---- */

const char *store_chunk_file(const uint8_t *hash, size_t hash_length,
                             char file[STORE_CHUNK_FILE_SIZE])
{
    text_hex(hash, hash_length, file);
    memcpy(file + 2 * hash_length, SUFFIX, sizeof SUFFIX);
    return file;
}

const char *store_chunk_name(const struct store *store, const uint8_t *hash, size_t hash_length,
                             char name[STORE_CHUNK_NAME_SIZE])
{
    char *file = name + store->fanout_digits + 1;

    store_chunk_file(hash, hash_length, file);
    memcpy(name, file, store->fanout_digits);
    file[-1] = '/';
    return name;
}

const char *store_chunk_path(const struct store *store, const uint8_t *hash, size_t hash_length,
                             char path[STORE_CHUNK_PATH_SIZE])
{
    memcpy(path, STORE_CHUNKS "/", sizeof STORE_CHUNKS);
    store_chunk_name(store, hash, hash_length, path + sizeof STORE_CHUNKS);
    return path;
}

size_t store_chunk_hash(const char *file, uint8_t hash[CHUNK_HASH_SIZE])
{
    char hex[CHUNK_HASH_HEX];
    size_t digits = strspn(file, "0123456789abcdef");
    int n;

    if (digits >= sizeof hex || strcmp(file + digits, SUFFIX) != 0)
        return 0;
    memcpy(hex, file, digits);
    hex[digits] = '\0';
    n = text_unhex(hex, hash, CHUNK_HASH_SIZE);
    return n >= LIMIT_HASH_MIN ? (size_t)n : 0;
}

/* ---- opening ---- */

int store_chunk_is_no_file(const struct store *store, const char *name, struct err *e)
{
    return err_set(e, ERR_IO,
                   "%s/" STORE_CHUNKS "/%s is not a regular file or lies behind a link: "
                   "remove it and run ihop-clone again",
                   store->path, name);
}

int store_chunk_open(const struct store *store, const uint8_t *hash, size_t hash_length,
                     uint64_t size, struct err *e)
{
    char name[STORE_CHUNK_NAME_SIZE];
    CLEANUP_FD int fd = -1;
    struct stat st;

    store_chunk_name(store, hash, hash_length, name);
    if (store->chunks_fd >= 0)
        fd = io_open_beneath(store->chunks_fd, name, O_RDONLY | O_NOATIME);
    else
        errno = ENOENT;
    if (fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "chunk %s/" STORE_CHUNKS "/%s is missing", store->path,
                       name);
    if (fd < 0 && (errno == ELOOP || errno == EXDEV || errno == ENOTDIR || errno == ENXIO))
        return store_chunk_is_no_file(store, name, e);
    if (fd < 0)
        return err_sys(e, errno, "cannot open chunk %s/" STORE_CHUNKS "/%s", store->path, name);
    if (fstat(fd, &st) < 0)
        return err_sys(e, errno, "cannot examine chunk %s/" STORE_CHUNKS "/%s", store->path, name);
    if (!S_ISREG(st.st_mode))
        return store_chunk_is_no_file(store, name, e);
    if ((uint64_t)st.st_size != size)
        return err_set(e, ERR_DAMAGED,
                       "chunk %s/" STORE_CHUNKS "/%s has %lld bytes instead of %llu", store->path,
                       name, (long long)st.st_size, (unsigned long long)size);
    return steal_fd(&fd);
}

/* ---- content ---- */

/* Hashes the first size bytes of a file; *content is STORE_CONTENT_GOOD when all could be
 * read. */
static int hash_chunk_file(const struct store_chunk_check *c, int fd, uint64_t size,
                           enum store_content *content, struct err *e)
{
    for (uint64_t at = 0; at < size;) {
        size_t wanted = (size_t)min_u64(c->capacity, size - at);
        ssize_t n = io_pread_full(fd, c->buffer, wanted, at);

        if (n < (ssize_t)wanted) {
            *content = n < 0 ? STORE_CONTENT_UNREADABLE : STORE_CONTENT_SHORT;
            return 0;
        }
        at += wanted;
        /* The disk works while this piece is hashed, even where the kernel does not read
         * ahead in such files (plugin/chunk_fds.c). */
        if (at < size)
            posix_fadvise(fd, (off_t)at, (off_t)c->capacity, POSIX_FADV_WILLNEED);
        if (chunk_hash_update(c->hasher, c->buffer, wanted, e) < 0)
            return -1;
    }
    *content = STORE_CONTENT_GOOD;
    return 0;
}

int store_chunk_check(const struct store_chunk_check *c, int fd, uint64_t size, const uint8_t *hash,
                      size_t hash_length, enum store_content *content, struct err *e)
{
    uint8_t found[CHUNK_HASH_SIZE];

    if (chunk_hash_begin(c->hasher, e) < 0 || hash_chunk_file(c, fd, size, content, e) < 0)
        return -1;
    if (*content != STORE_CONTENT_GOOD)
        return 0;
    if (chunk_hash_end(c->hasher, found, e) < 0)
        return -1;
    if (memcmp(found, hash, hash_length) != 0)
        *content = STORE_CONTENT_WRONG;
    return 0;
}
