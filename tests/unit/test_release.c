/* SPDX-License-Identifier: MIT */
/* test_release: releases, those of ihop 0.1 included, are written and read again. */
#include "support.h"

#include "base/text.h"
#include "format/dictionary.pb-c.h"
#include "format/image_builder.h"
#include "format/release.h"

#include <stdlib.h>
#include <string.h>

static const uint32_t sizes[] = {1000, 2000, 70};

/* Makes an image with every extra. (Not returned by value: gcc 14 drops stores to memory
 * that leaves a function only inside a returned struct.) */
static void make_full(struct image *image)
{
    *image = support_image(sizes, COUNT(sizes), 32);
    image->compression = IMAGE_ZSTD;
    image->compression_level = 19;
    image->archive_url = strdup("https://example.com/v1.cba");
    image->archive_url_lacks = true;
    memset(image->header_checksum, 0x5a, sizeof image->header_checksum);
    image->metadata = calloc(2, sizeof *image->metadata);
    image->metadata[0] = (struct image_metadata){strdup("board"), (uint8_t *)strdup("rev a"), 5};
    image->metadata[1] = (struct image_metadata){strdup(""), malloc(1), 0};
    image->metadata_count = 2;
    image->chunks.items[1].zero = true;
}

static void assert_same_chunks(const struct image *a, const struct image *b)
{
    assert_int_equal(a->chunks.count, b->chunks.count);
    assert_int_equal(a->chunks.hash_length, b->chunks.hash_length);
    assert_memory_equal(a->chunks.hashes, b->chunks.hashes,
                        a->chunks.count * a->chunks.hash_length);
    for (size_t i = 0; i < a->chunks.count; i++) {
        assert_int_equal(a->chunks.items[i].source_size, b->chunks.items[i].source_size);
        assert_true(a->chunks.items[i].archive_offset == b->chunks.items[i].archive_offset);
        assert_int_equal(a->chunks.items[i].archive_size, b->chunks.items[i].archive_size);
        assert_int_equal(a->chunks.items[i].zero, b->chunks.items[i].zero);
    }
    assert_int_equal(a->order_count, b->order_count);
    assert_memory_equal(a->order, b->order, a->order_count * sizeof *a->order);
}

static void assert_same_image(const struct image *a, const struct image *b)
{
    assert_string_equal(a->application_version, b->application_version);
    assert_true(image_same_source(a, b));
    assert_int_equal(a->chunker, b->chunker);
    assert_int_equal(a->filter_bits, b->filter_bits);
    assert_int_equal(a->min_chunk_size, b->min_chunk_size);
    assert_int_equal(a->max_chunk_size, b->max_chunk_size);
    assert_int_equal(a->window_size, b->window_size);
    assert_same_chunks(a, b);
    assert_int_equal(a->has_archive, b->has_archive);
    assert_int_equal(a->compression, b->compression);
    assert_int_equal(a->compression_level, b->compression_level);
    assert_true(a->archive_size == b->archive_size && a->header_size == b->header_size);
    assert_memory_equal(a->header_checksum, b->header_checksum, CHUNK_HASH_SIZE);
    assert_string_equal(a->archive_url ? a->archive_url : "", b->archive_url ? b->archive_url : "");
    assert_int_equal(a->archive_url_lacks, b->archive_url_lacks);
    assert_int_equal(a->metadata_count, b->metadata_count);
    for (size_t i = 0; i < a->metadata_count; i++) {
        assert_string_equal(a->metadata[i].key, b->metadata[i].key);
        assert_int_equal(a->metadata[i].size, b->metadata[i].size);
        assert_memory_equal(a->metadata[i].value, b->metadata[i].value, a->metadata[i].size);
    }
}

static void round_trip_of(const struct image *image)
{
    struct err e = ERR_INIT;
    struct image back = {0};
    uint8_t *data = NULL;
    size_t size;

    assert_ok(release_encode(image, &data, &size, &e), e);
    assert_memory_equal(data, "IHOP1", 6);
    assert_int_equal(text_get_le64(data + 6), size - RELEASE_OVERHEAD);
    assert_ok(release_parse(data, size, &back, &e), e);
    assert_same_image(image, &back);
    image_free(&back);
    free(data);
}

