/* SPDX-License-Identifier: MIT */
/* test_columns: numbers in columns, and what is not one. */
#include "support.h"

#include "format/columns.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t numbers[] = {
    0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_C(1) << 63, UINT64_MAX - 1, UINT64_MAX,
};

static void each_number_comes_back(void **state)
{
    struct columns_writer w = {0};
    struct columns_reader r;
    struct err e = ERR_INIT;
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < COUNT(numbers); i++) {
        columns_put(&w, numbers[i]);
        for (size_t n = 0; n < COUNT(numbers); n++)
            columns_put_near(&w, numbers[n], numbers[i]);
    }
    columns_put_bytes(&w, "end", 3);
    assert_false(w.failed);
    r = (struct columns_reader){w.data, w.data + w.size};
    for (size_t i = 0; i < COUNT(numbers); i++) {
        assert_ok(columns_get(&r, &value, &e), e);
        assert_true(value == numbers[i]);
        for (size_t n = 0; n < COUNT(numbers); n++) {
            assert_ok(columns_get_near(&r, numbers[n], &value, &e), e);
            assert_true(value == numbers[i]);
        }
    }
    assert_memory_equal(columns_get_bytes(&r, 3, &e), "end", 3);
    assert_null(columns_get_bytes(&r, 1, &e));
    assert_int_equal(e.kind, ERR_ARCHIVE);
    free(w.data);
}

static void bytes_of_numbers(void **state)
{
    static const struct {
        uint64_t expected, value;
        const char *bytes;
        size_t size;
    } rows[] = {
        {0, 0, "\x00", 1},
        {5, 5, "\x00", 1},
        {5, 4, "\x01", 1},
        {5, 6, "\x02", 1},
        {0, 64, "\x80\x01", 2},
        {64, 0, "\x7f", 1},
        {0, UINT64_MAX, "\x01", 1},
        {UINT64_MAX, 0, "\x02", 1},
        {0, UINT64_C(1) << 63, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct columns_writer w = {0};

        columns_put_near(&w, rows[i].expected, rows[i].value);
        assert_int_equal(w.size, rows[i].size);
        assert_memory_equal(w.data, rows[i].bytes, rows[i].size);
        free(w.data);
    }
}

static void assert_refused(const char *bytes, size_t size, const char *part)
{
    uint8_t *copy = malloc(size + 1); /* of its size, so that a sanitizer sees a byte beyond */
    struct columns_reader r;
    struct err e = ERR_INIT;
    uint64_t value = 77;

    assert_non_null(copy);
    copy = realloc(copy, size ? size : 1);
    memcpy(copy, bytes, size);
    r = (struct columns_reader){copy, copy + size};
    assert_fails(columns_get(&r, &value, &e), e, ERR_ARCHIVE, part);
    assert_int_equal(value, 77);
    free(copy);
}

static void what_is_no_number(void **state)
{
    (void)state;
    assert_refused("", 0, "cut short");
    assert_refused("\x80", 1, "cut short");
    assert_refused("\xff\xff\xff\xff\xff\xff\xff\xff\xff", 9, "cut short");
    /* More bytes than it needs; more than 64 bits; more than 10 bytes. */
    assert_refused("\x80\x00", 2, "not valid");
    assert_refused("\xff\xff\xff\x00", 4, "not valid");
    assert_refused("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10, "not valid");
    assert_refused("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x01", 11, "not valid");
}

static void planes(void **state)
{
    static const uint32_t values[] = {0, 1, 0x01020304, UINT32_MAX, 0x80};
    static const uint8_t bytes[] = {0, 1, 4, 255, 128, 0, 0, 3, 255, 0,
                                    0, 0, 2, 255, 0,   0, 0, 1, 255, 0};
    struct columns_writer w = {0};

    (void)state;
    columns_put_planes(&w, values, COUNT(values));
    assert_int_equal(w.size, sizeof bytes);
    assert_memory_equal(w.data, bytes, sizeof bytes);
    for (size_t i = 0; i < COUNT(values); i++)
        assert_int_equal(columns_from_planes(w.data, COUNT(values), i), values[i]);
    columns_put_planes(&w, values, 0);
    assert_int_equal(w.size, sizeof bytes);
    free(w.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_comes_back),
        cmocka_unit_test(bytes_of_numbers),
        cmocka_unit_test(what_is_no_number),
        cmocka_unit_test(planes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
