/* SPDX-License-Identifier: MIT */
/* census: how many images refer to each chunk. What a clean-up may delete, what
 * releases share, what removing one would free.
 *
 * A table of 24 bytes for each chunk, keyed by the first 16 bytes of its hash. Two
 * hashes that begin alike would count as one, so a chunk can be kept in error, but
 * never be dropped in error. Not for several threads.
 */
#ifndef IHOP_STORE_CENSUS_H
#define IHOP_STORE_CENSUS_H

#include "base/err.h"
#include "base/keyed.h"
#include "format/image.h"

#include <stddef.h>
#include <stdint.h>

struct census {
    struct census_slot *slots;
    size_t room, count;  /* slots, and used ones: distinct chunks ever added */
    struct keyed secret; /* so that no one can choose hashes that share a slot */
};

/* Counts each chunk of image once more, or once less. */
int census_add(struct census *c, const struct image *image, struct err *e)
    __attribute__((warn_unused_result));
void census_subtract(struct census *c, const struct image *image);

/* How many of the images added have the chunk with this hash. */
uint32_t census_count(const struct census *c, const uint8_t *hash, size_t hash_length);

void census_free(struct census *c);

/* Chunks, and the bytes that they take; those of zeros alone take none. */
struct census_sum {
    uint64_t chunks, bytes;
};

/* Sums the chunks of image that exactly this many images have; 0: all of them, and
 * c is not looked at. */
struct census_sum census_sum(const struct census *c, const struct image *image, uint32_t count);

#endif
