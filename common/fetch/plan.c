/* SPDX-License-Identifier: MIT */
#include "fetch/plan.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "store/sparse.h"

#include <stdlib.h>

void plan_free(struct plan *plan)
{
    free(plan->items);
    free(plan->fetched);
    free(plan->ranges);
    *plan = (struct plan){0};
}

/* How many bytes a sensible encoder adds at most to data that does not compress. */
static uint64_t stream_overhead(uint64_t size)
{
    return 1024 + size / 128;
}

/* The least number of bytes that storing this chunk writes. Where it has zeros, which become
 * holes, is not known before it is fetched; but zeros compress to nearly nothing, so the chunk
 * cannot have more of them than its stored size allows. */
static uint64_t least_written(const struct image *image, const struct chunk *chunk)
{
    uint64_t least = chunk->source_size % HOLE_MIN, overhead = stream_overhead(chunk->archive_size);

    if (chunk->source_size < HOLE_MIN)
        return chunk->source_size; /* It is too short for a hole. */
    if (image->compression == IMAGE_NONE)
        return least;
    if (chunk->archive_size == chunk->source_size)
        return chunk->source_size; /* It does not compress, so no zeros in it are worth a hole. */
    return chunk->archive_size > overhead
               ? max_u64(least, min_u64(chunk->archive_size - overhead, chunk->source_size))
               : least;
}

static int by_place(const void *a, const void *b, void *context)
{
    const struct plan_item *items = context;
    uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
    bool i_pack = way_traits[items[i].way].of_pack, j_pack = way_traits[items[j].way].of_pack;
    uint64_t x = items[i].where, y = items[j].where;

    if (i_pack != j_pack)
        return i_pack ? -1 : 1;
    return x != y ? (x > y) - (x < y) : (i > j) - (i < j);
}

/* Gives each chunk the way that it has before any seed is searched. */
static int choose_ways(const struct image *image, const bool *missing, struct plan *plan,
                       struct err *e)
{
    plan->items = calloc(image->chunks.count + 1, sizeof *plan->items);
    if (!plan->items)
        return err_nomem(e, "planning the download");
    for (size_t i = 0; i < image->chunks.count; i++) {
        const struct chunk *chunk = &image->chunks.items[i];
        struct plan_item *item = &plan->items[i];

        if (!missing[i])
            item->way = WAY_PRESENT;
        else if (chunk->zero)
            item->way = WAY_ZERO;
        else
            plan_from_archive(item, chunk);
    }
    return 0;
}

static void count_item(const struct image *image, const struct plan_item *item,
                       const struct chunk *chunk, struct way_total *total)
{
    total->chunks++;
    total->bytes += chunk->source_size;
    if (!way_traits[item->way].writes)
        return;
    total->write += chunk->source_size;
    total->write_least += least_written(image, chunk);
}

