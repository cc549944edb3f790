/* SPDX-License-Identifier: MIT */
/* test_delta_codec: deltas of many contents and bases, there and back; damage
 * to each byte; what a base is trimmed to. */
#include "support.h"

#include "base/limits.h"
#include "codec/delta_encoder.h"
#include "delta_support.h"

#include <stdlib.h>
#include <string.h>

/* ---- there and back ---- */

/* Makes a delta and decodes it. The result is the encoder's. */
static struct delta_encoded there_and_back(struct delta_encoder *c, struct delta_bytes content,
                                           struct delta_bytes base, size_t below)
{
    uint8_t *in = copy_bytes(content), *old = copy_bytes(base), *out = malloc(content.size);
    struct delta_encoded r;
    struct delta_decoder d;
    struct err e = ERR_INIT;

    delta_decoder_init(&d);
    assert_ok(
        delta_encoder_run(c, bytes_of(in, content.size), bytes_of(old, base.size), below, &r, &e),
        e);
    assert_true(r.size < below);
    if (r.size > 0) {
        assert_ok(
            decode_exactly(&d, r.codec, bytes_of(r.data, r.size), base, out, content.size, &e), e);
        assert_memory_equal(out, content.data, content.size);
    }
    delta_decoder_release(&d);
    free(in);
    free(old);
    free(out);
    return r;
}

enum { FILLS = 7 };

/* Bytes of a kind: noise, zeros, a short period, text, records, sparse, moved noise. */
static void fill_kind(uint8_t *data, size_t size, unsigned kind, unsigned variant)
{
    memset(data, 0, size);
    if (kind == 0)
        support_fill(data, size, 11 + variant);
    for (size_t i = 0; kind > 1 && i < size; i++)
        if (kind == 2)
            data[i] = (uint8_t) "abcdefg"[(i + variant) % 7];
        else if (kind == 3)
            data[i] = (uint8_t)((size_t) "pattern"[i % 7] + (i >> (9 + variant)));
        else if (kind == 4)
            data[i] = (uint8_t)(i % 16 == 0 ? i / 16 + variant : i % 16);
        else if (kind == 5)
            data[i] = (uint8_t)(i % 509 == variant ? i : 0);
    if (kind == 6) {
        support_fill(data, size, 11);
        if (size > 300)
            memmove(data, data + 100 * (variant + 1), size - 100 * (variant + 1));
    }
}

static void many_kinds(void **state)
{
    static const size_t sizes[] = {1, 7, 8, 9, 300, 4096, 20001};
    static const size_t bases[] = {0, 1, 8, 30000};
    uint8_t *content = malloc(30000), *base = malloc(30000);
    struct err e = ERR_INIT;
    struct delta_encoder *c = delta_encoder_new(&e);

    (void)state;
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (unsigned kind = 0; kind < FILLS; kind++) {
            fill_kind(content, sizes[s], kind, 0);
            for (size_t b = 0; b < COUNT(bases); b++)
                for (unsigned other = 0; other < FILLS; other++) {
                    fill_kind(base, bases[b], other, 1);
                    there_and_back(c, bytes_of(content, sizes[s]), bytes_of(base, bases[b]),
                                   sizes[s] + 40);
                }
        }
    delta_encoder_free(c);
    free(content);
    free(base);
}

/* A program in which all addresses moved: bsdiff's case. */
static void make_programs(uint8_t *old, uint8_t *new, size_t size)
{
    support_fill(old, size, 3);
    memcpy(new, old, size);
    for (size_t i = 20; i + 4 < size; i += 37)
        new[i] = (uint8_t)(new[i] + 0x40);
}