static void round_trips(void **state)
{
    struct image full, plain = support_image(sizes, COUNT(sizes), 64);
    struct image empty = support_image(sizes, 0, 16), local;

    (void)state;
    make_full(&full);
    make_full(&local);
    round_trip_of(&full);
    /* As from a local archive: no URL. */
    free(local.archive_url);
    local.archive_url = NULL;
    local.archive_url_lacks = false;
    round_trip_of(&local);
    round_trip_of(&empty);
    /* Without extras: what ihop 0.1 writes. */
    plain.has_archive = false;
    plain.archive_size = plain.header_size = 0;
    for (size_t i = 0; i < plain.chunks.count; i++)
        plain.chunks.items[i].archive_size = 0, plain.chunks.items[i].archive_offset = 0;
    round_trip_of(&plain);
    image_free(&full);
    image_free(&plain);
    image_free(&empty);
    image_free(&local);
}

/* The original ihop: its six fields in its order, built by hand. */
static void original_format(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 64), back;
    Ihop__ChunkerParameters p = IHOP__CHUNKER_PARAMETERS__INIT;
    uint8_t prefix[RELEASE_PREFIX_SIZE] = "IHOP1", sum[CHUNK_HASH_SIZE];
    struct dict_writer w = {0};
    struct err e = ERR_INIT;

    (void)state;
    p.chunk_hash_length = 64;
    dict_put_raw(&w, prefix, sizeof prefix);
    dict_put_bytes(&w, 1, "0.1.2", 5);
    dict_put_bytes(&w, 2, image.source_checksum, CHUNK_HASH_SIZE);
    dict_put_number(&w, 3, image.source_size);
    dict_put_numbers(&w, 4, image.order, image.order_count);
    for (size_t i = 0; i < image.chunks.count; i++) {
        Ihop__ReleaseChunk c = IHOP__RELEASE_CHUNK__INIT;

        c.checksum.data = (uint8_t *)chunk_table_hash(&image.chunks, i);
        c.checksum.len = 64;
        c.source_size = sizes[i];
        dict_put_message(&w, 5, &c.base);
    }
    dict_put_message(&w, 6, &p.base);
    text_put_le64(w.data + 6, w.size - sizeof prefix);
    support_hash(w.data, w.size, sum);
    dict_put_raw(&w, sum, sizeof sum);
    assert_ok(release_parse(w.data, w.size, &back, &e), e);
    assert_true(image_same_source(&image, &back));
    assert_false(back.has_archive);
    assert_null(back.archive_url);
    assert_int_equal(back.chunks.count, COUNT(sizes));
    assert_false(back.chunks.items[0].zero);
    image_free(&back);
    image_free(&image);
    free(w.data);
}

static void every_flip_and_truncation(void **state)
{
    struct image image, back;
    struct err e = ERR_INIT;
    uint8_t *data;
    size_t size;

    (void)state;
    make_full(&image);
    assert_ok(release_encode(&image, &data, &size, &e), e);
    for (size_t i = 0; i < size; i++) {
        data[i] ^= 0x81;
        if (release_parse(data, size, &back, &e) >= 0 || e.kind != ERR_DAMAGED)
            fail_msg("byte %zu flipped: accepted, or kind %d", i, (int)e.kind);
        data[i] ^= 0x81;
    }
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *part = malloc(cut ? cut : 1);

        memcpy(part, data, cut);
        if (release_parse(part, cut, &back, &e) >= 0 || e.kind != ERR_DAMAGED)
            fail_msg("cut to %zu bytes: accepted, or kind %d", cut, (int)e.kind);
        free(part);
    }
    free(data);
    image_free(&image);
}

/* Encodes what is wrong, which nothing stops, and expects the reader to see it. */
static void assert_refused(struct image *image, const char *part)
{
    struct err e = ERR_INIT;
    struct image back;
    uint8_t *data;
    size_t size;

    assert_ok(release_encode(image, &data, &size, &e), e);
    assert_fails(release_parse(data, size, &back, &e), e, ERR_DAMAGED, part);
    free(data);
    image_free(image);
}

