/* SPDX-License-Identifier: MIT */
/* chunk_usage: how many images refer to each chunk. It tells what a clean-up may delete, what
 * releases share, and what removing one would free.
 *
 * A table of 24 bytes for each chunk, keyed by the first 16 bytes of its hash. Two
 * hashes that begin alike would count as one, so a chunk can be kept in error, but
 * never be deleted in error. For one thread at a time; {0} is an empty table.
 */
#ifndef IHOP_STORE_CHUNK_USAGE_H
#define IHOP_STORE_CHUNK_USAGE_H

#include "base/err.h"
#include "base/keyed.h"
#include "format/chunk_table.h"

#include <stddef.h>
#include <stdint.h>

struct chunk_usage {
    struct chunk_usage_slot *slots;
    size_t capacity, count; /* slots, and used ones: distinct chunks ever added */
    struct keyed secret;    /* keeps others from choosing hashes that share a slot */
};

/* Counts each chunk of an image once more (ERR_MEMORY), or once less. */
int chunk_usage_add(struct chunk_usage *c, const struct chunk_table *chunks, struct err *e)
    __attribute__((warn_unused_result));
void chunk_usage_subtract(struct chunk_usage *c, const struct chunk_table *chunks);

/* How many of the images that were added have the chunk with this hash. */
uint32_t chunk_usage_count(const struct chunk_usage *c, const uint8_t *hash, size_t hash_length);

void chunk_usage_free(struct chunk_usage *c);

/* So many chunks, and the bytes that they take; chunks of zeros take none. */
struct chunk_usage_sum {
    uint64_t chunks, bytes;
};

/* Sums the chunks of an image that exactly count images have; with count 0 all of them, and
 * c is not used. */
struct chunk_usage_sum chunk_usage_sum(const struct chunk_usage *c,
                                       const struct chunk_table *chunks, uint32_t count);

#endif
