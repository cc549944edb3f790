/* SPDX-License-Identifier: MIT */
/* test_plan: which ranges are requested: all missing chunks, few bytes more, few requests. */
#include "support.h"

#include "base/limits.h"
#include "fetch/plan.h"

#include <stdlib.h>
#include <string.h>

#define MAX_CHUNKS 400

/* A table of chunks at given places; only what plan_make looks at. */
struct table {
    struct image image;
    struct chunk chunks[MAX_CHUNKS];
    bool missing[MAX_CHUNKS];
};

static void add(struct table *t, uint64_t offset, uint32_t size, bool missing)
{
    size_t i = t->image.chunks.count++;

    assert_true(i < MAX_CHUNKS);
    t->image.chunks.items = t->chunks;
    t->image.has_archive = true;
    t->chunks[i] =
        (struct chunk){.archive_offset = offset, .archive_size = size, .source_size = 2 * size};
    t->missing[i] = missing;
}

static void make(struct table *t, struct plan *p)
{
    struct err e = ERR_INIT;

    assert_ok(plan_make(&t->image, t->missing, p, &e), e);
}

static void assert_range(const struct plan *p, size_t i, uint64_t offset, uint64_t size,
                         size_t count)
{
    assert_true(i < p->range_count);
    assert_true(p->ranges[i].offset == offset);
    assert_true(p->ranges[i].size == size);
    assert_int_equal(p->ranges[i].count, count);
}

static void nothing_missing(void **state)
{
    struct table t = {0};
    struct plan p;

    (void)state;
    add(&t, 1000, 10, false);
    make(&t, &p);
    assert_int_equal(p.range_count, 0);
    assert_int_equal(p.cost.download, 0);
    plan_free(&p);
    t.image.chunks.count = 0; /* the empty image */
    make(&t, &p);
    assert_int_equal(p.range_count, 0);
    plan_free(&p);
}

/* Extents that are given out of order are sorted, and joined where they touch. */
static void neighbours_share_a_range(void **state)
{
    struct table t = {0};
    struct plan p;

    (void)state;
    add(&t, 300, 100, true);
    add(&t, 100, 100, true);
    add(&t, 200, 100, true);
    make(&t, &p);
    assert_int_equal(p.range_count, 1);
    assert_range(&p, 0, 100, 300, 3);
    assert_int_equal(p.fetched[0], 1);
    assert_int_equal(p.fetched[1], 2);
    assert_int_equal(p.fetched[2], 0);
    assert_int_equal(p.cost.download, 300);
    assert_int_equal(p.cost.write, 600);
    assert_int_equal(p.items[0].way, WAY_DOWNLOAD);
    assert_true(p.items[0].where == 300);
    assert_int_equal(p.items[0].size, 100);
    plan_free(&p);
}

static void small_gaps_are_fetched_along(void **state)
{
    struct table t = {0};
    struct plan p;

    (void)state;
    add(&t, 1000, 100, true);
    add(&t, 1100 + PLAN_FREE_GAP, 100, true);       /* just small enough */
    add(&t, 1200 + 2 * PLAN_FREE_GAP + 1, 5, true); /* just too large */
    make(&t, &p);
    assert_int_equal(p.range_count, 2);
    assert_range(&p, 0, 1000, 200 + PLAN_FREE_GAP, 2);
    assert_range(&p, 1, 1200 + 2 * PLAN_FREE_GAP + 1, 5, 1);
    assert_int_equal(p.cost.download, 205 + PLAN_FREE_GAP);
    plan_free(&p);
}

/* 1,000,000 missing bytes: 5,000 may be wasted, on the smallest gaps. */
static void gaps_within_the_budget(void **state)
{
    struct table t = {0};
    struct plan p;

    (void)state;
    add(&t, 0, 250000, true);
    add(&t, 250000 + 3000, 250000, true); /* gap 3,000: no, the others come first */
    add(&t, 503000 + 2000, 250000, true); /* gap 2,000 */
    add(&t, 755000 + 2500, 250000, true); /* gap 2,500 */
    make(&t, &p);
    assert_int_equal(p.range_count, 2);
    assert_range(&p, 0, 0, 250000, 1);
    assert_range(&p, 1, 253000, 754500, 3);
    plan_free(&p);
}

/* Every second chunk of a fixed size: all gaps are alike, so the budget cannot
 * buy one without the others. It must buy none. */
static void equal_gaps_do_not_break_the_budget(void **state)
{
    struct table t = {0};
    struct plan p;

    (void)state;
    for (uint64_t i = 0; i < MAX_CHUNKS; i++)
        add(&t, i * 4096, 4096, i % 2 == 0);
    make(&t, &p);
    assert_int_equal(p.range_count, MAX_CHUNKS / 2);
    assert_int_equal(p.cost.download, MAX_CHUNKS / 2 * 4096);
    plan_free(&p);
}

/* Where the requests alone cost more than the overhead allowed, no gap is bought
 * that costs more than the request it saves. */
