/* SPDX-License-Identifier: MIT */
/* test_delta_list: lists of deltas are written and read again; and each check has its value. */
#include "support.h"

#include "base/limits.h"
#include "format/columns.h"
#include "format/delta_list.h"

#include <stdlib.h>
#include <string.h>

#define BLOCKS     5000
#define DELTAS_AT  777
#define OLD_SIZE   (BLOCKS * DELTA_BLOCK - 4000) /* the last block has 96 bytes */
#define MOST_COUNT 1024                          /* blocks of LIMIT_DELTA_BASE */

static const uint32_t sizes[] = {1000, 2000, 70, 3000, 512, 9000};

/* A delta as a row; encoding goes by these, and by the library in the round trip. */
struct row {
    uint64_t skip, codec, size, ranges;
};
struct range_row {
    uint64_t count, near;
};
struct columns {
    uint64_t count;
    struct row rows[8];
    struct range_row ranges[40];
    size_t range_count; /* of the above */
    const char *tail;
    uint64_t pack_size; /* 0: as it should be */
};

/* Of chunks 0, 2, 3 and 5: a copy, two ranges, none, one. */
static const struct columns good = {
    .count = 4,
    .rows = {{0, DELTA_COPY, 0, 0},
             {1, DELTA_ZSTD, 70, 2},
             {0, DELTA_ZSTD, 2999, 0},
             {1, DELTA_BSDIFF, 8, 1}},
    .ranges = {{3, 2 * 10}, {1, 2 * 7 - 1}, {1, 2 * (BLOCKS - 1 - 7)}},
    .range_count = 3,
    .tail = "",
};
static const uint64_t good_sizes = 1000 + 70 + 2999 + 8;

static void encode_columns(const struct columns *c, struct columns_writer *w)
{
    uint32_t coded[8];
    size_t rows = c->count < 8 ? (size_t)c->count : 8, n = 0;

    columns_put(w, c->count);
    for (size_t i = 0; i < rows; i++)
        columns_put(w, c->rows[i].skip);
    for (size_t i = 0; i < rows; i++)
        columns_put(w, c->rows[i].codec);
    for (size_t i = 0; i < rows; i++)
        if (c->rows[i].codec != DELTA_COPY)
            coded[n++] = (uint32_t)c->rows[i].size;
    columns_put_planes(w, coded, n);
    for (size_t i = 0; i < rows; i++)
        if (c->rows[i].codec != DELTA_COPY)
            columns_put(w, c->rows[i].ranges);
    for (size_t i = 0; i < c->range_count; i++)
        columns_put(w, c->ranges[i].count);
    for (size_t i = 0; i < c->range_count; i++)
        columns_put(w, c->ranges[i].near);
    columns_put_bytes(w, c->tail, strlen(c->tail));
    assert_false(w->failed);
}

static int decode_columns(const struct columns *c, struct image *image, struct delta_list *list,
                          struct err *e)
{
    struct delta_list_place place = {DELTAS_AT, DELTAS_AT + good_sizes, OLD_SIZE};
    struct columns_writer w = {0};
    int r;

    if (c->pack_size)
        place.pack_size = c->pack_size;
    encode_columns(c, &w);
    r = delta_list_decode(w.data, w.size, image, &place, list, e);
    free(w.data);
    return r;
}

