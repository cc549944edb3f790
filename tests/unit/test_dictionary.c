/* SPDX-License-Identifier: MIT */
/* test_dictionary: the outer message of a dictionary, field by field. */
#include "support.h"

#include "base/limits.h"
#include "format/dictionary.h"
#include "format/dictionary.pb-c.h"

#include <stdlib.h>
#include <string.h>

/* Walks a dictionary to its end: the number of fields, or -1. */
static int walk(const void *data, size_t size, struct dict_field *last, struct err *e)
{
    struct dict_reader r;
    int count = 0, got;

    dict_reader_init(&r, data, size, ERR_DAMAGED);
    while ((got = dict_next(&r, last, e)) > 0)
        count++;
    dict_reader_free(&r);
    return got < 0 ? -1 : count;
}

#define WALK(bytes) walk(bytes, sizeof bytes - 1, &f, &e)

static void fields(void **state)
{
    struct err e = ERR_INIT;
    struct dict_field f;

    (void)state;
    assert_int_equal(WALK(""), 0);
    assert_int_equal(WALK("\x18\x96\x01"), 1); /* field 3: 150 */
    assert_int_equal(f.number, 3);
    assert_false(f.is_bytes);
    assert_int_equal(f.value, 150);
    assert_int_equal(WALK("\x0a\x02hi"), 1);
    assert_int_equal(f.number, 1);
    assert_true(f.is_bytes);
    assert_int_equal(f.size, 2);
    assert_memory_equal(f.data, "hi", 2);
    assert_int_equal(WALK("\x0a\x00"), 1);
    assert_int_equal(f.size, 0);
    /* the largest field number */
    assert_int_equal(WALK("\xf8\xff\xff\xff\x0f\x01"), 1);
    assert_int_equal(f.number, 536870911);
    /* fixed 64 and fixed 32 are passed over */
    assert_int_equal(WALK("\x09"
                          "12345678"
                          "\x15"
                          "1234"
                          "\x08\x05"),
                     1);
    assert_int_equal(f.value, 5);
}

