/* SPDX-License-Identifier: MIT */
/* rolling: the interface between the algorithms (rollsum.c, buzhash.c, fixed.c) and those who
 * use them, chunker.c and cut.c. Only chunker/ includes this header. */
#ifndef IHOP_CHUNKER_ROLLING_H
#define IHOP_CHUNKER_ROLLING_H

#include "chunker/chunker.h"

/* A rolling sum over window bytes. It does not change after rolling_init, so threads may share
 * it. */
struct rolling {
    const struct rolling_ops *ops;
    uint32_t window; /* bytes; 0 for a fixed size */
    uint32_t mask;   /* the bits of the sum that are all set where a chunk may end */
    uint32_t in[256],
        out[256]; /* BuzHash: what each byte contributes that enters, or leaves, the window */
};

/* One algorithm. The window's bytes before data must be readable. */
struct rolling_ops {
    void (*init)(struct rolling *r); /* may be NULL */
    /* Returns the sum of the window that ends before data. */
    uint32_t (*sum)(const struct rolling *r, const uint8_t *data);
    /* Rolls *sum over data up to and including the first byte at which a chunk may end, and
     * sets *hit if there is one. Returns how many bytes it rolled over. */
    size_t (*roll)(const struct rolling *r, uint32_t *sum, const uint8_t *data, size_t size,
                   bool *hit);
};

extern const struct rolling_ops rollsum_ops, buzhash_ops, fixed_ops;

void rolling_init(struct rolling *r, const struct chunker_config *config);

/* How far BuzHash is with the start of an input (see buzhash.c). */
struct buzhash_start {
    bool active;
    uint8_t *first;  /* the window that the input begins with */
    uint32_t filled; /* bytes of that window so far */
    uint32_t zeros;  /* zeros that followed it and were fed, fewer than window */
    uint32_t sum;
    size_t fed_from; /* how many bytes at the beginning of each chunk bita does not feed */
};

/* Takes the next bytes of a chunk that has length bytes so far, while the start is active, and
 * returns how many it used. *hit is set when the chunk ends after them. size must not exceed
 * what the chunk's maximum leaves. */
size_t buzhash_start_push(struct buzhash_start *s, const struct rolling *r, size_t length,
                          size_t min_size, const uint8_t *data, size_t size, bool *hit);

/* Whether the boundaries from now on depend on nothing but the bytes of the window. */
bool chunker_is_settled(const struct chunker *c);

#endif
