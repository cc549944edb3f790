/* SPDX-License-Identifier: MIT */
#include "fetch/plan.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/limits.h"

#include <stdlib.h>

void plan_free(struct plan *plan)
{
    free(plan->chunks);
    free(plan->zero_chunks);
    free(plan->ranges);
    *plan = (struct plan){0};
}

/* What a well-made stream adds to data that does not compress. */
static uint64_t stream_overhead(uint64_t size)
{
    return 1024 + size / 128;
}

uint64_t plan_least_written(const struct image *image, const struct chunk *chunk)
{
    uint64_t least = chunk->source_size % HOLE_MIN, overhead = stream_overhead(chunk->archive_size);

    if (chunk->source_size < HOLE_MIN)
        return chunk->source_size; /* too short for a hole */
    if (image->compression == IMAGE_NONE)
        return least;
    if (chunk->archive_size == chunk->source_size)
        return chunk->source_size; /* it does not compress: no zeros worth a hole */
    return chunk->archive_size > overhead
               ? max_u64(least, min_u64(chunk->archive_size - overhead, chunk->source_size))
               : least;
}

static int by_offset(const void *a, const void *b, void *context)
{
    const struct chunk *chunks = context;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    uint64_t x = chunks[i].archive_offset, y = chunks[j].archive_offset;

    return x != y ? (x > y) - (x < y) : (i > j) - (i < j);
}

static int collect_missing(const struct image *image, const bool *missing, struct plan *plan,
                           struct err *e)
{
    plan->chunks = malloc((image->chunks.count + 1) * sizeof *plan->chunks);
    plan->zero_chunks = malloc((image->chunks.count + 1) * sizeof *plan->zero_chunks);
    if (!plan->chunks || !plan->zero_chunks)
        return err_nomem(e, "planning the download");
    for (size_t i = 0; i < image->chunks.count; i++) {
        const struct chunk *chunk = &image->chunks.items[i];

        if (!missing[i])
            continue;
        if (chunk->zero) {
            plan->zero_chunks[plan->zero_count++] = (uint32_t)i;
            continue;
        }
        plan->chunks[plan->chunk_count++] = (uint32_t)i;
        plan->write_bytes += chunk->source_size;
        plan->write_least += plan_least_written(image, chunk);
        if (chunk->archive_size > plan->largest_archive_size)
            plan->largest_archive_size = chunk->archive_size;
        if (chunk->source_size > plan->largest_source_size)
            plan->largest_source_size = chunk->source_size;
    }
    qsort_r(plan->chunks, plan->chunk_count, sizeof *plan->chunks, by_offset, image->chunks.items);
    return 0;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The largest gap to fetch along. gaps has one less than the plan has chunks. */
static uint64_t gap_limit(uint64_t *gaps, size_t count, uint64_t missing_bytes)
{
    uint64_t limit = PLAN_FREE_GAP, waste = 0;

    qsort(gaps, count, sizeof *gaps, compare_u64);
    for (size_t i = 0; i < count; i++) {
        uint64_t requests = (uint64_t)(count - i) * PLAN_REQUEST_COST;

        waste += gaps[i];
        /* All gaps of one size are bought or none: the limit cannot tell them
         * apart (every second chunk of a fixed size leaves only equal gaps). */
        if (gaps[i] > PLAN_FREE_GAP && (waste > missing_bytes / PLAN_WASTE_DIVISOR ||
                                        waste + requests > missing_bytes / PLAN_OVERHEAD_DIVISOR))
            return min_u64(limit, gaps[i] - 1);
        limit = max_u64(limit, gaps[i]);
    }
    return limit;
}

static uint64_t chunk_end(const struct image *image, uint32_t chunk)
{
    return image->chunks.items[chunk].archive_offset + image->chunks.items[chunk].archive_size;
}

/* Fills gaps (0 where two chunks touch or overlap); returns the missing bytes. */
static uint64_t measure_gaps(const struct image *image, const struct plan *plan, uint64_t *gaps)
{
    uint64_t bytes = 0, end = 0;

    for (size_t i = 0; i < plan->chunk_count; i++) {
        uint64_t start = image->chunks.items[plan->chunks[i]].archive_offset;

        bytes += image->chunks.items[plan->chunks[i]].archive_size;
        if (i > 0)
            gaps[i - 1] = start > end ? start - end : 0;
        end = max_u64(end, chunk_end(image, plan->chunks[i]));
    }
    return bytes;
}

static void cut_ranges(const struct image *image, struct plan *plan, uint64_t limit)
{
    for (size_t i = 0; i < plan->chunk_count; i++) {
        const struct chunk *chunk = &image->chunks.items[plan->chunks[i]];
        struct plan_range *last = plan->range_count ? &plan->ranges[plan->range_count - 1] : NULL;
        uint64_t end = chunk_end(image, plan->chunks[i]);
        uint64_t last_end = last ? last->offset + last->size : 0;

        if (last &&
            (chunk->archive_offset <= last_end || chunk->archive_offset - last_end <= limit) &&
            max_u64(end, last_end) - last->offset <= LIMIT_RANGE) {
            last->size = max_u64(last->size, end - last->offset);
            last->count++;
            continue;
        }
        plan->ranges[plan->range_count++] = (struct plan_range){
            .offset = chunk->archive_offset, .size = chunk->archive_size, .first = i, .count = 1};
    }
    for (size_t i = 0; i < plan->range_count; i++)
        plan->download_bytes += plan->ranges[i].size;
}

int plan_make(const struct image *image, const bool *missing, struct plan *plan, struct err *e)
{
    CLEANUP(plan_free) struct plan p = {0};
    CLEANUP_FREE uint64_t *gaps = NULL;
    uint64_t bytes;

    if (collect_missing(image, missing, &p, e) < 0)
        return -1;
    gaps = malloc((p.chunk_count + 1) * sizeof *gaps);
    p.ranges = malloc((p.chunk_count + 1) * sizeof *p.ranges);
    if (!gaps || !p.ranges)
        return err_nomem(e, "planning the download");
    bytes = measure_gaps(image, &p, gaps);
    cut_ranges(image, &p, gap_limit(gaps, p.chunk_count ? p.chunk_count - 1 : 0, bytes));
    *plan = p;
    p = (struct plan){0};
    return 0;
}
