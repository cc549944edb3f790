/* SPDX-License-Identifier: MIT */
/* test_chunk_map: which chunk holds a byte of the image, for each byte. */
#include "support.h"

#include "format/chunk_map.h"

#include <stdlib.h>

/* Each entry is found from its first to its last byte. */
static void finds_at_each_border(void **state)
{
    static const uint32_t sizes[] = {1, 2, 4096, 3, 1, 65536, 7};
    struct image image = support_image(sizes, COUNT(sizes), 16);
    struct err e = ERR_INIT;
    struct chunk_map map;

    (void)state;
    image.order[4] = 2; /* a chunk used twice */
    assert_ok(chunk_map_init(&map, &image, &e), e);
    assert_int_equal(map.count, COUNT(sizes));
    assert_int_equal(map.starts[0], 0);
    for (size_t i = 0; i < map.count; i++) {
        uint64_t size = map.starts[i + 1] - map.starts[i];

        assert_int_equal(size, sizes[image.order[i]]);
        assert_int_equal(chunk_map_find(&map, map.starts[i]), i);
        assert_int_equal(chunk_map_find(&map, map.starts[i] + size / 2), i);
        assert_int_equal(chunk_map_find(&map, map.starts[i + 1] - 1), i);
    }
    chunk_map_free(&map);
    image_free(&image);
}

static void one_and_none(void **state)
{
    static const uint32_t sizes[] = {10};
    struct image one = support_image(sizes, 1, 16), none = support_image(sizes, 0, 16);
    struct err e = ERR_INIT;
    struct chunk_map map;

    (void)state;
    assert_ok(chunk_map_init(&map, &one, &e), e);
    assert_int_equal(chunk_map_find(&map, 0), 0);
    assert_int_equal(chunk_map_find(&map, 9), 0);
    chunk_map_free(&map);
    assert_ok(chunk_map_init(&map, &none, &e), e);
    assert_int_equal(map.count, 0);
    assert_int_equal(map.starts[0], 0);
    chunk_map_free(&map);
    image_free(&one);
    image_free(&none);
}

/* Offsets beyond 32 bits: 100 chunks of 64 MiB. */
static void large_images(void **state)
{
    static const uint32_t sizes[] = {1};
    struct image image = support_image(sizes, 1, 16);
    struct err e = ERR_INIT;
    struct chunk_map map;

    (void)state;
    free(image.order);
    image.order = calloc(100, sizeof *image.order);
    image.order_count = 100;
    image.chunks.items[0].source_size = 64 << 20;
    assert_ok(chunk_map_init(&map, &image, &e), e);
    assert_true(map.starts[100] == UINT64_C(100) * (64 << 20));
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(chunk_map_find(&map, map.starts[i + 1] - 1), i);
    chunk_map_free(&map);
    image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_at_each_border),
        cmocka_unit_test(one_and_none),
        cmocka_unit_test(large_images),
    };

    return cmocka_run_group_tests_name("chunk_map", tests, NULL, NULL);
}
