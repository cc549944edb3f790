/* SPDX-License-Identifier: MIT */
/* obtain: makes a store have all chunks of an image: what a clone does once it knows the
 * image, and what a repair does for a release that is there.
 *
 * It is used from one thread; it starts and joins threads of its own.
 */
#ifndef IHOP_FETCH_OBTAIN_H
#define IHOP_FETCH_OBTAIN_H

#include "base/err.h"
#include "base/events.h"
#include "fetch/plan.h"
#include "format/image.h"
#include "reader/reader.h"
#include "store/make_room.h"
#include "store/missing.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An encoded release that is recorded as partial/NAME while its chunks come in. */
struct obtain_partial {
    const char *name;
    const uint8_t *data;
    size_t size;
};

/* One image, and everything that obtaining it takes. The caller owns what is pointed to. */
struct obtain {
    struct store *store;       /* open for writing; for an estimate also for reading, or NULL when
                                * there is none yet */
    const struct image *image; /* which must have_archive */
    struct reader *reader;     /* of its archive; not for an estimate */
    const struct events *events;

    enum store_check check;
    const bool *known_missing; /* for each chunk: what is missing; NULL: find out */
    const char *const *seeds;  /* where to look before downloading (seed.h), in this order */
    size_t seed_count;
    unsigned jobs;         /* worker threads */
    uint64_t max_download; /* bytes; UINT64_MAX: no budget */
    uint64_t max_write;
    uint64_t min_free; /* bytes to leave free in the file system */
    /* How to free space when it is short, but for the amounts; NULL: not at all. */
    const struct store_room_wanted *make_room;
    const struct obtain_partial *partial; /* or NULL */

    /* What it costs, filled as far as things went, also after a failure. */
    struct plan_cost cost;
    size_t damaged;   /* chunks that were there, but wrong */
    uint64_t written; /* bytes of chunk data, so far */
};

/* Finds out what it would cost. Nothing is written. */
int obtain_estimate(struct obtain *o, struct err *e) __attribute__((warn_unused_result));

/* Does it: adopts what an interrupted run left, finds what is missing, checks
 * budgets and free space (ERR_SPACE, before any chunk is requested, when they cannot be
 * held; later, and before more is written, when they turn out too small: then it makes room,
 * if it may, and tries once more), takes what the seeds have, fetches, verifies and commits.
 * What was fetched before an error stays in the store, unless the store itself failed. */
int obtain_chunks(struct obtain *o, struct err *e) __attribute__((warn_unused_result));

#endif