static void the_columns_mean(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    static const struct delta expected[] = {
        {DELTAS_AT, 1000, 0, 0, 0, DELTA_COPY},
        {DELTAS_AT + 1000, 70, 2, 0, 2, DELTA_ZSTD},
        {DELTAS_AT + 1070, 2999, 3, 2, 0, DELTA_ZSTD},
        {DELTAS_AT + 4069, 8, 5, 2, 1, DELTA_BSDIFF},
    };
    static const struct delta_range ranges[] = {{10, 3}, {6, 1}, {BLOCKS - 1, 1}};
    static const uint64_t bases[] = {0, 4 * DELTA_BLOCK, 0, 96};
    struct delta_list list;
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(decode_columns(&good, &image, &list, &e), e);
    assert_int_equal(list.count, COUNT(expected));
    assert_int_equal(list.range_count, COUNT(ranges));
    assert_memory_equal(list.ranges, ranges, sizeof ranges);
    for (size_t i = 0; i < list.count; i++) {
        assert_true(list.items[i].offset == expected[i].offset);
        assert_int_equal(list.items[i].size, expected[i].size);
        assert_int_equal(list.items[i].chunk, expected[i].chunk);
        assert_int_equal(list.items[i].first_range, expected[i].first_range);
        assert_int_equal(list.items[i].range_count, expected[i].range_count);
        assert_int_equal(list.items[i].codec, expected[i].codec);
        assert_true(delta_list_base_size(&list, &list.items[i], OLD_SIZE) == bases[i]);
    }
    delta_list_free(&list);
    assert_null(list.items);
    image_free(&image);
}

/* Both columns of a change are counted from good. */
static void assert_list_refused(const struct columns *c, const char *part)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct delta_list list = {.count = 99};
    struct err e = ERR_INIT;

    assert_fails(decode_columns(c, &image, &list, &e), e, ERR_ARCHIVE, part);
    assert_int_equal(list.count, 99);
    image_free(&image);
}

#define ROW_CASE(i, member, value_, part)                                                          \
    do {                                                                                           \
        struct columns c_ = good;                                                                  \
        c_.rows[i].member = (value_);                                                              \
        assert_list_refused(&c_, part);                                                            \
    } while (0)
#define RANGE_CASE(i, member, value_, part)                                                        \
    do {                                                                                           \
        struct columns c_ = good;                                                                  \
        c_.ranges[i].member = (value_);                                                            \
        assert_list_refused(&c_, part);                                                            \
    } while (0)

static void hostile_chunks(void **state)
{
    struct columns c = good;

    (void)state;
    ROW_CASE(3, skip, 2, "more chunks than the image has");
    ROW_CASE(3, skip, UINT64_MAX, "more chunks than the image has");
    ROW_CASE(3, skip, UINT64_MAX - 3, "more chunks than the image has");
    ROW_CASE(0, codec, DELTA_CODECS, "codec 3, which is not known");
    ROW_CASE(1, codec, 256 + DELTA_ZSTD, "codec 257");
    ROW_CASE(1, codec, UINT64_MAX, "not known");
    ROW_CASE(1, size, 71, "has 71 bytes (1 to 70");
    ROW_CASE(1, size, 0, "has 0 bytes");
    ROW_CASE(1, size, UINT32_MAX, "4294967295 bytes");
    c.count = COUNT(sizes) + 1;
    assert_list_refused(&c, "more deltas than the image has chunks");
    c.count = UINT64_MAX;
    assert_list_refused(&c, "more deltas than the image has chunks");
    c = good;
    c.tail = "x";
    assert_list_refused(&c, "1 bytes too many");
}

static void hostile_places(void **state)
{
    struct columns c = good;

    (void)state;
    c.pack_size = DELTAS_AT + good_sizes - 1;
    assert_list_refused(&c, "beyond its end");
    c.pack_size = DELTAS_AT - 1;
    assert_list_refused(&c, "beyond its end");
    c.pack_size = DELTAS_AT + good_sizes + 1;
    assert_list_refused(&c, "1 bytes follow its deltas");
    c.pack_size = UINT64_MAX;
    assert_list_refused(&c, "follow its deltas");
    /* One byte of another delta less. */
    ROW_CASE(1, size, 69, "1 bytes follow");
}