static void small_deltas(void **state)
{
    enum { SIZE = 60000 };
    uint8_t *old = malloc(SIZE), *new = malloc(SIZE);
    struct err e = ERR_INIT;
    struct delta_encoder *c = delta_encoder_new(&e);
    struct delta_encoded r;

    (void)state;
    make_programs(old, new, SIZE);
    /* The base itself, a part of it, what it has in another order. */
    r = there_and_back(c, bytes_of(old, SIZE), bytes_of(old, SIZE), SIZE);
    assert_in_range(r.size, 1, 30);
    r = there_and_back(c, bytes_of(old + 777, 30000), bytes_of(old, SIZE), SIZE);
    assert_in_range(r.size, 1, 30);
    memcpy(new, old + 40000, 20000);
    memcpy(new + 20000, old, 40000);
    r = there_and_back(c, bytes_of(new, SIZE), bytes_of(old, SIZE), SIZE);
    assert_in_range(r.size, 1, 40);
    make_programs(old, new, SIZE);
    r = there_and_back(c, bytes_of(new, SIZE), bytes_of(old, SIZE), SIZE);
    assert_int_equal(r.codec, DELTA_BSDIFF);
    assert_in_range(r.size, 1, 200);
    /* No delta is smaller than noise without a base, nor than itself. */
    assert_int_equal(there_and_back(c, bytes_of(old, SIZE), bytes_of(NULL, 0), SIZE).size, 0);
    assert_int_equal(there_and_back(c, bytes_of(new, SIZE), bytes_of(old, SIZE), r.size).size, 0);
    assert_int_equal(there_and_back(c, bytes_of(new, SIZE), bytes_of(old, SIZE), r.size + 1).size,
                     r.size);
    assert_int_equal(there_and_back(c, bytes_of(new, SIZE), bytes_of(old, SIZE), 1).size, 0);
    delta_encoder_free(c);
    free(old);
    free(new);
}

/* The same content and base give the same bytes, whatever the encoder did before. */
static void no_memory_of_earlier_deltas(void **state)
{
    enum { SIZE = 60000, LARGE = 5 << 20 };
    uint8_t *old = malloc(SIZE), *new = malloc(SIZE), *large = malloc(LARGE), *first;
    struct err e = ERR_INIT;
    struct delta_encoder *c = delta_encoder_new(&e), *fresh;
    struct delta_encoded r;
    size_t size;

    (void)state;
    make_programs(old, new, SIZE);
    fill_kind(large, LARGE, 3, 0);
    memcpy(new + 30000, large, 20000);
    r = there_and_back(c, bytes_of(new, SIZE), bytes_of(old, SIZE), SIZE);
    size = r.size;
    first = copy_bytes(bytes_of(r.data, r.size));
    /* Larger than any program may be, and than any base. */
    assert_int_equal(
        there_and_back(c, bytes_of(large, LARGE), bytes_of(large, LIMIT_DELTA_BASE), LARGE).codec,
        DELTA_ZSTD);
    there_and_back(c, bytes_of(old, SIZE), bytes_of(NULL, 0), SIZE);
    for (int i = 0; i < 2; i++) {
        fresh = delta_encoder_new(&e);
        r = there_and_back(i ? fresh : c, bytes_of(new, SIZE), bytes_of(old, SIZE), SIZE);
        assert_int_equal(r.size, size);
        assert_memory_equal(r.data, first, size);
        delta_encoder_free(fresh);
    }
    delta_encoder_free(c);
    free(first);
    free(old);
    free(new);
    free(large);
}

/* ---- damage ---- */

static void assert_harmless(struct delta_decoder *d, const struct delta_encoded *r,
                            struct delta_bytes delta, struct delta_bytes base, size_t size,
                            size_t *wrong)
{
    uint8_t *out = malloc(size);
    struct err e = ERR_INIT;

    if (decode_exactly(d, r->codec, delta, base, out, size, &e) == 0)
        (*wrong)++;
    else
        assert_int_equal(e.kind, ERR_ARCHIVE);
    free(out);
}

static void damage_each_byte(struct delta_bytes content, struct delta_bytes base,
                             enum delta_codec codec)
{
    struct err e = ERR_INIT;
    struct delta_encoder *c = delta_encoder_new(&e);
    struct delta_encoded r = there_and_back(c, content, base, content.size);
    struct delta_decoder d;
    size_t wrong = 0, size = content.size;
    uint8_t *delta = calloc(1, 2 * r.size + 2), *out = malloc(size);

