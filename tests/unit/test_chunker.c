/* SPDX-License-Identifier: MIT */
/* test_chunker: where each chunking algorithm cuts, whatever the sizes of the pieces it is fed
 * with. */
#include "support.h"

#include "base/checked.h"
#include "base/limits.h"
#include "chunker/chunker.h"
#include "chunker/rolling.h"

#include <stdlib.h>
#include <string.h>

#define SIZE ((size_t)20000)

static const struct chunker_config configs[] = {
    {IMAGE_ROLLSUM, 9, 64, 256, 4096},  {IMAGE_BUZHASH, 9, 16, 256, 4096},
    {IMAGE_ROLLSUM, 5, 64, 16, 512},    {IMAGE_BUZHASH, 5, 64, 16, 512},
    {IMAGE_ROLLSUM, 6, 48, 0, 1000},    {IMAGE_BUZHASH, 6, 48, 1, 1000},
    {IMAGE_ROLLSUM, 20, 1, 0, 100},     {IMAGE_BUZHASH, 1, 1, 2, 64},
    {IMAGE_BUZHASH, 6, 64, 64, 64},     {IMAGE_ROLLSUM, 32, 3000, 1, 1 << 20},
    {IMAGE_BUZHASH, 4, 3000, 1, 10000}, {IMAGE_FIXED_SIZE, 0, 0, 0, 1},
    {IMAGE_FIXED_SIZE, 0, 0, 0, 4096},
};

/* What the inputs are made of: each kind begins as BuzHash likes it least. */
static void fill_input(uint8_t *data, int kind)
{
    uint64_t seed = 5;

    support_fill(data, SIZE, 4711);
    for (size_t i = 100; kind > 0 && i < SIZE;) {
        size_t run = min_size(support_random(&seed) % 300, SIZE - i);

        memset(data + i, kind == 1 ? 0 : (int)(support_random(&seed) % 3), run);
        i += run + (kind == 1 ? 20 : 0);
    }
    if (kind == 3)
        memset(data, 0, SIZE);
    if (kind == 4)
        memset(data + 64, 0, SIZE / 2);
}
#define KINDS 5

/* Cuts data in pushes of sizes that next gives; ends[i] is where chunk i ends. */
static size_t cut(const struct chunker_config *config, const uint8_t *data, size_t *ends,
                  size_t (*next)(uint64_t *seed), uint64_t seed)
{
    struct err e = ERR_INIT;
    struct chunker *c = chunker_new(config, &e);
    size_t count = 0;

    assert_non_null(c);
    for (size_t at = 0; at < SIZE;) {
        size_t size = min_size(next(&seed), SIZE - at), used;
        /* A copy of just these bytes: reading beside them is a fault to valgrind and ASan. */
        uint8_t *copy = malloc(size);
        bool boundary = false;

        assert_non_null(copy);
        memcpy(copy, data + at, size);
        used = chunker_push(c, copy, size, &boundary);
        free(copy);
        assert_true(used > 0);
        assert_true(boundary || used == size);
        at += used;
        if (boundary)
            ends[count++] = at;
    }
    chunker_free(c);
    return count;
}

static size_t all(uint64_t *seed)
{
    (void)seed;
    return SIZE;
}

static size_t one(uint64_t *seed)
{
    (void)seed;
    return 1;
}

static size_t up_to_200(uint64_t *seed)
{
    return 1 + support_random(seed) % 200;
}

static size_t up_to_5000(uint64_t *seed)
{
    return 1 + support_random(seed) % 5000;
}

static void each_split_gives_the_same(void **state)
{
    static size_t (*const splits[])(uint64_t *) = {one, up_to_200, up_to_5000};
    static size_t expected[SIZE], ends[SIZE];
    static uint8_t data[SIZE];

    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        fill_input(data, kind);
        for (size_t i = 0; i < COUNT(configs); i++) {
            size_t count = cut(&configs[i], data, expected, all, 0);

            for (size_t split = 0; split < COUNT(splits); split++) {
                assert_int_equal(cut(&configs[i], data, ends, splits[split], i), count);
                assert_memory_equal(ends, expected, count * sizeof *ends);
            }
        }
    }
}

/* At each offset the rolled sum is that of its window, and a boundary is reported
 * exactly where the mask fits. */
