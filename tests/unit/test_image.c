/* SPDX-License-Identifier: MIT */
/* test_image: the rules of image_builder_finish, one by one, and what it makes of a valid table. */
#include "support.h"

#include "base/limits.h"
#include "format/dictionary.pb-c.h"
#include "format/image_builder.h"
#include "format/zero_chunks.h"

#include <stdlib.h>
#include <string.h>

/* A builder that has everything but chunks, with hashes of 16 bytes. */
static void begin(struct image_builder *b, uint64_t source_size)
{
    image_builder_init(b, ERR_ARCHIVE);
    b->has_chunker = b->has_source_checksum = true;
    b->declared_hash_length = 16;
    b->image.source_size = source_size;
}

static int add(struct image_builder *b, uint8_t mark, uint32_t source_size, size_t hash_length,
               struct err *e)
{
    uint8_t hash[80];
    ProtobufCBinaryData data = {.len = hash_length, .data = hash};
    struct chunk chunk = {.archive_size = 10, .source_size = source_size};

    memset(hash, mark, sizeof hash);
    return image_builder_add_chunk(b, &data, &chunk, e);
}

static void order(struct image_builder *b, size_t count, const uint32_t *items)
{
    b->order.items = malloc((count + 1) * sizeof *items);
    assert_non_null(b->order.items);
    memcpy(b->order.items, items, count * sizeof *items);
    b->order.count = count;
}

static int finish_and_free(struct image_builder *b, struct err *e)
{
    struct image image;
    int r = image_builder_finish(b, &image, e);

    if (r == 0)
        image_free(&image);
    image_builder_free(b);
    return r;
}

static void chunk_rules(void **state)
{
    struct err e = ERR_INIT;
    struct image_builder b;

    (void)state;
    begin(&b, 0);
    assert_fails(add(&b, 1, 5, 3, &e), e, ERR_ARCHIVE, "chunk 0 has a hash of 3 bytes");
    assert_fails(add(&b, 1, 5, 65, &e), e, ERR_ARCHIVE, "chunk 0 has a hash of 65 bytes");
    assert_fails(add(&b, 1, 0, 16, &e), e, ERR_ARCHIVE, "chunk 0 has a size of 0 bytes");
    assert_fails(add(&b, 1, LIMIT_CHUNK + 1, 16, &e), e, ERR_ARCHIVE, "67108865 bytes");
    assert_ok(add(&b, 1, LIMIT_CHUNK, 16, &e), e);
    assert_fails(add(&b, 2, 5, 17, &e), e, ERR_ARCHIVE, "a hash of 17 bytes, others of 16");
    assert_int_equal(b.image.chunks.count, 1);
    image_builder_free(&b);
}

static void parameter_rules(void **state)
{
    struct err e = ERR_INIT;
    struct image_builder b;

    (void)state;
    begin(&b, 0);
    b.has_source_checksum = false;
    assert_fails(finish_and_free(&b, &e), e, ERR_ARCHIVE, "no source checksum");
    begin(&b, 0);
    b.has_chunker = false;
    assert_fails(finish_and_free(&b, &e), e, ERR_ARCHIVE, "no chunker parameters");
    begin(&b, 0);
    b.declared_hash_length = 3;
    assert_fails(finish_and_free(&b, &e), e, ERR_ARCHIVE, "hash length of 3 bytes");
    begin(&b, 0);
    b.declared_hash_length = 65;
    assert_fails(finish_and_free(&b, &e), e, ERR_ARCHIVE, "hash length of 65 bytes");
    begin(&b, 0);
    assert_ok(add(&b, 1, 5, 20, &e), e);
    assert_fails(finish_and_free(&b, &e), e, ERR_ARCHIVE, "20 bytes, but 16 are declared");
}

static void hash_length_policy(void **state)
{
    struct err e = ERR_INIT;
    struct image_builder b;

    (void)state;
    begin(&b, 0);
    assert_ok(finish_and_free(&b, &e), e);
}

static void order_rules(void **state)
{
    static const uint32_t items[] = {0, 1, 0};
    struct err e = ERR_INIT;
    struct image_builder b;

    (void)state;
    begin(&b, 15);
    assert_ok(add(&b, 1, 5, 16, &e), e);
    order(&b, 3, items);
    assert_fails(finish_and_free(&b, &e), e, ERR_ARCHIVE,
                 "chunk index 1 is out of range (1 chunks)");
    for (uint64_t size = 16; size <= 18; size += 2) { /* 17 is right */
        begin(&b, size);
        assert_ok(add(&b, 1, 5, 16, &e), e);
        assert_ok(add(&b, 2, 7, 16, &e), e);
        order(&b, 3, items);
        assert_fails(finish_and_free(&b, &e), e, ERR_ARCHIVE, "the chunks add up to 17 bytes");
    }
}