static void varint_edges(void **state)
{
    struct err e = ERR_INIT;
    struct dict_field f;

    (void)state;
    assert_int_equal(WALK("\x08\x00"), 1);
    assert_true(f.value == 0);
    assert_int_equal(WALK("\x08\x7f"), 1);
    assert_true(f.value == 127);
    assert_int_equal(WALK("\x08\x80\x01"), 1);
    assert_true(f.value == 128);
    assert_int_equal(WALK("\x08\x80\x00"), 1); /* longer than needed: allowed */
    assert_true(f.value == 0);
    assert_int_equal(WALK("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 1);
    assert_true(f.value == UINT64_MAX);
}

static void broken(void **state)
{
    static const struct {
        const char *bytes;
        size_t size;
    } bad[] = {
        {"\x80", 1},                                              /* tag cut */
        {"\x08", 1},                                              /* no value */
        {"\x08\x80", 2},                                          /* value cut */
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11},     /* 65 bits */
        {"\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 12}, /* 11 bytes */
        {"\x0a\x03hi", 4},                                        /* data cut */
        {"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11},     /* size 2^64 - 1 */
        {"\x09"
         "1234567",
         8}, /* fixed 64 cut */
        {"\x15"
         "123",
         4},                             /* fixed 32 cut */
        {"\x0b\x0c", 2},                 /* group */
        {"\x0c", 1},                     /* end of group */
        {"\x0e\x00", 2},                 /* wire type 6 */
        {"\x0f\x00", 2},                 /* wire type 7 */
        {"\x00\x00", 2},                 /* field 0 */
        {"\x80\x80\x80\x80\x10\x00", 6}, /* field 2^29 */
    };
    struct err e = ERR_INIT;
    struct dict_field f;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (walk(bad[i].bytes, bad[i].size, &f, &e) >= 0)
            fail_msg("broken dictionary %zu was accepted", i);
        assert_fails(-1, e, ERR_DAMAGED, "not valid protobuf");
    }
}

static int add_numbers(const void *data, size_t size, struct dict_numbers *list, struct err *e)
{
    struct dict_reader r;
    struct dict_field f;
    int got, result = 0;

    dict_reader_init(&r, data, size, ERR_ARCHIVE);
    while (result == 0 && (got = dict_next(&r, &f, e)) > 0)
        result = dict_numbers_add(&r, &f, list, e);
    dict_reader_free(&r);
    return result;
}

static void numbers(void **state)
{
    struct dict_numbers list = {0};
    struct err e = ERR_INIT;

    (void)state;
    /* packed 1, 300; unpacked 5; packed none; unpacked 2^32 - 1 */
    assert_ok(
        add_numbers("\x32\x03\x01\xac\x02\x30\x05\x32\x00\x30\xff\xff\xff\xff\x0f", 15, &list, &e),
        e);
    assert_int_equal(list.count, 4);
    assert_int_equal(list.items[0], 1);
    assert_int_equal(list.items[1], 300);
    assert_int_equal(list.items[2], 5);
    assert_true(list.items[3] == UINT32_MAX);
    assert_fails(add_numbers("\x30\x80\x80\x80\x80\x10", 6, &list, &e), e, ERR_ARCHIVE,
                 "out of range");
    assert_fails(add_numbers("\x32\x05\x80\x80\x80\x80\x10", 7, &list, &e), e, ERR_ARCHIVE,
                 "out of range");
    assert_fails(add_numbers("\x32\x02\x01\x80", 4, &list, &e), e, ERR_ARCHIVE,
                 "chunk order is not valid");
    free(list.items);
}

static int get_text(const void *data, size_t size, size_t max, char **text, struct err *e)
{
    struct dict_field f = {.number = 1, .is_bytes = true, .data = data, .size = size};
    struct dict_reader r;

    dict_reader_init(&r, NULL, 0, ERR_ARCHIVE);
    return dict_get_text(&r, &f, max, text, e);
}

/* As many chunks as the limit allows, packed or not, and one more. */
static void too_many_numbers(void **state)
{
    uint8_t *packed = calloc(1, LIMIT_ORDER + 16);
    struct dict_numbers list = {0};
    struct err e = ERR_INIT;
    struct dict_field f = {.number = 6, .is_bytes = true, .data = packed, .size = LIMIT_ORDER};
    struct dict_reader r;

    (void)state;
    assert_non_null(packed);
    dict_reader_init(&r, NULL, 0, ERR_ARCHIVE);
    assert_ok(dict_numbers_add(&r, &f, &list, &e), e);
    assert_int_equal(list.count, LIMIT_ORDER);
    f = (struct dict_field){.number = 6, .value = 0};
    assert_fails(dict_numbers_add(&r, &f, &list, &e), e, ERR_ARCHIVE, "too many entries");
    free(list.items);
    list = (struct dict_numbers){0};
    f = (struct dict_field){.number = 6, .is_bytes = true, .data = packed, .size = LIMIT_ORDER + 1};
    assert_fails(dict_numbers_add(&r, &f, &list, &e), e, ERR_ARCHIVE, "too many entries");
    free(list.items);
    free(packed);
}

static void texts(void **state)
{
    struct err e = ERR_INIT;
    char *text = NULL;

    (void)state;
    assert_ok(get_text("h\xc3\xa9", 3, 3, &text, &e), e);
    assert_string_equal(text, "h\xc3\xa9");
    assert_ok(get_text("again", 5, 5, &text, &e), e); /* the last one counts */
    assert_string_equal(text, "again");
    assert_fails(get_text("four", 4, 3, &text, &e), e, ERR_ARCHIVE, "not a valid text");
    assert_fails(get_text("a\0b", 3, 9, &text, &e), e, ERR_ARCHIVE, "not a valid text");
    assert_fails(get_text("\xff", 1, 9, &text, &e), e, ERR_ARCHIVE, "not a valid text");
    assert_string_equal(text, "again");
    free(text);
}

/* Unpacks size bytes as a chunk descriptor of an archive. */
static int unpack(const void *data, size_t size, Ihop__ArchiveChunk *out, struct err *e)
{
    struct dict_field f = {.number = 7, .is_bytes = true, .data = data, .size = size};
    const ProtobufCMessage *m;
    struct dict_reader r;

    dict_reader_init(&r, NULL, 0, ERR_ARCHIVE);
    m = dict_unpack(&r, &f, &ihop__archive_chunk__descriptor, e);
    if (m)
        memcpy(out, m, sizeof *out); /* its pointers die with the reader */
    dict_reader_free(&r);
    return m ? 0 : -1;
}

static void nested_messages(void **state)
{
    struct err e = ERR_INIT;
    Ihop__ArchiveChunk c;
    uint8_t *many = malloc(LIMIT_NESTED_MESSAGE + 1);

    (void)state;
    assert_ok(unpack("\x18\x05\x20\x06\x28\x07", 6, &c, &e), e);
    assert_int_equal(c.archive_size, 5);
    assert_int_equal(c.archive_offset, 6);
    assert_int_equal(c.source_size, 7);
    assert_ok(unpack("", 0, &c, &e), e); /* proto3: all is at its default */
    assert_int_equal(c.archive_size, 0);
    assert_int_equal(c.checksum.len, 0);
    assert_fails(unpack("\x18", 1, &c, &e), e, ERR_ARCHIVE,
                 "the dictionary's field 7 is not a valid ArchiveChunk");
    assert_fails(unpack("\x0a\x05hi", 4, &c, &e), e, ERR_ARCHIVE, "field 7");

    /* Unknown fields of two bytes: a little is fine, a bomb is not. */
    for (size_t i = 0; i <= LIMIT_NESTED_MESSAGE; i++)
        many[i] = i % 2 == 0 ? 0x50 : 0x00;
    assert_ok(unpack(many, 64 * KIB, &c, &e), e);
    assert_fails(unpack(many, LIMIT_NESTED_MESSAGE, &c, &e), e, ERR_ARCHIVE, "field 7");
    assert_fails(unpack(many, LIMIT_NESTED_MESSAGE + 1, &c, &e), e, ERR_ARCHIVE, "field 7");

    /* One unknown field that takes it all is no bomb. */
    memcpy(many, "\x52\xfc\xff\x3f", 4); /* 1 MiB - 4 bytes */
    assert_ok(unpack(many, LIMIT_NESTED_MESSAGE, &c, &e), e);
    free(many);
}

static void written_bytes(void **state)
{
    static const uint32_t list[] = {0, 300};
    struct dict_writer w = {0};

    (void)state;
    dict_put_number(&w, 3, 0); /* the default: left out */
    dict_put_bytes(&w, 1, "", 0);
    dict_put_numbers(&w, 6, list, 0);
    assert_int_equal(w.size, 0);
    dict_put_number(&w, 3, 150);
    dict_put_bytes(&w, 1, "hi", 2);
    dict_put_numbers(&w, 6, list, 2);
    dict_put_number(&w, 100, 1);
    assert_false(w.failed);
    assert_int_equal(w.size, 3 + 4 + 5 + 3);
    assert_memory_equal(w.data, "\x18\x96\x01\x0a\x02hi\x32\x03\x00\xac\x02\xa0\x06\x01", w.size);
    free(w.data);
}

static void round_trip(void **state)
{
    static const uint64_t values[] = {1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX};
    struct dict_writer w = {0};
    struct err e = ERR_INIT;
    struct dict_reader r;
    struct dict_field f;

    (void)state;
    for (size_t i = 0; i < COUNT(values); i++)
        dict_put_number(&w, 1u + (uint32_t)i * 1000, values[i]);
    dict_reader_init(&r, w.data, w.size, ERR_ARCHIVE);
    for (size_t i = 0; i < COUNT(values); i++) {
        assert_int_equal(dict_next(&r, &f, &e), 1);
        assert_int_equal(f.number, 1 + i * 1000);
        assert_true(f.value == values[i]);
    }
    assert_int_equal(dict_next(&r, &f, &e), 0);
    assert_int_equal(dict_next(&r, &f, &e), 0);
    dict_reader_free(&r);
    free(w.data);
}

static void messages_round_trip(void **state)
{
    Ihop__ArchiveChunk c = IHOP__ARCHIVE_CHUNK__INIT, back;
    struct dict_writer w = {0};
    struct err e = ERR_INIT;
    struct dict_field f;

    (void)state;
    c.archive_size = 7;
    c.archive_offset = UINT64_MAX;
    dict_put_message(&w, 7, &c.base);
    assert_int_equal(walk(w.data, w.size, &f, &e), 1);
    assert_int_equal(f.number, 7);
    assert_ok(unpack(f.data, f.size, &back, &e), e);
    assert_int_equal(back.archive_size, 7);
    assert_true(back.archive_offset == UINT64_MAX);
    free(w.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields),           cmocka_unit_test(varint_edges),
        cmocka_unit_test(broken),           cmocka_unit_test(numbers),
        cmocka_unit_test(too_many_numbers), cmocka_unit_test(texts),
        cmocka_unit_test(nested_messages),  cmocka_unit_test(written_bytes),
        cmocka_unit_test(round_trip),       cmocka_unit_test(messages_round_trip),
    };

    return cmocka_run_group_tests_name("dictionary", tests, NULL, NULL);
}