    assert_int_equal(r.codec, codec);
    memcpy(delta, r.data, r.size);
    delta_decoder_init(&d);
    for (size_t cut = 0; cut < r.size; cut++)
        assert_harmless(&d, &r, bytes_of(delta, cut), base, size, &wrong);
    assert_int_equal(wrong, 0);
    for (size_t i = 0; i < r.size; i++)
        for (unsigned bits = 1; bits < 256; bits = bits * 2 + (bits == 4)) {
            delta[i] ^= (uint8_t)bits;
            assert_harmless(&d, &r, bytes_of(delta, r.size), base, size, &wrong);
            delta[i] ^= (uint8_t)bits;
        }
    /* Bytes behind it, a second delta, other sizes, and a base that is another one. */
    wrong = 0;
    assert_harmless(&d, &r, bytes_of(delta, r.size + 1), base, size, &wrong);
    memcpy(delta + r.size, delta, r.size);
    assert_harmless(&d, &r, bytes_of(delta, 2 * r.size), base, size, &wrong);
    assert_harmless(&d, &r, bytes_of(delta, 2 * r.size), base, 2 * size, &wrong);
    assert_harmless(&d, &r, bytes_of(delta, r.size), base, size - 1, &wrong);
    assert_harmless(&d, &r, bytes_of(delta, r.size), base, size + 1, &wrong);
    assert_harmless(&d, &r, bytes_of(delta, r.size), bytes_of(NULL, 0), size, &wrong);
    assert_int_equal(wrong, 0);
    assert_harmless(&d, &r, bytes_of(delta, r.size), bytes_of(base.data, base.size / 2), size,
                    &wrong);
    /* A decoder that failed is as good as new. */
    assert_ok(decode_exactly(&d, codec, bytes_of(delta, r.size), base, out, size, &e), e);
    assert_memory_equal(out, content.data, size);
    delta_decoder_release(&d);
    delta_encoder_free(c);
    free(delta);
    free(out);
}

static void damaged_deltas(void **state)
{
    enum { SIZE = 3000 };
    uint8_t old[SIZE], new[SIZE];

    (void)state;
    make_programs(old, new, SIZE);
    damage_each_byte(bytes_of(new, SIZE), bytes_of(old, SIZE), DELTA_BSDIFF);
    memcpy(new, old + 1500, 1500);
    support_fill(new + 1500, 100, 77);
    memcpy(new + 1600, old, 1400);
    damage_each_byte(bytes_of(new, SIZE), bytes_of(old, SIZE), DELTA_ZSTD);
}

/* ---- trimming ---- */

enum { IMAGE_BLOCKS = 200, BLOCK = 4096, IMAGE_SIZE = IMAGE_BLOCKS * BLOCK - 1000 };

struct trimmed {
    uint8_t *image, *data;
    struct delta_range ranges[LIMIT_DELTA_RANGES];
    struct delta_base_bytes base;
};

/* A base of these ranges of an image of noise, the last block of which is short. */
static void open_trimmed(struct trimmed *t, const struct delta_range *ranges, size_t count)
{
    *t = (struct trimmed){.image = malloc(IMAGE_SIZE), .data = malloc(IMAGE_SIZE)};
    support_fill(t->image, IMAGE_SIZE, 9);
    memcpy(t->ranges, ranges, count * sizeof *ranges);
    t->base = (struct delta_base_bytes){t->data, 0, t->ranges, count};
    for (size_t i = 0; i < count; i++) {
        size_t at = ranges[i].block * BLOCK, size = ranges[i].count * BLOCK;

        size = at + size > IMAGE_SIZE ? IMAGE_SIZE - at : size;
        memcpy(t->data + t->base.size, t->image + at, size);
        t->base.size += size;
    }
}

/* Trims, and compares what is left with the ranges that are left. */
static void run_trim(struct trimmed *t, const uint8_t *content, size_t size)
{
    struct err e = ERR_INIT;
    struct delta_encoder *c = delta_encoder_new(&e);
    uint8_t *exact = copy_bytes(bytes_of(t->data, t->base.size));
    size_t at = 0;

    t->base.data = exact;
    assert_ok(delta_encoder_trim(c, bytes_of(content, size), &t->base, &e), e);
    for (size_t i = 0; i < t->base.count; i++) {
        size_t from = t->ranges[i].block * BLOCK, n = t->ranges[i].count * BLOCK;

        n = from + n > IMAGE_SIZE ? IMAGE_SIZE - from : n;
        assert_true(n > 0 && at + n <= t->base.size);
        assert_memory_equal(exact + at, t->image + from, n);
        at += n;
    }
    assert_int_equal(at, t->base.size);
    delta_encoder_free(c);
    free(exact);
}

static void close_trimmed(struct trimmed *t)
{
    free(t->image);
    free(t->data);
}

static void assert_range(const struct trimmed *t, size_t i, uint32_t block, uint32_t count)
{
    assert_true(i < t->base.count);
    assert_int_equal(t->ranges[i].block, block);
    assert_int_equal(t->ranges[i].count, count);
}

