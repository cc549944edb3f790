/* SPDX-License-Identifier: MIT */
/* obtain: makes a store have all chunks of an image. What clone does after it
 * knows the image, and what a repair does with a release that is there. */
#ifndef IHOP_FETCH_OBTAIN_H
#define IHOP_FETCH_OBTAIN_H

#include "base/err.h"
#include "base/events.h"
#include "fetch/plan.h"
#include "reader/reader.h"
#include "format/image.h"
#include "store/missing.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct obtain_options {
    enum store_check check;
    const bool *known_missing; /* for each chunk: what is missing; NULL: find out */
    const char *const *seeds;  /* where to look before downloading (seed.h), in this order */
    size_t seed_count;
    unsigned jobs;         /* worker threads */
    uint64_t max_download; /* bytes; UINT64_MAX: no budget */
    uint64_t max_write;
    uint64_t min_free; /* bytes to leave free in the file system */
    /* Called when space is short: frees this much, or fails. NULL: fail at once. */
    int (*make_room)(void *user, struct store *store, uint64_t bytes, uint64_t inodes,
                     struct err *e);
    void *user;
    /* Record this encoded release as partial/NAME before fetching, or NULL. */
    const char *partial_name;
    const uint8_t *partial_data;
    size_t partial_size;
};

struct obtain_cost {
    size_t chunks;     /* of the image */
    size_t missing;    /* damaged and zero ones included */
    size_t zero;       /* missing ones that are all zeros: made, not fetched */
    size_t damaged;    /* were there, but wrong */
    size_t adopted;    /* found in what an interrupted run had staged */
    size_t seeded;     /* missing ones that a seed has */
    uint64_t download; /* bytes to fetch: the ranges */
    uint64_t write;    /* bytes of chunk data to write, at most: zeros in it become holes */
    uint64_t write_least;
    size_t requests;
};

/* What it would cost. Reads only; store may be NULL (there is none yet). The
 * image must have_archive. */
int obtain_estimate(const struct store *store, const struct image *image,
                    const struct obtain_options *o, const struct events *events,
                    struct obtain_cost *cost, struct err *e) __attribute__((warn_unused_result));

/* Does it: adopts what an interrupted run left, finds what is missing, checks
 * budgets and free space (ERR_SPACE, before any chunk is requested, when they cannot be
 * held; later, and before more is written, when they turn out too small: then it makes room,
 * if it may, and tries once more), takes what the seeds have, fetches, verifies and commits.
 * What was fetched before an error stays in the store, unless the store itself failed. written:
 * bytes of chunk data. */
int obtain_chunks(struct store *store, const struct image *image, struct reader *reader,
                  const struct obtain_options *o, const struct events *events,
                  struct obtain_cost *cost, uint64_t *written, struct err *e)
    __attribute__((warn_unused_result));

#endif