static void hostile_ranges(void **state)
{
    (void)state;
    ROW_CASE(3, ranges, 0, "has 0 ranges");
    ROW_CASE(1, ranges, LIMIT_DELTA_RANGES + 1, "has 17 ranges");
    ROW_CASE(1, ranges, UINT64_MAX, "ranges");
    ROW_CASE(1, ranges, 256 + 2, "has 258 ranges");
    ROW_CASE(1, ranges, 3, "");
    RANGE_CASE(0, count, 0, "range of 0 blocks");
    RANGE_CASE(0, count, MOST_COUNT + 1, "range of 1025 blocks");
    RANGE_CASE(0, count, UINT64_MAX, "blocks");
    RANGE_CASE(0, count, (UINT64_C(1) << 32) + 1, "blocks");
    RANGE_CASE(2, count, 2, "beyond the end of the old image");
    RANGE_CASE(2, near, 2 * (BLOCKS - 7), "beyond the end of the old image");
    RANGE_CASE(2, near, 2 * (UINT64_C(1) << 32) + 2, "beyond the end of the old image");
    RANGE_CASE(0, near, 1, "beyond the end of the old image");
    RANGE_CASE(0, near, UINT64_MAX, "beyond the end of the old image");
}

/* As many blocks as a base may have, in one range and in sixteen; and one more. */
static void the_largest_base(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct columns c = {.count = 1, .rows = {{0, DELTA_ZSTD, 1000, 1}}, .tail = ""};
    struct delta_list list;
    struct err e = ERR_INIT;

    (void)state;
    c.pack_size = DELTAS_AT + 1000;
    c.ranges[0] = (struct range_row){MOST_COUNT, 0};
    c.range_count = 1;
    assert_ok(decode_columns(&c, &image, &list, &e), e);
    assert_true(delta_list_base_size(&list, &list.items[0], OLD_SIZE) == LIMIT_DELTA_BASE);
    delta_list_free(&list);
    c.rows[0].ranges = c.range_count = LIMIT_DELTA_RANGES;
    for (size_t i = 0; i < c.range_count; i++)
        c.ranges[i] = (struct range_row){MOST_COUNT / LIMIT_DELTA_RANGES, 0};
    assert_ok(decode_columns(&c, &image, &list, &e), e);
    assert_true(delta_list_base_size(&list, &list.items[0], OLD_SIZE) == LIMIT_DELTA_BASE);
    delta_list_free(&list);
    c.ranges[3].count++;
    assert_list_refused(&c, "has a base of 4198400 bytes");
    /* The same blocks again and again. */
    c.ranges[3].count--;
    for (size_t i = 1; i < c.range_count; i++)
        c.ranges[i].near = 2 * MOST_COUNT / LIMIT_DELTA_RANGES - 1;
    assert_ok(decode_columns(&c, &image, &list, &e), e);
    assert_int_equal(list.ranges[15].block, 0);
    delta_list_free(&list);
    image_free(&image);
}

static void odd_images(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct delta_list_place place = {DELTAS_AT, DELTAS_AT + good_sizes, 0};
    struct delta_list_place empty = {DELTAS_AT, DELTAS_AT, 0};
    struct columns_writer w = {0};
    struct delta_list list;
    struct err e = ERR_INIT;

    (void)state;
    encode_columns(&good, &w);
    assert_fails(delta_list_decode(w.data, w.size, &image, &place, &list, &e), e, ERR_ARCHIVE,
                 "beyond the end of the old image");
    image.chunks.items[3].zero = true;
    assert_fails(delta_list_decode(w.data, w.size, &image, &place, &list, &e), e, ERR_ARCHIVE,
                 "chunk 3, which is all zeros");
    assert_ok(delta_list_decode((const uint8_t *)"\0", 1, &image, &empty, &list, &e), e);
    assert_int_equal(list.count, 0);
    delta_list_free(&list);
    assert_fails(delta_list_decode(w.data, 0, &image, &empty, &list, &e), e, ERR_ARCHIVE,
                 "cut short");
    free(w.data);
    image_free(&image);
}