static void places_must_be_usable(void **state)
{
    struct image image;

    (void)state;
    make_full(&image);
    image.chunks.items[0].archive_offset = UINT64_MAX;
    assert_refused(&image, "the recorded place of chunk 0 is out of range");
    make_full(&image);
    image.chunks.items[2].archive_offset++;
    assert_refused(&image, "the recorded place of chunk 2 is out of range");
    make_full(&image);
    image.chunks.items[1].archive_size = 0;
    assert_refused(&image, "the recorded place of chunk 1 is out of range");
    make_full(&image);
    image.header_size = 63;
    assert_refused(&image, "header size is out of range");
    make_full(&image);
    image.header_size = image.archive_size + 1;
    assert_refused(&image, "header size is out of range");
    make_full(&image);
    image.order[0] = 3;
    assert_refused(&image, "chunk index 3 is out of range");
    make_full(&image);
    image.source_size++;
    assert_refused(&image, "add up to");
}

static void wrong_frames(void **state)
{
    uint8_t junk[200] = "BITA1";
    struct err e = ERR_INIT;
    struct image back;

    (void)state;
    assert_fails(release_parse(junk, 0, &back, &e), e, ERR_DAMAGED, "0 bytes: it is empty");
    assert_fails(release_parse(junk, 77, &back, &e), e, ERR_DAMAGED, "cut short");
    assert_fails(release_parse(junk, 200, &back, &e), e, ERR_DAMAGED, "wrong magic");
    memcpy(junk, "IHOP1", 6);
    assert_fails(release_parse(junk, 200, &back, &e), e, ERR_DAMAGED, "cut short or overlong");
    text_put_le64(junk + 6, UINT64_MAX);
    assert_fails(release_parse(junk, 200, &back, &e), e, ERR_DAMAGED, "cut short or overlong");
    text_put_le64(junk + 6, 200 - RELEASE_OVERHEAD);
    assert_fails(release_parse(junk, 200, &back, &e), e, ERR_DAMAGED, "checksum does not match");
}

/* The number is in the first bytes, and all else is as it was. */
static void numbers(void **state)
{
    static const uint64_t good[] = {1, 127, 128, UINT64_MAX - 1};
    struct image image, back = {0};
    struct release_frame frame;
    struct err e = ERR_INIT;
    uint8_t *data, *all;
    size_t size, body;

    (void)state;
    make_full(&image);
    assert_ok(release_encode(&image, &data, &size, &e), e);
    assert_int_equal(release_number(data), 0);
    assert_true(release_is_framed(data, size));
    assert_false(release_is_framed(data, RELEASE_OVERHEAD - 1));
    body = size - RELEASE_OVERHEAD;
    all = malloc(sizeof frame + body);
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_ok(release_set_number(data, size, good[i], &frame, &e), e);
        assert_true(release_number(frame.head) == good[i]);
        memcpy(all, frame.head, sizeof frame.head);
        memcpy(all + sizeof frame.head, data + RELEASE_PREFIX_SIZE, body);
        memcpy(all + sizeof frame.head + body, frame.sum, sizeof frame.sum);
        assert_ok(release_parse(all, sizeof frame + body, &back, &e), e);
        assert_same_image(&image, &back);
        image_free(&back);
    }
    free(all);
    free(data);
    image_free(&image);
}

/* A field that is no number, or has rotten in any bit, counts as no number. */
static void no_numbers(void **state)
{
    static const uint64_t none[] = {0, UINT64_MAX};
    struct image image;
    struct release_frame frame;
    struct err e = ERR_INIT;
    uint8_t *data;
    size_t size;

    (void)state;
    make_full(&image);
    assert_ok(release_encode(&image, &data, &size, &e), e);
    for (size_t i = 0; i < COUNT(none); i++) {
        assert_ok(release_set_number(data, size, none[i], &frame, &e), e);
        assert_int_equal(release_number(frame.head), 0);
    }
    assert_ok(release_set_number(data, size, 1000, &frame, &e), e);
    for (size_t bit = 0; bit < (size_t)8 * RELEASE_NUMBER_SIZE; bit++) {
        uint8_t *byte = &frame.head[RELEASE_HEAD_SIZE - RELEASE_NUMBER_SIZE + bit / 8];

        *byte ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(release_number(frame.head), 0);
        *byte ^= (uint8_t)(1 << bit % 8);
    }
    free(data);
    image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(original_format),
        cmocka_unit_test(every_flip_and_truncation),
        cmocka_unit_test(places_must_be_usable),
        cmocka_unit_test(wrong_frames),
        cmocka_unit_test(numbers),
        cmocka_unit_test(no_numbers),
    };

    return cmocka_run_group_tests_name("release", tests, NULL, NULL);
}