static void keeps_what_is_used(void **state)
{
    static const uint32_t items[] = {3, 1, 3, 4};
    struct err e = ERR_INIT;
    struct image_builder b;
    struct image image;
    char hex[CHUNK_HASH_HEX];

    (void)state;
    begin(&b, 30 + 10 + 30 + 10);
    assert_ok(add(&b, 9, 99, 16, &e), e); /* nothing refers to it */
    assert_ok(add(&b, 1, 10, 16, &e), e);
    assert_ok(add(&b, 8, 98, 16, &e), e); /* nor to this */
    assert_ok(add(&b, 3, 30, 16, &e), e);
    assert_ok(add(&b, 1, 10, 16, &e), e); /* the same as the second */
    order(&b, 4, items);
    assert_ok(image_builder_finish(&b, &image, &e), e);
    image_builder_free(&b);
    assert_int_equal(image.chunks.count, 2);
    assert_int_equal(image.order_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(image.chunks.items[image.order[i]].source_size, i % 2 == 0 ? 30 : 10);
    assert_string_equal(chunk_table_hash_hex(&image.chunks, image.order[1], hex),
                        "01010101010101010101010101010101");
    assert_int_equal(image.order[1], image.order[3]);
    assert_string_equal(image.application_version, "");
    image_free(&image);
}

static void one_hash_two_contents(void **state)
{
    static const uint32_t items[] = {0, 1};
    struct err e = ERR_INIT;
    struct image_builder b;

    (void)state;
    begin(&b, 13);
    assert_ok(add(&b, 1, 6, 16, &e), e);
    assert_ok(add(&b, 1, 7, 16, &e), e);
    order(&b, 2, items);
    assert_fails(finish_and_free(&b, &e), e, ERR_ARCHIVE,
                 "two different chunks have the hash 0101");
    /* Short hashes collide by chance: nothing distinguishes these two chunks. */
    begin(&b, 12);
    b.declared_hash_length = 15;
    assert_ok(add(&b, 1, 6, 15, &e), e);
    assert_ok(add(&b, 1, 6, 15, &e), e);
    order(&b, 2, items);
    assert_fails(finish_and_free(&b, &e), e, ERR_ARCHIVE, "two different chunks");
}

static void empty_image(void **state)
{
    struct err e = ERR_INIT;
    struct image_builder b;
    struct image image;

    (void)state;
    begin(&b, 0);
    assert_ok(image_builder_finish(&b, &image, &e), e);
    image_builder_free(&b);
    assert_int_equal(image.chunks.count, 0);
    assert_int_equal(image.chunks.hash_length, 16);
    image_free(&image);
    begin(&b, 1);
    assert_fails(finish_and_free(&b, &e), e, ERR_ARCHIVE, "add up to 0 bytes");
}

static int add_metadata(struct image_builder *b, const char *key, size_t value_size, struct err *e)
{
    static uint8_t value[LIMIT_METADATA_BYTES];
    Ihop__MetadataEntry entry = IHOP__METADATA_ENTRY__INIT;
    struct dict_writer w = {0};
    struct dict_reader r;
    const struct image_fields fields = {.metadata = 8};
    struct dict_field f;
    int got;

    entry.key = (char *)key;
    entry.value.data = value;
    entry.value.len = value_size;
    dict_put_message(&w, 8, &entry.base);
    dict_reader_init(&r, w.data, w.size, ERR_ARCHIVE);
    got = dict_next(&r, &f, e) == DICT_FIELD ? image_builder_add_field(b, &fields, &r, &f, e) : -1;
    dict_reader_free(&r);
    free(w.data);
    return got;
}

static void metadata_rules(void **state)
{
    struct err e = ERR_INIT;
    struct image_builder b;

    (void)state;
    begin(&b, 0);
    assert_ok(add_metadata(&b, "key", 0, &e), e);
    assert_int_equal(b.image.metadata[0].size, 0);
    assert_string_equal(b.image.metadata[0].key, "key");
    assert_ok(add_metadata(&b, "big", LIMIT_METADATA_BYTES / 2, &e), e);
    assert_fails(add_metadata(&b, "more", LIMIT_METADATA_BYTES / 2, &e), e, ERR_ARCHIVE,
                 "more metadata than");
    image_builder_free(&b);
    begin(&b, 0);
    for (int i = 0; i < LIMIT_METADATA_ENTRIES; i++)
        assert_ok(add_metadata(&b, "", 0, &e), e);
    assert_fails(add_metadata(&b, "", 0, &e), e, ERR_ARCHIVE, "more metadata than 4096 entries");
    image_builder_free(&b);
}

static void sorts_by_hash(void **state)
{
    static const uint32_t sizes[] = {5, 6, 7, 8, 9, 10};
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct err e = ERR_INIT;
    uint32_t *sorted = chunk_table_sort_by_hash(&image.chunks, &e);
    bool seen[COUNT(sizes)] = {false};

    (void)state;
    assert_non_null(sorted);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        assert_false(seen[sorted[i]]);
        seen[sorted[i]] = true;
        if (i > 0)
            assert_true(memcmp(chunk_table_hash(&image.chunks, sorted[i - 1]),
                               chunk_table_hash(&image.chunks, sorted[i]), 32) < 0);
    }
    free(sorted);
    image_free(&image);
}