static void add_random_delta(struct delta_list *list, const struct image *image, uint32_t chunk,
                             uint64_t *seed)
{
    struct delta item = {.chunk = chunk, .codec = (uint8_t)(support_random(seed) % DELTA_CODECS)};
    uint32_t most = image->chunks.items[chunk].archive_size;

    item.size = item.codec == DELTA_COPY ? most : 1 + support_random(seed) % most;
    item.first_range = (uint32_t)list->range_count;
    if (item.codec != DELTA_COPY)
        item.range_count =
            (uint8_t)((item.codec == DELTA_BSDIFF) + support_random(seed) % LIMIT_DELTA_RANGES);
    for (size_t i = 0; i < item.range_count; i++) {
        uint32_t count = 1 + support_random(seed) % (MOST_COUNT / LIMIT_DELTA_RANGES);

        list->ranges[list->range_count++] =
            (struct delta_range){support_random(seed) % (BLOCKS - count), count};
    }
    list->items[list->count++] = item;
}

static struct delta_list random_list(const struct image *image, uint64_t *seed)
{
    struct delta_list list = {
        .items = calloc(image->chunks.count, sizeof *list.items),
        .ranges = calloc(LIMIT_DELTA_RANGES * image->chunks.count, sizeof *list.ranges),
    };

    assert_true(list.items && list.ranges);
    for (uint32_t i = 0; i < image->chunks.count; i++)
        if (support_random(seed) % 4)
            add_random_delta(&list, image, i, seed);
    return list;
}

static void assert_same_list(const struct delta_list *a, const struct delta_list *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->range_count, b->range_count);
    if (a->range_count > 0)
        assert_memory_equal(a->ranges, b->ranges, a->range_count * sizeof *a->ranges);
    for (size_t i = 0; i < a->count; i++) {
        assert_int_equal(a->items[i].chunk, b->items[i].chunk);
        assert_int_equal(a->items[i].codec, b->items[i].codec);
        assert_int_equal(a->items[i].size, b->items[i].size);
        assert_int_equal(a->items[i].range_count, b->items[i].range_count);
        assert_int_equal(a->items[i].first_range, b->items[i].first_range);
    }
}

/* Counting needs no image, and says the same. */
static void assert_counted(const struct delta_list *list, const uint8_t *data, size_t size,
                           uint64_t deltas_size)
{
    struct delta_counts counts, expected = {{0}, {0}};
    struct err e = ERR_INIT;

    for (size_t i = 0; i < list->count; i++) {
        expected.deltas[list->items[i].codec]++;
        expected.bytes[list->items[i].codec] += list->items[i].size;
    }
    assert_ok(delta_list_count(data, size, deltas_size, &counts, &e), e);
    assert_memory_equal(&counts, &expected, sizeof counts);
}

static void hostile_counts(void **state)
{
    struct columns_writer w = {0};
    struct columns c = good;
    struct delta_counts counts;
    struct err e = ERR_INIT;

    (void)state;
    encode_columns(&c, &w);
    assert_ok(delta_list_count(w.data, w.size, good_sizes, &counts, &e), e);
    assert_true(counts.deltas[DELTA_COPY] == 1 && counts.bytes[DELTA_COPY] == 1000);
    assert_fails(delta_list_count(w.data, w.size, good_sizes - 1001, &counts, &e), e, ERR_ARCHIVE,
                 "beyond its end");
    /* The ranges are not looked at, and what is before them is. */
    for (size_t cut = 0; cut < 1 + 4 + 4 + 3 * COLUMNS_PLANES; cut++)
        assert_fails(delta_list_count(w.data, cut, good_sizes, &counts, &e), e, ERR_ARCHIVE,
                     "cut short");
    w.size = 0;
    c.rows[1].codec = DELTA_CODECS;
    encode_columns(&c, &w);
    assert_fails(delta_list_count(w.data, w.size, good_sizes, &counts, &e), e, ERR_ARCHIVE,
                 "not known");
    w.size = 0;
    c.count = UINT64_MAX;
    encode_columns(&c, &w);
    assert_fails(delta_list_count(w.data, w.size, good_sizes, &counts, &e), e, ERR_ARCHIVE, "");
    free(w.data);
}

