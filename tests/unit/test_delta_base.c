/* SPDX-License-Identifier: MIT */
/* test_delta_base: what bases of deltas are chosen by: spans of blocks, which are compared with a
 * map of every block, and the index of shingles, which finds what moved and nothing of zeros. */
#include "support.h"

#include "base/limits.h"
#include "compress/block_set.h"
#include "compress/shingle_index.h"
#include "format/delta_list.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS 400

/* ---- block_set ---- */

static uint64_t count_map(const bool *map, uint32_t first, uint32_t end)
{
    uint64_t count = 0;

    for (uint32_t i = first; i < end; i++)
        count += map[i];
    return count;
}

static void assert_is_map(const struct block_set *s, const bool *map)
{
    uint64_t blocks = 0;

    for (size_t i = 0; i < s->count; i++) {
        assert_true(s->spans[i].first < s->spans[i].end);
        if (i > 0)
            assert_true(s->spans[i].first > s->spans[i - 1].end); /* else they would be one */
        blocks += s->spans[i].end - s->spans[i].first;
        assert_int_equal(count_map(map, s->spans[i].first, s->spans[i].end),
                         s->spans[i].end - s->spans[i].first);
    }
    assert_int_equal(blocks, s->blocks);
    assert_int_equal(blocks, count_map(map, 0, BLOCKS));
}

static void test_spans_are_those_of_a_map(void **state)
{
    uint64_t seed = 7;

    (void)state;
    for (int round = 0; round < 200; round++) {
        struct block_set s = {.count = 0};
        bool map[BLOCKS] = {false};

        for (int i = 0; i < 30; i++) {
            uint32_t first = support_random(&seed) % BLOCKS,
                     end = first + support_random(&seed) % 12;

            end = end > BLOCKS ? BLOCKS : end;
            block_set_add(&s, first, end);
            for (uint32_t k = first; k < end; k++)
                map[k] = true;
            assert_is_map(&s, map);
            assert_int_equal(block_set_common(&s, 50, 150), count_map(map, 50, 150));
        }
    }
}

static void test_smallest_gaps_are_closed_first(void **state)
{
    struct block_set s = {.count = 0};

    (void)state;
    block_set_add(&s, 0, 10);
    block_set_add(&s, 20, 30);
    block_set_add(&s, 32, 40);
    block_set_add(&s, 100, 110);
    block_set_reduce(&s, 3, 1000);
    assert_int_equal(s.count, 3);
    assert_int_equal(s.spans[1].first, 20);
    assert_int_equal(s.spans[1].end, 40);
    block_set_reduce(&s, 2, 1000);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.spans[0].first, 0);
    assert_int_equal(s.spans[0].end, 40);
}

static void test_no_more_blocks_than_allowed(void **state)
{
    struct block_set s = {.count = 0};

    (void)state;
    block_set_add(&s, 0, 10);
    block_set_add(&s, 100, 104);
    block_set_add(&s, 200, 220);
    block_set_reduce(&s, 2, 40); /* No gap fits: the smallest span goes. */
    assert_int_equal(s.count, 2);
    assert_int_equal(s.blocks, 30);
    assert_int_equal(s.spans[1].first, 200);
    block_set_reduce(&s, 2, 25);
    assert_int_equal(s.blocks, 20);
    block_set_reduce(&s, 2, 5);
    assert_int_equal(s.count, 1);
    assert_int_equal(s.blocks, 5);
    assert_int_equal(s.spans[0].end, 205);
}

static void test_full_set_takes_no_more(void **state)
{
    struct block_set s = {.count = 0};

    (void)state;
    for (uint32_t i = 0; i < 2 * BLOCK_SET_MAX; i++)
        block_set_add(&s, 3 * i, 3 * i + 1);
    assert_int_equal(s.count, BLOCK_SET_MAX);
    block_set_add(&s, 1, 3); /* what touches others still fits */
    assert_int_equal(s.spans[0].end, 4);
}

/* ---- shingle_index ---- */

#define DATA ((size_t)(256 * KIB))

