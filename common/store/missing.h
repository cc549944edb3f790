/* SPDX-License-Identifier: MIT */
/* missing: which chunks of a table the store lacks, and reading one.
 *
 * A chunk that has its name and its size is whole, because of how it got there
 * (staging.h), unless the store is not trusted; then its content is hashed. A
 * chunk's path that is anything but a regular file is an error (ERR_IO): no link
 * is followed and no FIFO waited for.
 */
#ifndef IHOP_STORE_MISSING_H
#define IHOP_STORE_MISSING_H

#include "base/err.h"
#include "format/chunk_table.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_CHUNK_SUFFIX ".chunk"

/* "ab/abcdef....chunk" and a NUL. */
#define STORE_CHUNK_NAME_SIZE (4 + 1 + CHUNK_HASH_HEX + 6)

/* Name of a chunk below chunks/. */
const char *store_chunk_name(const struct store *store, const uint8_t *hash, size_t hash_length,
                             char name[STORE_CHUNK_NAME_SIZE]);

/* The hash in the name of a chunk's file, its directory left out: how many bytes it has,
 * or 0 when this is no such name. */
size_t store_chunk_hash(const char *file, uint8_t hash[CHUNK_HASH_SIZE]);

/* Opens a chunk for reading and checks that it is a regular file of this size:
 * the descriptor, or -1 with ERR_NOT_FOUND, ERR_DAMAGED (wrong size) or ERR_IO.
 * The message names the chunk's path. Reading leaves the access time alone, where
 * this user may ask for that: it would wear the flash. Thread-safe. */
int store_chunk_open(const struct store *store, const uint8_t *hash, size_t hash_length,
                     uint64_t size, struct err *e) __attribute__((warn_unused_result));

struct store_missing {
    bool *missing;                       /* for each chunk of the table; owned */
    size_t missing_count, damaged_count; /* damaged ones are missing, too */
    size_t denied_count; /* STORE_CHECK_READABLE: there, not zero, not for this user */
};

void store_missing_free(struct store_missing *p);

enum store_check {
    STORE_CHECK_SIZE,     /* name, type and size; the rule for our own stores */
    STORE_CHECK_READABLE, /* and whether this user may read it */
    STORE_CHECK_TRUST,    /* size, and the content, where the store is not trusted */
    STORE_CHECK_CONTENT,  /* and the content of each chunk */
};

/* Called now and then while contents are hashed; done and total are bytes. Calls come
 * from several threads, one at a time. */
typedef void (*store_check_progress)(void *user, uint64_t done, uint64_t total);

/* Uses threads, as many as there are cores when it hashes; they are joined when it
 * returns. The caller frees *p. A store of NULL has nothing. */
int store_find_missing(const struct store *store, const struct chunk_table *chunks,
                       enum store_check check, store_check_progress progress, void *user,
                       struct store_missing *p, struct err *e) __attribute__((warn_unused_result));

#endif
