/* SPDX-License-Identifier: MIT */
/* rolling: the algorithms, as chunker.c and cut.c see them. For chunker/ alone. */
#ifndef IHOP_CHUNKER_ROLLING_H
#define IHOP_CHUNKER_ROLLING_H

#include "chunker/chunker.h"

/* A rolling sum over window bytes. Read-only once made, so it may be shared. */
struct rolling {
    const struct rolling_ops *ops;
    uint32_t window;            /* bytes; 0 for a fixed size */
    uint32_t mask;              /* bits that are set in the sum where a chunk may end */
    uint32_t in[256], out[256]; /* BuzHash: what a byte does that comes, and one that goes */
};

/* One algorithm. The window bytes before data must be readable. */
struct rolling_ops {
    void (*init)(struct rolling *r); /* may be NULL */
    /* The sum of the window that ends before data. */
    uint32_t (*sum)(const struct rolling *r, const uint8_t *data);
    /* Rolls *sum over data, until behind the first byte where a chunk may end: then
     * *hit is set. Returns how many bytes it rolled over. */
    size_t (*roll)(const struct rolling *r, uint32_t *sum, const uint8_t *data, size_t size,
                   bool *hit);
};

extern const struct rolling_ops rollsum_ops, buzhash_ops, fixed_ops;

void rolling_init(struct rolling *r, const struct chunker_config *config);

/* How BuzHash begins an input: buzhash.c. */
struct buzhash_start {
    bool active;
    uint8_t *first;  /* the window that the input begins with */
    uint32_t filled; /* bytes of it so far */
    uint32_t zeros;  /* that came behind it, at most window */
    uint32_t sum;
    size_t fed_from; /* bytes of each chunk that bita does not feed */
};

/* Takes the next bytes of a chunk that has length so far, as chunker_push does, as
 * long as the start is active. size stays within the chunk's maximum. */
size_t buzhash_start_push(struct buzhash_start *s, const struct rolling *r, size_t length,
                          size_t min_size, const uint8_t *data, size_t size, bool *hit);

/* Whether the boundaries from here on depend on the bytes of the window alone. */
bool chunker_is_settled(const struct chunker *c);

#endif
