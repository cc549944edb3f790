/* SPDX-License-Identifier: MIT */
/* test_chunk_usage: how many releases need each chunk, as they are added and subtracted. */
#include "support.h"

#include "store/chunk_usage.h"

#include <stdlib.h>
#include <string.h>

/* Chunk i of two images is the same when its size is. */
static const uint32_t first_sizes[] = {1000, 2000, 3000, 4000};
static const uint32_t second_sizes[] = {1000, 2001, 3000, 4001, 5000};

static uint32_t count_of(const struct chunk_usage *c, const struct image *image, size_t chunk)
{
    return chunk_usage_count(c, chunk_table_hash(&image->chunks, chunk), image->chunks.hash_length);
}

static void assert_sum(struct chunk_usage_sum sum, uint64_t chunks, uint64_t bytes)
{
    assert_int_equal(sum.chunks, chunks);
    assert_int_equal(sum.bytes, bytes);
}

static void adds_and_subtracts(void **state)
{
    struct image a = support_image(first_sizes, COUNT(first_sizes), 64);
    struct image b = support_image(second_sizes, COUNT(second_sizes), 64);
    struct chunk_usage c = {0};
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(count_of(&c, &a, 0), 0); /* before it has a table */
    assert_ok(chunk_usage_add(&c, &a.chunks, &e), e);
    assert_int_equal(count_of(&c, &a, 0), 1);
    assert_int_equal(count_of(&c, &b, 1), 0);
    assert_ok(chunk_usage_add(&c, &b.chunks, &e), e);
    assert_ok(chunk_usage_add(&c, &b.chunks, &e), e);
    assert_int_equal(count_of(&c, &a, 0), 3);
    assert_int_equal(count_of(&c, &a, 1), 1);
    assert_int_equal(count_of(&c, &b, 1), 2);
    assert_int_equal(c.count, 7);

    chunk_usage_subtract(&c, &b.chunks);
    assert_int_equal(count_of(&c, &a, 0), 2);
    assert_int_equal(count_of(&c, &b, 4), 1);
    chunk_usage_subtract(&c, &b.chunks);
    chunk_usage_subtract(&c, &a.chunks);
    for (size_t i = 0; i < b.chunks.count; i++)
        assert_int_equal(count_of(&c, &b, i), 0);
    chunk_usage_free(&c);
    assert_int_equal(count_of(&c, &a, 0), 0);
    image_free(&a);
    image_free(&b);
}

static void sums(void **state)
{
    struct image a = support_image(first_sizes, COUNT(first_sizes), 64);
    struct image b = support_image(second_sizes, COUNT(second_sizes), 64);
    struct chunk_usage c = {0};
    struct err e = ERR_INIT;

    (void)state;
    b.chunks.items[4].zero = true; /* is a chunk, and takes no space */
    assert_ok(chunk_usage_add(&c, &a.chunks, &e), e);
    assert_ok(chunk_usage_add(&c, &b.chunks, &e), e);
    assert_sum(chunk_usage_sum(&c, &a.chunks, 1), 2, 2000 + 4000);
    assert_sum(chunk_usage_sum(&c, &a.chunks, 2), 2, 1000 + 3000);
    assert_sum(chunk_usage_sum(&c, &b.chunks, 1), 3, 2001 + 4001);
    assert_sum(chunk_usage_sum(&c, &b.chunks, 2), 2, 1000 + 3000);
    assert_sum(chunk_usage_sum(&c, &a.chunks, 3), 0, 0);
    assert_sum(chunk_usage_sum(NULL, &b.chunks, 0), 5, 1000 + 2001 + 3000 + 4001);
    chunk_usage_free(&c);
    image_free(&a);
    image_free(&b);
}

/* A short hash is the beginning of a long one, but names another file. */
static void lengths_differ(void **state)
{
    static const size_t lengths[] = {4, 8, 15, 16, 17, 32, 64};
    struct image images[COUNT(lengths)];
    struct chunk_usage c = {0};
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(lengths); i++) {
        images[i] = support_image(first_sizes, 1, lengths[i]);
        assert_ok(chunk_usage_add(&c, &images[i].chunks, &e), e);
    }
    assert_int_equal(c.count, COUNT(lengths));
    for (size_t i = 0; i < COUNT(lengths); i++) {
        assert_int_equal(count_of(&c, &images[i], 0), 1);
        chunk_usage_subtract(&c, &images[i].chunks);
        assert_int_equal(count_of(&c, &images[i], 0), 0);
        image_free(&images[i]);
    }
    chunk_usage_free(&c);
}

/* An image of many chunks with made-up hashes; begun: how many hashes to skip. */
static struct image make_large(size_t begun, size_t count, size_t hash_length)
{
    struct image image = {.chunks = {.hash_length = hash_length,
                                     .items = calloc(count, sizeof *image.chunks.items),
                                     .hashes = malloc(count * hash_length),
                                     .count = count}};

    assert_non_null(image.chunks.items);
    assert_non_null(image.chunks.hashes);
    for (size_t i = 0; i < count; i++) {
        image.chunks.items[i].source_size = 1;
        support_fill(image.chunks.hashes + i * hash_length, hash_length, begun + i);
    }
    return image;
}

/* The table grows several times, in one step and in many. */
static void grows(void **state)
{
    enum { LARGE = 50000, STEP = 700, STEPS = 20 };
    struct image large = make_large(0, LARGE, 20), small;
    struct chunk_usage c = {0};
    struct err e = ERR_INIT;

    (void)state;
    for (size_t s = 0; s < STEPS; s++) {
        small = make_large(LARGE - 5000 + s * STEP, STEP, 20);
        assert_ok(chunk_usage_add(&c, &small.chunks, &e), e);
        image_free(&small);
    }
    assert_ok(chunk_usage_add(&c, &large.chunks, &e), e);
    assert_int_equal(c.count, LARGE - 5000 + STEPS * STEP);
    assert_true(c.capacity > c.count);
    for (size_t i = 0; i < LARGE; i++)
        if (count_of(&c, &large, i) != (i < LARGE - 5000 ? 1 : 2))
            fail_msg("chunk %zu was counted %u times", i, count_of(&c, &large, i));
    assert_sum(chunk_usage_sum(&c, &large.chunks, 2), 5000, 5000);
    small = make_large(LARGE - 5000 + STEPS * STEP, STEP, 20);
    assert_sum(chunk_usage_sum(&c, &small.chunks, 1), 0, 0); /* never added */
    image_free(&small);
    image_free(&large);
    chunk_usage_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_and_subtracts),
        cmocka_unit_test(sums),
        cmocka_unit_test(lengths_differ),
        cmocka_unit_test(grows),
    };

    return cmocka_run_group_tests_name("chunk_usage", tests, NULL, NULL);
}