/* Counts the ways, and lists the chunks to fetch in the order of their places. */
static int collect_fetched(struct plan *plan, const struct image *image, struct err *e)
{
    plan->fetched = malloc((image->chunks.count + 1) * sizeof *plan->fetched);
    if (!plan->fetched)
        return err_nomem(e, "planning the download");
    for (size_t i = 0; i < image->chunks.count; i++) {
        const struct plan_item *item = &plan->items[i];

        count_item(image, item, &image->chunks.items[i], &plan->cost.ways[item->way]);
        if (!way_traits[item->way].fetches)
            continue;
        plan->fetched[plan->fetched_count++] = (uint32_t)i;
        plan->pack.count += way_traits[item->way].of_pack;
    }
    plan->archive.first = plan->pack.count;
    plan->archive.count = plan->fetched_count - plan->pack.count;
    qsort_r(plan->fetched, plan->fetched_count, sizeof *plan->fetched, by_place, plan->items);
    return 0;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The size of the largest gap that is fetched along with the chunks around it. gaps has one
 * entry less than there are chunks to fetch. */
static uint64_t gap_limit(uint64_t *gaps, size_t count, uint64_t missing_bytes)
{
    uint64_t limit = PLAN_FREE_GAP, waste = 0;

    qsort(gaps, count, sizeof *gaps, compare_u64);
    for (size_t i = 0; i < count; i++) {
        uint64_t requests = (uint64_t)(count - i) * PLAN_REQUEST_COST;

        waste += gaps[i];
        /* Gaps of one size are all fetched or none, because the limit cannot distinguish them.
         * (Every second chunk of a fixed size leaves only equal gaps.) */
        if (gaps[i] > PLAN_FREE_GAP && (waste > missing_bytes / PLAN_WASTE_DIVISOR ||
                                        waste + requests > missing_bytes / PLAN_OVERHEAD_DIVISOR))
            return min_u64(limit, gaps[i] - 1);
        limit = max_u64(limit, gaps[i]);
    }
    return limit;
}

static uint64_t item_end(const struct plan_item *item)
{
    return item->where + item->size;
}

/* Fills gaps (with 0 where two chunks touch or overlap) and returns the sum of the sizes of the
 * part's chunks. */
static uint64_t measure_gaps(const struct plan *plan, const struct plan_part *part, uint64_t *gaps)
{
    uint64_t bytes = 0, end = 0;

    for (size_t i = 0; i < part->count; i++) {
        const struct plan_item *item = &plan->items[plan->fetched[part->first + i]];

        bytes += item->size;
        if (i > 0)
            gaps[i - 1] = item->where > end ? item->where - end : 0;
        end = max_u64(end, item_end(item));
    }
    return bytes;
}

static void cut_ranges(struct plan *plan, struct plan_part *part, uint64_t limit)
{
    struct plan_range *ranges = plan->ranges + plan->range_count, *last = NULL;

    part->first_range = plan->range_count;
    for (size_t i = part->first; i < part->first + part->count; i++) {
        const struct plan_item *item = &plan->items[plan->fetched[i]];
        uint64_t last_end = last ? last->offset + last->size : 0;

        if (last && (item->where <= last_end || item->where - last_end <= limit) &&
            max_u64(item_end(item), last_end) - last->offset <= PLAN_RANGE) {
            last->size = max_u64(last->size, item_end(item) - last->offset);
            last->count++;
            continue;
        }
        last = &ranges[part->range_count++];
        *last =
            (struct plan_range){.offset = item->where, .size = item->size, .first = i, .count = 1};
    }
    for (size_t i = 0; i < part->range_count; i++)
        part->download += ranges[i].size;
    plan->range_count += part->range_count;
    plan->cost.download += part->download;
    plan->cost.requests += part->range_count;
}

/* gaps has memory for one of each chunk. */
static void arrange_part(struct plan *plan, struct plan_part *part, uint64_t *gaps)
{
    uint64_t bytes = measure_gaps(plan, part, gaps);

    cut_ranges(plan, part, gap_limit(gaps, part->count ? part->count - 1 : 0, bytes));
}

/* What all ways come to. */
static void sum_ways(struct plan_cost *cost)
{
    for (enum way way = 0; way < WAY_COUNT; way++) {
        const struct way_total *total = &cost->ways[way];

        cost->chunks += total->chunks;
        cost->missing += way_traits[way].is_there ? 0 : total->chunks;
        cost->fetched += way_traits[way].fetches ? total->chunks : 0;
        cost->write += total->write;
        cost->write_least += total->write_least;
    }
}

int plan_arrange(struct plan *plan, const struct image *image, struct err *e)
{
    CLEANUP(plan_free) struct plan p = {.items = STEAL(plan->items)};
    CLEANUP_FREE uint64_t *gaps = NULL;

    plan_free(plan);
    if (collect_fetched(&p, image, e) < 0)
        return -1;
    sum_ways(&p.cost);
    gaps = malloc((p.fetched_count + 1) * sizeof *gaps);
    p.ranges = malloc((p.fetched_count + 1) * sizeof *p.ranges);
    if (!gaps || !p.ranges)
        return err_nomem(e, "planning the download");
    arrange_part(&p, &p.pack, gaps);
    arrange_part(&p, &p.archive, gaps);
    *plan = p;
    p = (struct plan){0};
    return 0;
}

int plan_make(const struct image *image, const bool *missing, struct plan *plan, struct err *e)
{
    *plan = (struct plan){0};
    if (choose_ways(image, missing, plan, e) < 0)
        return -1;
    return plan_arrange(plan, image, e);
}