static void test_what_moved_is_found(void **state)
{
    struct err e = ERR_INIT;
    struct shingle_index *x = shingle_index_new(DATA, &e);
    struct shingle_list old = {.items = NULL}, new = {.items = NULL};
    uint8_t *data = malloc(2 * DATA);
    size_t found = 0;

    (void)state;
    assert_non_null(x);
    support_fill(data, 2 * DATA, 1);
    assert_ok(shingle_list_scan(&old, data, DATA, shingle_index_rarity(x), &e), e);
    assert_ok(shingle_index_add(x, 7 * DELTA_BLOCK, &old, &e), e);
    assert_ok(shingle_index_finish(x, &e), e);
    /* One in 32, more or less. */
    assert_in_range(old.count, DATA / 32 / 2, DATA / 32 * 2);

    /* The same bytes, from an odd place on, behind others. */
    memmove(data + 1000, data + 54321, 64 * KIB);
    support_fill(data, 1000, 2);
    assert_ok(shingle_list_scan(&new, data, 64 * KIB + 1000, shingle_index_rarity(x), &e), e);
    for (size_t i = 0; i < new.count; i++) {
        size_t count;
        const uint64_t *entries = shingle_index_find(x, new.items[i].hash, &count);

        for (size_t k = 0; k < count; k++)
            found += shingle_index_block(entries[k]) ==
                     7 + (54321 + new.items[i].at - 1000) / DELTA_BLOCK;
    }
    assert_true(found + 40 >= new.count);
    assert_true(new.count > 1000);
    free(data);
    shingle_list_free(&old);
    shingle_list_free(&new);
    shingle_index_free(x);
}

static void test_what_repeats_itself_is_little(void **state)
{
    static const char *const patterns[] = {"\0", "\xff", "ab", "0123456789"};
    struct err e = ERR_INIT;
    struct shingle_list list = {.items = NULL};
    uint8_t *data = malloc(DATA);

    (void)state;
    for (size_t p = 0; p < sizeof patterns / sizeof patterns[0]; p++) {
        size_t period = p == 0 ? 1 : strlen(patterns[p]);

        for (size_t i = 0; i < DATA; i++)
            data[i] = (uint8_t)patterns[p][i % period];
        assert_ok(shingle_list_scan(&list, data, DATA, 0, &e), e);
        assert_true(list.count <= 2 * DATA + 4);
        if (period == 1)
            assert_int_equal(list.count, p == 0 ? 0 : 1);
    }
    /* Zeros behind something else: each shingle that reaches into it, and no other. */
    support_fill(data, 1000, 3);
    memset(data + 1000, 0, DATA - 1000);
    assert_ok(shingle_list_scan(&list, data, DATA, 0, &e), e);
    assert_int_equal(list.count, 1000);
    support_fill(data, SHINGLE_SIZE, 3);
    assert_ok(shingle_list_scan(&list, data, SHINGLE_SIZE - 1, 0, &e), e);
    assert_int_equal(list.count, 0);
    assert_ok(shingle_list_scan(&list, data, SHINGLE_SIZE, 0, &e), e);
    assert_int_equal(list.count, 1);
    free(data);
    shingle_list_free(&list);
}

static void test_index_is_bounded(void **state)
{
    struct err e = ERR_INIT;
    const uint64_t sizes[] = {0, 1, 256 * MIB, 257 * MIB, 4096 * MIB, UINT64_C(1) << 44};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct shingle_index *x = shingle_index_new(sizes[i], &e);

        assert_non_null(x);
        assert_true(sizes[i] >> shingle_index_rarity(x) <= SHINGLE_INDEX_ENTRIES);
        assert_ok(shingle_index_finish(x, &e), e); /* of nothing */
        shingle_index_free(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spans_are_those_of_a_map),
        cmocka_unit_test(test_smallest_gaps_are_closed_first),
        cmocka_unit_test(test_no_more_blocks_than_allowed),
        cmocka_unit_test(test_full_set_takes_no_more),
        cmocka_unit_test(test_what_moved_is_found),
        cmocka_unit_test(test_what_repeats_itself_is_little),
        cmocka_unit_test(test_index_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
