/* SPDX-License-Identifier: MIT */
/* plan: decides how each chunk of an image is obtained, which ranges of the archive and of a delta
 * pack that takes, and what it costs. Carrying it out is up to seed.h and pipeline.h.
 *
 * Chunks to fetch are sorted by their place, those of the pack first. A gap of at most
 * PLAN_FREE_GAP bytes between two of them is fetched along, because another request would cost
 * more. Larger gaps are fetched along as well, the smallest first, until they sum up to the share
 * of the missing bytes that PLAN_WASTE_DIVISOR allows, or together with the requests to that of
 * PLAN_OVERHEAD_DIVISOR: the missing chunks of a small update are so scattered that the
 * requests alone come close to 1 %. A range has at most PLAN_RANGE bytes and ends with a
 * chunk; a larger chunk is a range of its own.
 *
 * Nothing can fail but for ERR_MEMORY. A plan belongs to one thread at a time.
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
#define PLAN_REQUEST_COST     420 /* bytes of the headers of request and response, with nginx */
#define PLAN_WASTE_DIVISOR    200 /* for gaps: 0.5 % */
#define PLAN_OVERHEAD_DIVISOR 110 /* for gaps and requests: 0.9 % */

#define PLAN_BASE_MAX ((1u << 28) - 1)

/* How one chunk is obtained. It is small, because there is one for each chunk of the image. */
struct plan_item {
    uint64_t where; /* the offset of its bytes in the archive, the pack or the seed */
    uint32_t size;  /* how many bytes it has there */
    /* The number of the seed that has these bytes, or that of the delta in the pack's list. */
    unsigned base : 28; /* at most PLAN_BASE_MAX */
    unsigned way : 4;   /* enum way */
};

struct plan_range {
    uint64_t offset; /* in the archive, or in the pack */
    uint64_t size;
    size_t first, count; /* into plan.fetched */
};

struct plan_cost {
    struct way_total ways[WAY_COUNT];
    /* Sums over the ways: */
    size_t chunks;        /* all of the image */
    size_t missing;       /* that are not there yet */
    size_t fetched;       /* that are requested, from the archive or a pack */
    uint64_t write;       /* bytes that are written, at most */
    uint64_t write_least; /* and at least */
    /* Of the ranges: */
    uint64_t download; /* bytes */
    size_t requests;
};

/* What one file gives: stretches of plan.fetched and of plan.ranges. */
struct plan_part {
    size_t first, count;             /* of fetched */
    size_t first_range, range_count; /* of ranges */
    uint64_t download;               /* bytes of these ranges */
};

struct plan {
    struct plan_item *items; /* for each chunk of the image */
    uint32_t *fetched; /* numbers of the chunks whose way fetches, in the order of their places */
    size_t fetched_count;
    struct plan_range *ranges;
    size_t range_count;
    struct plan_part pack, archive;
    struct plan_cost cost;
};

/* Makes a plan in which chunk i is made as a hole or downloaded if missing[i] is set, and is
 * present otherwise. The image's has_archive must be true. The caller frees *plan, which is
 * empty after a failure. */
int plan_make(const struct image *image, const bool *missing, struct plan *plan, struct err *e)
    __attribute__((warn_unused_result));

/* Gives a chunk the way WAY_DOWNLOAD. */
static inline void plan_from_archive(struct plan_item *item, const struct chunk *chunk)
{
    *item = (struct plan_item){
        .way = WAY_DOWNLOAD, .where = chunk->archive_offset, .size = chunk->archive_size};
}

/* Computes the ranges and the cost anew from the items, some of which have another way now. */
int plan_arrange(struct plan *plan, const struct image *image, struct err *e)
    __attribute__((warn_unused_result));
void plan_free(struct plan *plan);

#endif
