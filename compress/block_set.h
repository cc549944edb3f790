/* SPDX-License-Identifier: MIT */
/* block_set: spans of blocks of an image, in ascending order, which neither overlap nor touch.
 * Plain data of one thread. */
#ifndef IHOP_COMPRESS_BLOCK_SET_H
#define IHOP_COMPRESS_BLOCK_SET_H

#include <stddef.h>
#include <stdint.h>

#define BLOCK_SET_MAX 256

struct block_span {
    uint32_t first, end; /* the first block, and the one behind the last */
};

struct block_set {
    struct block_span spans[BLOCK_SET_MAX];
    size_t count;
    uint64_t blocks; /* of all spans */
};

/* Adds a span. What does not find a place any more is left out. */
void block_set_add(struct block_set *s, uint32_t first, uint32_t end);

/* Adds what lies between spans, the smallest gaps first, until there are at most spans of them, as
 * long as there are at most blocks of blocks; then leaves out the smallest spans. */
void block_set_reduce(struct block_set *s, size_t spans, uint64_t blocks);

/* How many blocks from first to end the set has. */
uint64_t block_set_common(const struct block_set *s, uint32_t first, uint32_t end);

#endif
