/* SPDX-License-Identifier: MIT */
/* test_delta_pack: the beginnings of delta packs, good and hostile. */
#include "support.h"

#include "base/limits.h"
#include "base/text.h"
#include "format/archive.h"
#include "format/delta_pack.h"
#include "format/dictionary.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_SIZE UINT64_C(5000)

static void make_pack(struct delta_pack *p)
{
    *p = (struct delta_pack){
        .old_source_size = 123456,
        .header_size = HEADER_SIZE,
        .archive_size = 654321,
        .patch = (const uint8_t *)"patch",
        .patch_size = 5,
        .patch_plain = 4000,
        .list = (const uint8_t *)"the list",
        .list_size = 8,
        .list_plain = 80,
        .signatures = (const uint8_t *)"untrusted comment: x\n",
        .signatures_size = 21,
    };
    support_fill(p->old_source_checksum, CHUNK_HASH_SIZE, 1);
    support_fill(p->header_checksum, CHUNK_HASH_SIZE, 2);
}

static void assert_same_bytes(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size)
{
    assert_int_equal(a == NULL, b == NULL);
    assert_int_equal(a_size, b_size);
    if (a)
        assert_memory_equal(a, b, a_size);
}

static void assert_same_pack(const struct delta_pack *a, const struct delta_pack *b)
{
    assert_memory_equal(a->old_source_checksum, b->old_source_checksum, CHUNK_HASH_SIZE);
    assert_memory_equal(a->header_checksum, b->header_checksum, CHUNK_HASH_SIZE);
    assert_true(a->old_source_size == b->old_source_size);
    assert_true(a->header_size == b->header_size && a->archive_size == b->archive_size);
    assert_same_bytes(a->patch, a->patch_size, b->patch, b->patch_size);
    assert_int_equal(a->patch_plain, b->patch_plain);
    assert_same_bytes(a->list, a->list_size, b->list, b->list_size);
    assert_int_equal(a->list_plain, b->list_plain);
    assert_same_bytes(a->signatures, a->signatures_size, b->signatures, b->signatures_size);
}

static void round_trip_of(const struct delta_pack *pack)
{
    struct delta_pack back;
    struct err e = ERR_INIT;
    uint8_t *data;
    uint64_t told;
    size_t size;

    assert_ok(delta_pack_encode(pack, &data, &size, &e), e);
    assert_true(delta_pack_has_magic(data, size));
    assert_ok(delta_pack_parse_prefix(data, &told, &e), e);
    assert_true(told == size);
    assert_ok(delta_pack_parse(data, size, &back, &e), e);
    assert_same_pack(pack, &back);
    assert_true(back.deltas_offset == size);
    free(data);
}

static void round_trips(void **state)
{
    struct delta_pack p;

    (void)state;
    make_pack(&p);
    round_trip_of(&p);
    p.signatures = NULL;
    p.signatures_size = 0;
    round_trip_of(&p);
    p.patch = NULL;
    p.patch_size = p.patch_plain = 0;
    round_trip_of(&p);
    p.old_source_size = 0;
    round_trip_of(&p);
}

static void names(void **state)
{
    static const uint8_t sum[CHUNK_HASH_SIZE] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 1};
    char suffix[DELTA_PACK_SUFFIX_SIZE];

    (void)state;
    assert_string_equal(delta_pack_suffix(sum, suffix), ".from-0123456789abcdef");
    assert_int_equal(strlen(suffix) + 1, sizeof suffix);
    assert_false(delta_pack_has_magic((const uint8_t *)"IHOPD", 5));
    assert_false(delta_pack_has_magic((const uint8_t *)"IHOPD2", 6));
}

/* One pack after the other: the fields that are put before its own, in its place, or behind. */
static void begin_pack(struct dict_writer *w)
{
    *w = (struct dict_writer){0};
    dict_begin(w, (const uint8_t *)DELTA_PACK_MAGIC);
}

static int parse_writer(struct dict_writer *w, struct delta_pack *pack, struct err *e)
{
    int r;

    dict_end(w);
    assert_int_equal(dict_sign(w, e), 0);
    r = delta_pack_parse(w->data, w->size, pack, e);
    free(w->data);
    return r;
}