static void scattered_chunks_buy_no_gaps(void **state)
{
    struct table t = {0};
    struct plan p;
    uint64_t at = 0;

    (void)state;
    for (uint64_t i = 0; i < 60; i++) {
        add(&t, at, 8192, true);
        at += 8192 + PLAN_FREE_GAP + 1 + i;
    }
    make(&t, &p);
    assert_int_equal(p.range_count, 60);
    plan_free(&p);
}

static void ranges_are_cut(void **state)
{
    struct table t = {0};
    struct plan p;

    (void)state;
    add(&t, 0, PLAN_RANGE - MIB, true);
    add(&t, PLAN_RANGE - MIB, MIB, true);   /* fits exactly */
    add(&t, PLAN_RANGE, 1, true);           /* a new range */
    add(&t, PLAN_RANGE + 1, 9 * MIB, true); /* oversized: alone */
    add(&t, PLAN_RANGE + 9 * MIB + 1, 5, true);
    make(&t, &p);
    assert_int_equal(p.range_count, 4);
    assert_range(&p, 0, 0, PLAN_RANGE, 2);
    assert_range(&p, 1, PLAN_RANGE, 1, 1);
    assert_range(&p, 2, PLAN_RANGE + 1, 9 * MIB, 1);
    assert_range(&p, 3, PLAN_RANGE + 9 * MIB + 1, 5, 1);
    plan_free(&p);
}

static void overlaps(void **state)
{
    struct table t = {0};
    struct plan p;

    (void)state;
    add(&t, 100, 1000, true);
    add(&t, 200, 50, true);  /* inside the first */
    add(&t, 900, 300, true); /* beyond its end */
    add(&t, 900, 300, true); /* the same place again */
    make(&t, &p);
    assert_int_equal(p.range_count, 1);
    assert_range(&p, 0, 100, 1100, 4);
    plan_free(&p);
}

static void zero_chunks_are_not_fetched(void **state)
{
    struct table t = {0};
    struct plan p;

    (void)state;
    add(&t, 100, 10, true);
    add(&t, 110, 10, true);
    add(&t, 120, 10, false);
    t.chunks[1].zero = t.chunks[2].zero = true;
    make(&t, &p);
    assert_int_equal(p.items[0].way, WAY_DOWNLOAD);
    assert_int_equal(p.items[1].way, WAY_ZERO);
    assert_int_equal(p.items[2].way, WAY_PRESENT);
    assert_int_equal(p.cost.ways[WAY_ZERO].chunks, 1);
    assert_int_equal(p.fetched_count, 1);
    assert_int_equal(p.cost.download, 10);
    assert_int_equal(p.cost.write, 20);
    plan_free(&p);
}

/* What a seed has is neither requested nor forgotten in the count. */
static void arranged_anew_for_other_ways(void **state)
{
    struct table t = {0};
    struct plan p;
    struct err e = ERR_INIT;

    (void)state;
    add(&t, 100, 10, true);
    add(&t, 110, 20, true);
    add(&t, 130, 30, true);
    add(&t, 160, 40, false);
    add(&t, 200, 50, true);
    t.chunks[2].zero = true;
    make(&t, &p);
    assert_int_equal(p.cost.download, 150);
    p.items[0].way = WAY_SEED;
    p.items[3].way = WAY_ADOPTED;
    p.items[4] = (struct plan_item){.way = WAY_DELTA, .where = 7, .size = 3};
    assert_ok(plan_arrange(&p, &t.image, &e), e);
    assert_int_equal(p.range_count, 2);
    assert_range(&p, 0, 7, 3, 1);
    assert_range(&p, 1, 110, 20, 1);
    assert_int_equal(p.cost.download, 3 + 20);
    assert_int_equal(p.cost.requests, 2);
    for (enum way way = 0; way < WAY_COUNT; way++)
        assert_int_equal(p.cost.ways[way].chunks, way == WAY_PRESENT ? 0 : 1);
    assert_int_equal(p.cost.chunks, 5);
    assert_int_equal(p.cost.missing, 4);
    assert_int_equal(p.cost.fetched, 2);
    assert_int_equal(p.cost.write, 20 + 40 + 100);
    plan_free(&p);
}

/* The pack's ranges come first. Equal places in the two files are two requests, and what lies
 * between two chunks is judged in each file by itself. */
static void ranges_of_a_pack_and_of_the_archive(void **state)
{
    static const struct plan_item deltas[] = {
        {.way = WAY_DELTA, .where = 1010, .size = 5},
        {.way = WAY_DELTA, .where = 1000, .size = 10},
        {.way = WAY_DELTA, .where = 900000, .size = 1},
    };
    struct table t = {0};
    struct plan p;
    struct err e = ERR_INIT;

    (void)state;
    for (uint64_t i = 0; i < 6; i++)
        add(&t, 1000 + 10 * i, 10, true);
    make(&t, &p);
    for (size_t i = 0; i < COUNT(deltas); i++)
        p.items[2 * i] = deltas[i];
    assert_ok(plan_arrange(&p, &t.image, &e), e);
    assert_int_equal(p.range_count, 3);
    assert_range(&p, 0, 1000, 15, 2);
    assert_range(&p, 1, 900000, 1, 1);
    assert_range(&p, 2, 1010, 50, 3);
    assert_int_equal(p.fetched[0], 2);
    assert_int_equal(p.fetched[1], 0);
    assert_int_equal(p.fetched[2], 4);
    assert_int_equal(p.pack.count, 3);
    assert_int_equal(p.pack.range_count, 2);
    assert_int_equal(p.pack.download, 16);
    assert_int_equal(p.archive.first, 3);
    assert_int_equal(p.archive.count, 3);
    assert_int_equal(p.archive.first_range, 2);
    assert_int_equal(p.archive.range_count, 1);
    assert_int_equal(p.archive.download, 50);
    assert_int_equal(p.cost.download, 66);
    assert_int_equal(p.cost.requests, 3);
    plan_free(&p);
}