static void trimmed_ranges(void **state)
{
    static const struct delta_range three[] = {{10, 20}, {50, 10}, {180, 20}};
    uint8_t content[6 * BLOCK];
    struct trimmed t;

    (void)state;
    /* Of the first range two pieces that lie near each other, of the second nothing, of the third
     * the end; one block more on each side, if the range has one. */
    open_trimmed(&t, three, 3);
    memcpy(content, t.image + 12 * BLOCK, BLOCK);
    memcpy(content + BLOCK, t.image + 19 * BLOCK, BLOCK);
    memcpy(content + 2 * BLOCK, t.image + IMAGE_SIZE - BLOCK, BLOCK);
    run_trim(&t, content, 3 * BLOCK);
    assert_int_equal(t.base.count, 2);
    assert_range(&t, 0, 11, 10);
    assert_range(&t, 1, 197, 3);
    close_trimmed(&t);
    /* Six blocks between two pieces are left out. */
    open_trimmed(&t, three, 3);
    memcpy(content + BLOCK, t.image + 20 * BLOCK, BLOCK);
    run_trim(&t, content, 2 * BLOCK);
    assert_int_equal(t.base.count, 2);
    assert_range(&t, 0, 11, 3);
    assert_range(&t, 1, 19, 3);
    close_trimmed(&t);
    /* The end of a range and the beginning of the next one lie side by side in the base alone. */
    open_trimmed(&t, three, 3);
    memcpy(content, t.image + 29 * BLOCK, BLOCK);
    memcpy(content + BLOCK, t.image + 50 * BLOCK, BLOCK);
    run_trim(&t, content, 2 * BLOCK);
    assert_int_equal(t.base.count, 2);
    assert_range(&t, 0, 28, 2);
    assert_range(&t, 1, 50, 2);
    close_trimmed(&t);
    /* Nothing of it, and 23 bytes, are no reason to read a base; 24 are. */
    open_trimmed(&t, three, 3);
    support_fill(content, BLOCK, 1);
    run_trim(&t, content, BLOCK);
    assert_int_equal(t.base.count, 0);
    close_trimmed(&t);
    for (size_t n = 23; n <= 24; n++) {
        open_trimmed(&t, three, 3);
        memcpy(content, t.image + 55 * BLOCK + 100, n);
        run_trim(&t, content, BLOCK);
        assert_int_equal(t.base.count, n == 24 ? 1 : 0);
        close_trimmed(&t);
    }
}

/* Many places are drawn together, so that there are no more ranges than a delta may have. */
static void trimmed_to_sixteen(void **state)
{
    static const struct delta_range all = {0, IMAGE_BLOCKS};
    uint8_t *content = malloc(22 * BLOCK);
    struct trimmed t;

    (void)state;
    open_trimmed(&t, &all, 1);
    for (size_t i = 0; i < 22; i++)
        memcpy(content + i * BLOCK, t.image + (9 * i + 1) * BLOCK, BLOCK);
    run_trim(&t, content, 22 * BLOCK);
    assert_in_range(t.base.count, 1, LIMIT_DELTA_RANGES);
    close_trimmed(&t);
    /* Sixteen stay as they are. */
    open_trimmed(&t, &all, 1);
    run_trim(&t, content, 16 * BLOCK);
    assert_int_equal(t.base.count, 16);
    close_trimmed(&t);
    free(content);
}

/* What repeats itself in a base that repeats itself ends soon. */
static void periodic_time(void **state)
{
    enum { SIZE = 4 << 20 };
    uint8_t *content = malloc(SIZE), *base = malloc(SIZE);
    struct err e = ERR_INIT;
    double begun = cpu_seconds();

    (void)state;
    for (unsigned kind = 1; kind < FILLS; kind++) {
        struct delta_encoder *c = delta_encoder_new(&e);
        struct delta_range ranges[LIMIT_DELTA_RANGES] = {{0, SIZE / BLOCK}};
        struct delta_base_bytes b = {base, SIZE, ranges, 1};

        fill_kind(content, SIZE, kind, 0);
        fill_kind(base, SIZE, kind, 1);
        assert_ok(delta_encoder_trim(c, bytes_of(content, SIZE), &b, &e), e);
        delta_encoder_free(c);
    }
    assert_true(cpu_seconds() - begun < 5);
    free(content);
    free(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_kinds),
        cmocka_unit_test(small_deltas),
        cmocka_unit_test(no_memory_of_earlier_deltas),
        cmocka_unit_test(damaged_deltas),
        cmocka_unit_test(trimmed_ranges),
        cmocka_unit_test(trimmed_to_sixteen),
        cmocka_unit_test(periodic_time),
    };

    return cmocka_run_group_tests_name("delta_codec", tests, NULL, NULL);
}
