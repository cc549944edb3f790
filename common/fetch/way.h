/* SPDX-License-Identifier: MIT */
/* way: how a chunk of the image gets into the store.
 *
 * Each chunk of a plan has one way. Whoever counts, budgets or reports goes over the ways
 * by their traits, so a new way (a chunk that a running server has fetched already) is a value
 * here, a row in way.c, and its step in pipeline.c.
 */
#ifndef IHOP_FETCH_WAY_H
#define IHOP_FETCH_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum way {
    WAY_PRESENT,  /* it is in the store already */
    WAY_ADOPTED,  /* an interrupted run had staged it, and it was adopted into the store */
    WAY_ZERO,     /* it is all zeros and made as a hole */
    WAY_SEED,     /* it is copied from a seed (seed.h) */
    WAY_DELTA,    /* it is made of an old release and a delta, read from a pack (delta_source.h) */
    WAY_DOWNLOAD, /* it is read from the archive, decoded and verified (chunk_decoder.h) */
    WAY_COUNT
};

struct way_traits {
    const char *counted_as; /* the JSON member with the number of its chunks, or NULL */
    bool on_device;         /* it occurs on a device only, not in a comparison of two images */
    bool is_there;          /* the chunk is in the store, and nothing is left to do */
    bool fetches;           /* its bytes are requested, */
    bool of_pack;           /* from a delta pack; otherwise from the archive */
    bool writes;            /* its content is written; that of a hole is not */
};

extern const struct way_traits way_traits[WAY_COUNT];

/* Sums over all chunks of one way. */
struct way_total {
    size_t chunks;
    uint64_t bytes;       /* of their content */
    uint64_t write;       /* bytes that storing them writes, at most */
    uint64_t write_least; /* and at least: zeros within a chunk become holes */
};

#endif