/* A field of a good pack; value and data are what make_pack has. */
static void put_good_field(struct dict_writer *w, uint32_t number)
{
    struct delta_pack p;

    make_pack(&p);
    switch (number) {
    case 2:
        dict_put_bytes(w, 2, p.old_source_checksum, CHUNK_HASH_SIZE);
        break;
    case 3:
        dict_put_number(w, 3, p.old_source_size);
        break;
    case 4:
        dict_put_bytes(w, 4, p.header_checksum, CHUNK_HASH_SIZE);
        break;
    case 5:
        dict_put_number(w, 5, p.header_size);
        break;
    case 6:
        dict_put_number(w, 6, p.archive_size);
        break;
    case 7:
        dict_put_bytes(w, 7, p.patch, p.patch_size);
        break;
    case 8:
        dict_put_number(w, 8, p.patch_plain);
        break;
    case 9:
        dict_put_bytes(w, 9, p.list, p.list_size);
        break;
    case 10:
        dict_put_number(w, 10, p.list_plain);
        break;
    default:
        dict_put_bytes(w, 11, p.signatures, p.signatures_size);
    }
}

static void begin_without(struct dict_writer *w, uint32_t missing)
{
    begin_pack(w);
    for (uint32_t n = 2; n <= 11; n++)
        if (n != missing)
            put_good_field(w, n);
}

static void assert_number_refused(uint32_t field, uint64_t value, const char *part)
{
    struct dict_writer w;
    struct delta_pack pack = {.header_size = 77};
    struct err e = ERR_INIT;

    begin_without(&w, field);
    dict_put_number(&w, field, value);
    assert_fails(parse_writer(&w, &pack, &e), e, ERR_ARCHIVE, part);
    assert_true(pack.header_size == 77);
}

static void assert_bytes_refused(uint32_t field, size_t size, const char *part)
{
    struct dict_writer w;
    struct delta_pack pack;
    struct err e = ERR_INIT;
    uint8_t *data = calloc(size + 1, 1);

    assert_non_null(data);
    begin_without(&w, field);
    dict_put_bytes(&w, field, data, size);
    assert_fails(parse_writer(&w, &pack, &e), e, ERR_ARCHIVE, part);
    free(data);
}

static void hostile_numbers(void **state)
{
    (void)state;
    assert_number_refused(3, LIMIT_IMAGE + 1, "field 3");
    assert_number_refused(3, UINT64_MAX, "field 3");
    assert_number_refused(5, LIMIT_DICTIONARY + ARCHIVE_OVERHEAD + 1, "field 5");
    assert_number_refused(5, ARCHIVE_OVERHEAD - 1, "header of 85 bytes");
    assert_number_refused(5, 654322, "header of 654322 bytes");
    assert_number_refused(5, 0, "header of 0 bytes");
    assert_number_refused(6, HEADER_SIZE - 1, "header of 5000 bytes");
    assert_number_refused(6, UINT64_MAX, "field 6");
    assert_number_refused(8, HEADER_SIZE + 1, "its header patch has 5001 bytes");
    assert_number_refused(8, 0, "its header patch has 0 bytes");
    assert_number_refused(8, UINT64_MAX, "field 8");
    assert_number_refused(10, 0, "no list of deltas");
    assert_number_refused(10, UINT64_MAX, "field 10");
}

static void hostile_bytes(void **state)
{
    (void)state;
    assert_bytes_refused(2, CHUNK_HASH_SIZE - 1, "field 2");
    assert_bytes_refused(2, CHUNK_HASH_SIZE + 1, "field 2");
    assert_bytes_refused(2, 0, "for which images");
    assert_bytes_refused(4, CHUNK_HASH_SIZE - 1, "field 4");
    assert_bytes_refused(4, 0, "for which images");
    assert_bytes_refused(9, 0, "no list of deltas");
    assert_bytes_refused(7, 0, "its header patch has 4000 bytes");
    assert_bytes_refused(11, LIMIT_SIGNATURE_TEXT + 1, "field 11");
}

/* Bytes where a number belongs, and the other way round. */
static void wrong_types(void **state)
{
    struct dict_writer w;
    struct delta_pack pack;
    struct err e = ERR_INIT;

    (void)state;
    for (uint32_t n = 2; n <= 11; n++) {
        bool is_number = n == 3 || n == 5 || n == 6 || n == 8 || n == 10;

        begin_without(&w, n);
        if (is_number)
            dict_put_bytes(&w, n, "12", 2);
        else
            dict_put_number(&w, n, 12);
        assert_fails(parse_writer(&w, &pack, &e), e, ERR_ARCHIVE, "field");
    }
    /* Present and of no bytes, which a writer leaves out. */
    begin_without(&w, 9);
    dict_put_raw(&w, "\x4a\x00", 2);
    assert_fails(parse_writer(&w, &pack, &e), e, ERR_ARCHIVE, "field 9");
    begin_without(&w, 9);
    dict_put_raw(&w, "\x4a\x7f", 2);
    assert_fails(parse_writer(&w, &pack, &e), e, ERR_ARCHIVE, "protobuf");
}