/* What is decoded keeps the rules, whatever was flipped; and a list has one form. */
static void mutate_list(const uint8_t *data, size_t size, const struct image *image,
                        const struct delta_list_place *place, uint64_t *seed)
{
    uint8_t *copy = malloc(size), *again;
    struct delta_list list;
    struct err e = ERR_INIT;
    size_t again_size;

    assert_non_null(copy);
    memcpy(copy, data, size);
    for (unsigned i = support_random(seed) % 4; i < 4; i++)
        copy[support_random(seed) % size] ^= (uint8_t)(1 << support_random(seed) % 8);
    if (delta_list_decode(copy, size, image, place, &list, &e) < 0) {
        assert_int_equal(e.kind, ERR_ARCHIVE);
    } else {
        for (size_t i = 0; i < list.count; i++)
            assert_true(delta_list_base_size(&list, &list.items[i], place->old_size) <=
                        LIMIT_DELTA_BASE);
        assert_ok(delta_list_encode(&list, &again, &again_size, &e), e);
        assert_int_equal(again_size, size);
        assert_memory_equal(again, copy, size);
        free(again);
        delta_list_free(&list);
    }
    free(copy);
}

static void random_lists(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    uint64_t seed = 1;

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct delta_list list = random_list(&image, &seed), back;
        struct delta_list_place place = {DELTAS_AT, DELTAS_AT, OLD_SIZE};
        struct err e = ERR_INIT;
        uint8_t *data;
        size_t size;

        for (size_t i = 0; i < list.count; i++)
            place.pack_size += list.items[i].size;
        assert_ok(delta_list_encode(&list, &data, &size, &e), e);
        assert_true(size <= delta_list_limit(&image));
        assert_ok(delta_list_decode(data, size, &image, &place, &back, &e), e);
        assert_same_list(&list, &back);
        assert_counted(&list, data, size, place.pack_size - DELTAS_AT);
        for (int i = 0; i < 50; i++)
            mutate_list(data, size, &image, &place, &seed);
        for (size_t cut = 0; cut < size; cut++)
            assert_fails(delta_list_decode(data, cut, &image, &place, &back, &e), e, ERR_ARCHIVE,
                         "");
        delta_list_free(&list);
        delta_list_free(&back);
        free(data);
    }
    image_free(&image);
}

/* A chunk with as many ranges as there may be, each number as long as it can get, fits into
 * delta_list_limit. */
static void the_longest_rows_fit(void **state)
{
    struct image image = support_image(sizes, 2, 32);
    struct delta items[2];
    struct delta_range ranges[2 * LIMIT_DELTA_RANGES];
    struct delta_list list = {.items = items, .count = 2, .ranges = ranges};
    struct err e = ERR_INIT;
    uint8_t *data;
    size_t size;

    (void)state;
    for (uint32_t i = 0; i < 2; i++)
        items[i] = (struct delta){.size = LIMIT_CHUNK,
                                  .chunk = i,
                                  .first_range = LIMIT_DELTA_RANGES * i,
                                  .range_count = LIMIT_DELTA_RANGES,
                                  .codec = DELTA_BSDIFF};
    list.range_count = COUNT(ranges);
    for (uint32_t i = 0; i < COUNT(ranges); i++)
        ranges[i] = (struct delta_range){i % 2 ? 0 : UINT32_MAX - MOST_COUNT, MOST_COUNT};
    assert_ok(delta_list_encode(&list, &data, &size, &e), e);
    assert_in_range(size, 1 + 2 * (1 + 1 + 4 + 1 + 7 * LIMIT_DELTA_RANGES),
                    delta_list_limit(&image));
    free(data);
    image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_columns_mean),     cmocka_unit_test(hostile_chunks),
        cmocka_unit_test(hostile_places),       cmocka_unit_test(hostile_ranges),
        cmocka_unit_test(hostile_counts),       cmocka_unit_test(the_largest_base),
        cmocka_unit_test(odd_images),           cmocka_unit_test(random_lists),
        cmocka_unit_test(the_longest_rows_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
