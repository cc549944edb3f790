/* SPDX-License-Identifier: MIT */
/* chunk_file: the file of one chunk: its name, opening it, and whether it is what its
 * name says.
 *
 * A chunk that has its name and its size is whole, because of how it got there
 * (staging.h), unless the store is not trusted (missing.h). A chunk's path that is
 * anything but a regular file is an error (ERR_IO): no link is followed and no FIFO
 * waited for. Sizes are in bytes. Thread-safe.
 */
#ifndef IHOP_STORE_CHUNK_FILE_H
#define IHOP_STORE_CHUNK_FILE_H

#include "base/err.h"
#include "format/chunk_hash.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

/* The directory of the chunks below STORE. */
#define STORE_CHUNKS "chunks"

/* "abcdef....chunk", "ab/abcdef....chunk" and "chunks/ab/abcdef....chunk", with a NUL. */
#define STORE_CHUNK_FILE_SIZE (CHUNK_HASH_HEX + sizeof ".chunk" - 1)
#define STORE_CHUNK_NAME_SIZE (4 + 1 + STORE_CHUNK_FILE_SIZE)
#define STORE_CHUNK_PATH_SIZE (sizeof STORE_CHUNKS + STORE_CHUNK_NAME_SIZE)

/* The name of a chunk's file, without a directory; returns file. */
const char *store_chunk_file(const uint8_t *hash, size_t hash_length,
                             char file[STORE_CHUNK_FILE_SIZE]);

/* The name of a chunk below the directory of the chunks; returns name. */
const char *store_chunk_name(const struct store *store, const uint8_t *hash, size_t hash_length,
                             char name[STORE_CHUNK_NAME_SIZE]);

/* The path of a chunk below STORE, for messages; returns path. */
const char *store_chunk_path(const struct store *store, const uint8_t *hash, size_t hash_length,
                             char path[STORE_CHUNK_PATH_SIZE]);

/* The hash in the name of a chunk's file, given without its directory: how many bytes the
 * hash has, or 0 when this is no such name. */
size_t store_chunk_hash(const char *file, uint8_t hash[CHUNK_HASH_SIZE]);

/* Opens a chunk for reading and checks that it is a regular file of this size:
 * the descriptor, or -1 with ERR_NOT_FOUND, ERR_DAMAGED (wrong size) or ERR_IO.
 * The message names the chunk's path. Reading leaves the access time alone, where
 * this user may ask for that: it would wear the flash. */
int store_chunk_open(const struct store *store, const uint8_t *hash, size_t hash_length,
                     uint64_t size, struct err *e) __attribute__((warn_unused_result));

enum store_content {
    STORE_CONTENT_GOOD,       /* size bytes with this hash */
    STORE_CONTENT_WRONG,      /* size bytes with another hash */
    STORE_CONTENT_SHORT,      /* the file ends before size */
    STORE_CONTENT_UNREADABLE, /* errno says why; a bad block, for example */
};

/* What hashing takes. Belongs to the caller, and to one thread at a time. */
struct store_chunk_check {
    struct chunk_hasher *hasher;
    uint8_t *buffer;
    size_t capacity; /* of buffer */
};

/* Says what the file open as fd has in its first size bytes. They are read through the
 * buffer; one that takes them all has the content afterwards. Fails only when the
 * hashing itself does (chunk_hash.h). */
int store_chunk_check(const struct store_chunk_check *c, int fd, uint64_t size, const uint8_t *hash,
                      size_t hash_length, enum store_content *content, struct err *e)
    __attribute__((warn_unused_result));

#endif