static void limits_and_later_fields(void **state)
{
    struct delta_pack pack;
    struct dict_writer w;
    struct err e = ERR_INIT;
    static const uint8_t text[LIMIT_SIGNATURE_TEXT];

    (void)state;
    begin_without(&w, 11);
    dict_put_bytes(&w, 11, text, sizeof text);
    dict_put_number(&w, 12, 1);
    dict_put_bytes(&w, 1000, "later", 5);
    assert_ok(parse_writer(&w, &pack, &e), e);
    assert_int_equal(pack.signatures_size, sizeof text);
    begin_without(&w, 8);
    dict_put_number(&w, 8, HEADER_SIZE);
    assert_ok(parse_writer(&w, &pack, &e), e);
    begin_without(&w, 3);
    dict_put_number(&w, 3, LIMIT_IMAGE);
    assert_ok(parse_writer(&w, &pack, &e), e);
}

static void frames(void **state)
{
    struct delta_pack p, back;
    struct err e = ERR_INIT;
    uint8_t *data;
    uint64_t told;
    size_t size;

    (void)state;
    make_pack(&p);
    assert_ok(delta_pack_encode(&p, &data, &size, &e), e);
    for (size_t cut = 0; cut < size; cut++)
        assert_fails(delta_pack_parse(data, cut, &back, &e), e, ERR_ARCHIVE, "cut short");
    for (size_t i = 0; i < size; i++) {
        data[i] ^= 0x10;
        assert_fails(delta_pack_parse(data, size, &back, &e), e, ERR_ARCHIVE, "");
        data[i] ^= 0x10;
    }
    text_put_le64(data + 6, LIMIT_DICTIONARY + 1);
    assert_fails(delta_pack_parse_prefix(data, &told, &e), e, ERR_ARCHIVE, "67108865 bytes");
    text_put_le64(data + 6, UINT64_MAX);
    assert_fails(delta_pack_parse_prefix(data, &told, &e), e, ERR_ARCHIVE, "bytes");
    text_put_le64(data + 6, LIMIT_DICTIONARY);
    assert_ok(delta_pack_parse_prefix(data, &told, &e), e);
    assert_true(told == LIMIT_DICTIONARY + DELTA_PACK_OVERHEAD);
    memcpy(data, "BITA1", 6);
    assert_fails(delta_pack_parse_prefix(data, &told, &e), e, ERR_ARCHIVE, "wrong magic");
    free(data);
}

/* Flipped dictionaries with a right checksum: refused, or within the limits. */
static void mutations(void **state)
{
    struct delta_pack p, back;
    struct err e = ERR_INIT;
    uint64_t seed = 3;
    uint8_t *data, *copy;
    size_t size, accepted = 0;

    (void)state;
    make_pack(&p);
    assert_ok(delta_pack_encode(&p, &data, &size, &e), e);
    copy = malloc(size);
    assert_non_null(copy);
    for (int round = 0; round < 20000; round++) {
        memcpy(copy, data, size);
        for (unsigned i = support_random(&seed) % 4; i < 4; i++)
            copy[14 + support_random(&seed) % (size - DELTA_PACK_OVERHEAD)] ^=
                (uint8_t)(1 << support_random(&seed) % 8);
        support_hash(copy, size - CHUNK_HASH_SIZE, copy + size - CHUNK_HASH_SIZE);
        if (delta_pack_parse(copy, size, &back, &e) < 0) {
            assert_int_equal(e.kind, ERR_ARCHIVE);
            continue;
        }
        accepted++;
        assert_true(back.header_size >= ARCHIVE_OVERHEAD && back.header_size <= back.archive_size);
        assert_true(back.patch_plain <= back.header_size && back.list && back.list_size > 0);
        assert_true(back.list >= copy && back.list + back.list_size <= copy + size);
    }
    assert_in_range(accepted, 1000, 19000);
    free(copy);
    free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),     cmocka_unit_test(names),
        cmocka_unit_test(hostile_numbers), cmocka_unit_test(hostile_bytes),
        cmocka_unit_test(wrong_types),     cmocka_unit_test(limits_and_later_fields),
        cmocka_unit_test(frames),          cmocka_unit_test(mutations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