static void set_hash_of_zeros(struct image *image, size_t chunk)
{
    uint8_t *zeros = calloc(1, image->chunks.items[chunk].source_size), hash[CHUNK_HASH_SIZE];

    support_hash(zeros, image->chunks.items[chunk].source_size, hash);
    memcpy(image->chunks.hashes + chunk * image->chunks.hash_length, hash,
           image->chunks.hash_length);
    free(zeros);
}

/* Chunks of zeros: well compressed, and of the maximum size; two of one size. */
static void finds_zero_chunks(void **state)
{
    static const uint32_t sizes[] = {200000, 70000, 300000, 200000, 100, 70000};
    struct image image = support_image(sizes, COUNT(sizes), 64);
    struct err e = ERR_INIT;

    (void)state;
    image.max_chunk_size = 300000;
    for (size_t i = 0; i < COUNT(sizes); i++)
        if (sizes[i] == 200000 || sizes[i] == 70000)
            image.chunks.items[i].archive_size = 20;
    set_hash_of_zeros(&image, 0);
    set_hash_of_zeros(&image, 2);
    set_hash_of_zeros(&image, 5);
    assert_ok(zero_chunks_find(&image, &e), e);
    assert_true(image.chunks.items[0].zero);
    assert_false(image.chunks.items[1].zero); /* well compressed, but something else */
    assert_true(image.chunks.items[2].zero);
    assert_false(image.chunks.items[3].zero);
    assert_false(image.chunks.items[4].zero);
    assert_true(image.chunks.items[5].zero);
    image_free(&image);
}

/* The size whose hash is known is judged by that; other chunks by how they compress. */
static void finds_usual_zero_chunks(void **state)
{
    static const uint32_t sizes[] = {16 * MIB, 16 * MIB, 200000, 300000};
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct err e = ERR_INIT;

    (void)state;
    image.compression = IMAGE_ZSTD;
    image.max_chunk_size = 16 * MIB;
    for (size_t i = 0; i < COUNT(sizes); i++)
        image.chunks.items[i].archive_size = 20;
    image.chunks.items[3].archive_size = 500;
    set_hash_of_zeros(&image, 0);
    set_hash_of_zeros(&image, 2);
    set_hash_of_zeros(&image, 3);
    assert_ok(zero_chunks_find(&image, &e), e);
    assert_true(image.chunks.items[0].zero);
    assert_false(image.chunks.items[1].zero);
    assert_true(image.chunks.items[2].zero);
    assert_false(image.chunks.items[3].zero); /* zeros of which no encoder makes so much */
    image_free(&image);
}

static void same_source(void **state)
{
    static const uint32_t sizes[] = {5, 6};
    struct image a = support_image(sizes, 2, 32), b = support_image(sizes, 2, 64);

    (void)state;
    assert_true(image_same_source(&a, &b)); /* cut or named otherwise: the same bytes */
    b.source_checksum[63] ^= 1;
    assert_false(image_same_source(&a, &b));
    b.source_checksum[63] ^= 1;
    b.source_size++;
    assert_false(image_same_source(&a, &b));
    image_free(&a);
    image_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunk_rules),
        cmocka_unit_test(parameter_rules),
        cmocka_unit_test(hash_length_policy),
        cmocka_unit_test(order_rules),
        cmocka_unit_test(keeps_what_is_used),
        cmocka_unit_test(one_hash_two_contents),
        cmocka_unit_test(empty_image),
        cmocka_unit_test(metadata_rules),
        cmocka_unit_test(sorts_by_hash),
        cmocka_unit_test(finds_zero_chunks),
        cmocka_unit_test(finds_usual_zero_chunks),
        cmocka_unit_test(same_source),
    };

    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
