/* SPDX-License-Identifier: MIT */
/* plan: from the set of missing chunks to the ranges to ask for. Pure.
 *
 * Chunks are sorted by their place in the archive. A gap between two of at most
 * PLAN_FREE_GAP bytes is fetched along, since a request of its own costs more;
 * then the smallest gaps, until they make PLAN_WASTE_DIVISOR's share of the missing
 * bytes, or with the requests PLAN_OVERHEAD_DIVISOR's: the missing chunks of a small
 * update are so scattered that its requests alone come close to 1 %. A range ends at
 * LIMIT_RANGE, at a chunk border; a larger chunk is a range of its own.
 */
#ifndef IHOP_FETCH_PLAN_H
#define IHOP_FETCH_PLAN_H

#include "base/err.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAN_FREE_GAP         512
#define PLAN_REQUEST_COST     420 /* bytes of both headers, with nginx */
#define PLAN_WASTE_DIVISOR    200 /* gaps: 0.5 % */
#define PLAN_OVERHEAD_DIVISOR 110 /* gaps and requests: 0.9 % */

struct plan_range {
    uint64_t offset; /* in the archive */
    uint64_t size;
    size_t first, count; /* into plan.chunks */
};

struct plan {
    uint32_t *chunks; /* those to fetch, by archive offset */
    size_t chunk_count;
    uint32_t *zero_chunks; /* missing ones that need no fetching */
    size_t zero_count;
    struct plan_range *ranges;
    size_t range_count;
    uint64_t download_bytes; /* sum of the ranges */
    uint64_t write_bytes;    /* sum of the source sizes of chunks, zero ones left out: the most */
    uint64_t write_least;    /* that may be written, as zeros in them become holes; and the least */
    uint32_t largest_archive_size, largest_source_size;
};

/* missing has an entry for each chunk. The image must have_archive. The caller
 * frees *plan. */
int plan_make(const struct image *image, const bool *missing, struct plan *plan, struct err *e)
    __attribute__((warn_unused_result));
void plan_free(struct plan *plan);

/* The least that storing this chunk writes. Nobody knows where it has zeros before it is
 * there, but they compress to nearly nothing. */
uint64_t plan_least_written(const struct image *image, const struct chunk *chunk);

#endif