static void rolled_is_from_scratch(void **state)
{
    static const uint32_t windows[] = {1, 2, 7, 8, 16, 31, 32, 33, 64, 1000, 70000};
    const size_t capacity = 70000;
    uint8_t *data = calloc(1, capacity + SIZE), *start = data + capacity;

    (void)state;
    assert_non_null(data);
    fill_input(start, 1);
    for (size_t i = 0; i < 2 * COUNT(windows); i++) {
        struct chunker_config config = {i % 2 ? IMAGE_ROLLSUM : IMAGE_BUZHASH, 3, windows[i / 2], 0,
                                        1};
        struct rolling r = {0};
        uint64_t seed = i;
        uint32_t sum;
        size_t hits = 0;

        rolling_init(&r, &config);
        r.mask = 0x00020003; /* some of either half, which no number of bits gives */
        sum = r.ops->sum(&r, start);
        for (size_t at = 0; at < 3000;) {
            bool hit = false;
            size_t size = 1 + support_random(&seed) % 50, used;

            used = r.ops->roll(&r, &sum, start + at, size, &hit);
            for (size_t k = 1; k < used; k++)
                assert_int_not_equal(r.ops->sum(&r, start + at + k) & r.mask, r.mask);
            at += used;
            assert_int_equal(sum, r.ops->sum(&r, start + at));
            assert_int_equal(hit, (sum & r.mask) == r.mask);
            hits += hit;
        }
        assert_true(hits > 10);
    }
    free(data);
}

/* The definition of RollSum, in 32 bits and without any rolling. */
static void rollsum_by_hand(void **state)
{
    static const uint8_t data[] = {200, 1, 255};
    struct chunker_config config = {IMAGE_ROLLSUM, 1, 3, 0, 3};
    uint32_t s1 = 3 * 31 + 200 + 1 + 255, s2 = 3 * 2 * 31 + 3 * 200 + 2 * 1 + 255;
    struct rolling r = {0};

    (void)state;
    rolling_init(&r, &config);
    assert_int_equal(r.ops->sum(&r, data + 3), s1 << 16 | s2);
}

static void refuses(struct chunker_config config, const char *part)
{
    struct err e = ERR_INIT;

    assert_fails(chunker_config_check(&config, &e), e, ERR_USAGE, part);
    assert_null(chunker_new(&config, &e));
}

static void odd_configs_are_refused(void **state)
{
    const struct chunker_config good = {IMAGE_ROLLSUM, 15, 64, 16384, 1 << 24};
    struct chunker_config c = good;
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(chunker_config_check(&good, &e), e);
    for (size_t i = 0; i < COUNT(configs); i++)
        assert_ok(chunker_config_check(&configs[i], &e), e);
    c.filter_bits = 0;
    refuses(c, "filter bits is 0; 1 to 32");
    c.filter_bits = 33;
    refuses(c, "filter bits is 33; 1 to 32");
    c = good, c.max_size = 0;
    refuses(c, "maximum size is 0; 1 to 67108864");
    c = good, c.max_size = (uint32_t)LIMIT_CHUNK + 1;
    refuses(c, "maximum size is 67108865;");
    c = good, c.min_size = c.max_size + 1;
    refuses(c, "minimum size is 16777217; 0 to 16777216");
    c = good, c.window_size = 0;
    refuses(c, "window is 0; 1 to 65536");
    c = good, c.window_size = (uint32_t)LIMIT_WINDOW + 1;
    refuses(c, "window is 65537");
    c = (struct chunker_config){IMAGE_BUZHASH, 5, 65, 0, 64};
    refuses(c, "window is 65; 1 to 64");
    c = (struct chunker_config){.algorithm = IMAGE_FIXED_SIZE};
    refuses(c, "fixed size is 0; 1 to 67108864");
    c = (struct chunker_config){.algorithm = (enum image_chunker)3, .max_size = 1};
    refuses(c, "unknown chunking algorithm 3");
}

static void config_of_an_image(void **state)
{
    static const uint32_t sizes[] = {1};
    struct image image = support_image(sizes, 1, 16);
    struct chunker_config c;

    (void)state;
    image.chunker = IMAGE_BUZHASH;
    chunker_config_of(&image, &c);
    assert_int_equal(c.algorithm, IMAGE_BUZHASH);
    assert_int_equal(c.filter_bits, 15);
    assert_int_equal(c.min_size, 16384);
    assert_int_equal(c.max_size, 1 << 24);
    assert_int_equal(c.window_size, 64);
    image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_split_gives_the_same), cmocka_unit_test(rolled_is_from_scratch),
        cmocka_unit_test(rollsum_by_hand),           cmocka_unit_test(odd_configs_are_refused),
        cmocka_unit_test(config_of_an_image),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