/* The highest offsets that a header may have. */
static void huge_offsets(void **state)
{
    struct table t = {0};
    struct plan p;

    (void)state;
    add(&t, UINT64_MAX - 200, 50, true);
    add(&t, UINT64_MAX - 100, 100, true);
    make(&t, &p);
    assert_int_equal(p.range_count, 1);
    assert_range(&p, 0, UINT64_MAX - 200, 200, 2);
    plan_free(&p);
}

static void fill_at_random(struct table *t, uint64_t *seed)
{
    uint64_t at = support_random(seed) % 5000;
    size_t count = support_random(seed) % MAX_CHUNKS;
    uint32_t gap_scale = 1u << (support_random(seed) % 16), step = support_random(seed) % 3;

    for (size_t i = 0; i < count; i++) {
        uint32_t size = 1 + support_random(seed) % (1u << (4 + support_random(seed) % 18));

        add(t, at, step == 1 ? 4096 : size, support_random(seed) % 3 != 0);
        t->chunks[i].zero = support_random(seed) % 20 == 0;
        at += step == 1 ? 4096 : size;
        at += step == 2 ? support_random(seed) % gap_scale : 0;
        if (support_random(seed) % 50 == 0)
            at -= at < 100 ? 0 : 100; /* an overlap */
    }
}

static bool lies_in(const struct chunk *c, const struct plan_range *r)
{
    return c->archive_offset >= r->offset &&
           c->archive_offset + c->archive_size <= r->offset + r->size;
}

/* Every missing chunk belongs to exactly one range and lies in it. */
static void check_membership(const struct table *t, const struct plan *p)
{
    unsigned seen[MAX_CHUNKS] = {0};
    size_t next = 0;

    for (size_t r = 0; r < p->range_count; r++) {
        const struct plan_range *range = &p->ranges[r];

        assert_int_equal(range->first, next);
        next += range->count;
        assert_true(range->count > 0);
        assert_true(range->size <= PLAN_RANGE || range->count == 1);
        for (size_t i = range->first; i < next; i++) {
            assert_true(lies_in(&t->chunks[p->fetched[i]], range));
            seen[p->fetched[i]]++;
        }
    }
    assert_int_equal(next, p->fetched_count);
    for (size_t i = 0; i < t->image.chunks.count; i++)
        seen[i] += p->items[i].way == WAY_ZERO;
    for (size_t i = 0; i < t->image.chunks.count; i++)
        assert_int_equal(seen[i], t->missing[i] ? 1 : 0);
}

/* Each range costs at most the free gaps; all together at most 0.5 % more. */
static void check_waste(const struct table *t, const struct plan *p)
{
    uint64_t needed = 0, sum = 0, free_gaps = 0;

    for (size_t i = 0; i < p->fetched_count; i++)
        needed += t->chunks[p->fetched[i]].archive_size;
    for (size_t r = 0; r < p->range_count; r++) {
        sum += p->ranges[r].size;
        free_gaps += (p->ranges[r].count - 1) * PLAN_FREE_GAP;
    }
    assert_true(sum == p->cost.download);
    if (sum > needed + free_gaps + needed / PLAN_WASTE_DIVISOR)
        fail_msg("%llu bytes are fetched for %llu", (unsigned long long)sum,
                 (unsigned long long)needed);
}

static void properties(void **state)
{
    static struct table t;
    uint64_t seed = 20240607;
    struct plan p;

    (void)state;
    for (int round = 0; round < 3000; round++) {
        t.image.chunks.count = 0;
        fill_at_random(&t, &seed);
        make(&t, &p);
        check_membership(&t, &p);
        check_waste(&t, &p);
        plan_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_missing),
        cmocka_unit_test(neighbours_share_a_range),
        cmocka_unit_test(small_gaps_are_fetched_along),
        cmocka_unit_test(gaps_within_the_budget),
        cmocka_unit_test(equal_gaps_do_not_break_the_budget),
        cmocka_unit_test(scattered_chunks_buy_no_gaps),
        cmocka_unit_test(ranges_are_cut),
        cmocka_unit_test(overlaps),
        cmocka_unit_test(zero_chunks_are_not_fetched),
        cmocka_unit_test(arranged_anew_for_other_ways),
        cmocka_unit_test(ranges_of_a_pack_and_of_the_archive),
        cmocka_unit_test(huge_offsets),
        cmocka_unit_test(properties),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
