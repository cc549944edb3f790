/* SPDX-License-Identifier: MIT */
/* plan: how each chunk of an image is obtained, which ranges of the archive that takes,
 * and what it costs. Pure: it does nothing of it (pipeline.h does).
 *
 * Chunks to fetch are sorted by their place in the archive. A gap between two of at most
 * PLAN_FREE_GAP bytes is fetched along, since a request of its own costs more;
 * then the smallest gaps, until they make PLAN_WASTE_DIVISOR's share of the missing
 * bytes, or with the requests PLAN_OVERHEAD_DIVISOR's: the missing chunks of a small
 * update are so scattered that its requests alone come close to 1 %. A range ends at
 * PLAN_RANGE, at a chunk border; a larger chunk is a range of its own.
 */
#ifndef IHOP_FETCH_PLAN_H
#define IHOP_FETCH_PLAN_H

#include "base/err.h"
#include "base/limits.h"
#include "fetch/way.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Small enough that several ranges are in flight within BUDGET_RECEIVED, and large enough that
 * what a request costs (500 bytes, a round trip) does not count. */
#define PLAN_RANGE            (2 * MIB)
#define PLAN_FREE_GAP         512
#define PLAN_REQUEST_COST     420 /* bytes of both headers, with nginx */
#define PLAN_WASTE_DIVISOR    200 /* gaps: 0.5 % */
#define PLAN_OVERHEAD_DIVISOR 110 /* gaps and requests: 0.9 % */

#define PLAN_BASE_MAX ((1u << 28) - 1)

/* How one chunk is obtained. There is one for each chunk of the image, so it is small. */
struct plan_item {
    uint64_t where; /* its bytes begin here: in the archive, or in the seed */
    uint32_t size;  /* how many bytes there are */
    /* What they belong to: the number of the seed. A delta puts what it patches here. */
    unsigned base : 28; /* at most PLAN_BASE_MAX */
    unsigned way : 4;   /* enum way */
};

struct plan_range {
    uint64_t offset; /* in the archive */
    uint64_t size;
    size_t first, count; /* into plan.fetched */
};

struct plan_cost {
    struct way_total ways[WAY_COUNT];
    uint64_t download; /* bytes: the sum of the ranges */
    size_t requests;
};

struct plan {
    struct plan_item *items; /* for each chunk of the image */
    uint32_t *fetched;       /* numbers of those whose way fetches, by their place */
    size_t fetched_count;
    struct plan_range *ranges;
    size_t range_count;
    struct plan_cost cost;
};

/* Each chunk with missing[i] is made as a hole or downloaded; the others are present. The
 * image must have_archive. The caller frees *plan, which is empty after a failure. */
int plan_make(const struct image *image, const bool *missing, struct plan *plan, struct err *e)
    __attribute__((warn_unused_result));

/* Once more from the items, some of which have another way now: which ranges they take and
 * what they cost. */
int plan_arrange(struct plan *plan, const struct image *image, struct err *e)
    __attribute__((warn_unused_result));
void plan_free(struct plan *plan);

/* Sums over all ways. */
size_t plan_cost_chunks(const struct plan_cost *cost);
size_t plan_cost_missing(const struct plan_cost *cost); /* not there yet */
size_t plan_cost_fetched(const struct plan_cost *cost);
uint64_t plan_cost_write(const struct plan_cost *cost);       /* bytes, at most */
uint64_t plan_cost_write_least(const struct plan_cost *cost); /* bytes */

/* The least that storing this chunk writes. Nobody knows where it has zeros before it is
 * there, but they compress to nearly nothing. */
uint64_t plan_least_written(const struct image *image, const struct chunk *chunk);

#endif
