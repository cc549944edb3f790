/* SPDX-License-Identifier: MIT */
/* obtain: gets all chunks of an image into a store. A clone does so once it knows the image, and
 * a repair for a release that is in the store already.
 *
 * One thread uses a struct obtain; the functions start and join threads of their own.
 */
#ifndef IHOP_FETCH_OBTAIN_H
#define IHOP_FETCH_OBTAIN_H

#include "base/err.h"
#include "base/events.h"
#include "fetch/delta_source.h"
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
    struct store *store;       /* open for writing; for an estimate it may be open for reading, or
                                * NULL when there is no store yet */
    const struct image *image; /* its has_archive must be true */
    struct reader *reader;     /* of the image's archive; an estimate needs none */
    /* A pack that is ready for this image, or NULL. When it is alone, reader is the pack's, and
     * what the pack cannot give is ERR_ARCHIVE. */
    struct delta_source *deltas;
    const struct events *events;

    enum store_check check;
    const bool *known_missing; /* for each chunk whether it is missing; NULL to find out */
    const char *const *seeds;  /* searched in this order before downloading (seed.h) */
    size_t seed_count;
    unsigned jobs;         /* worker threads */
    uint64_t max_download; /* bytes; UINT64_MAX for no budget */
    uint64_t max_write;    /* bytes of chunk data; UINT64_MAX for no budget */
    uint64_t min_free;     /* bytes to leave free in the file system */
    /* How to free space when it is short, except for the amounts; NULL when that is not allowed. */
    const struct store_room_wanted *make_room;
    const struct obtain_partial *partial; /* or NULL */

    /* Results, filled as far as the run went, even after a failure. */
    struct plan_cost cost;
    size_t damaged;       /* chunks that were in the store with wrong content */
    uint64_t written;     /* bytes of chunk data */
    uint64_t pack_bytes;  /* of the pack's deltas that were, or would be, downloaded */
    uint64_t pack_spares; /* bytes of the archive that chunks made from these take */
};

/* Finds out what obtain_chunks would cost. Nothing is written. */
int obtain_estimate(struct obtain *o, struct err *e) __attribute__((warn_unused_result));

/* Adopts what an interrupted run left, finds what is missing, checks budgets and free space,
 * takes what the seeds have, and fetches, verifies and commits the rest, from the pack first. What
 * a delta did not give is planned anew, and compared with the budget for downloads once more.
 *
 * ERR_SPACE comes before any chunk is requested when budgets or space cannot suffice. When they
 * turn out too small later, it comes before more is written; if make_room is set, room is made
 * first and the whole is tried once more. What was fetched before an error stays in the store,
 * unless the store itself failed. */
int obtain_chunks(struct obtain *o, struct err *e) __attribute__((warn_unused_result));

#endif
