/* SPDX-License-Identifier: MIT */
/* test_text: numbers, sizes, hex digits and UTF-8 as text, and what may be printed. */
#include "support.h"

#include "base/text.h"

#include <string.h>

static void little_endian(void **state)
{
    static const uint8_t bytes[8] = {0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01};
    uint8_t out[8];

    (void)state;
    assert_true(text_get_le64(bytes) == UINT64_C(0x0123456789abcdef));
    text_put_le64(out, UINT64_C(0x0123456789abcdef));
    assert_memory_equal(out, bytes, 8);
    text_put_le64(out, UINT64_MAX);
    assert_true(text_get_le64(out) == UINT64_MAX);
}

static void hex(void **state)
{
    static const uint8_t bytes[] = {0x00, 0x9a, 0xff};
    uint8_t back[3];
    char out[7];

    (void)state;
    text_hex(bytes, 3, out);
    assert_string_equal(out, "009aff");
    assert_int_equal(text_unhex("009aff", back, 3), 3);
    assert_memory_equal(back, bytes, 3);
    assert_int_equal(text_unhex("009AFF", back, 3), 3);
    assert_memory_equal(back, bytes, 3);
    assert_int_equal(text_unhex("", back, 3), 0);
}

static void unhex_refuses(void **state)
{
    static const char *const bad[] = {"0",   "009", "0g",       "0 ", "0x00",
                                      "-00", " 00", "009aff00", "/0", ":0"};
    uint8_t out[3];

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (text_unhex(bad[i], out, sizeof out) != -1)
            fail_msg("'%s' was taken for hex", bad[i]);
}

static void numbers(void **state)
{
    static const char *const bad[] = {
        "", " 1", "1 ", "+1", "-1", "12x", "0x1", "4", "101", "1k", "18446744073709551616"};
    uint64_t n = 77;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        if (text_parse_u64(bad[i], 5, 100, &n))
            fail_msg("'%s' was taken for a number", bad[i]);
        assert_true(n == 77); /* written on success only */
    }
    assert_true(text_parse_u64("5", 5, 100, &n) && n == 5);
    assert_true(text_parse_u64("100", 5, 100, &n) && n == 100);
    assert_true(text_parse_u64("007", 5, 100, &n) && n == 7);
    assert_true(text_parse_u64("18446744073709551615", 0, UINT64_MAX, &n) && n == UINT64_MAX);
}

static void sizes(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {
        {"0", 0},
        {"512", 512},
        {"512B", 512},
        {"1k", 1024},
        {"1K", 1024},
        {"1kb", 1024},
        {"1KiB", 1024},
        {"3m", 3145728},
        {"2G", UINT64_C(2) << 30},
        {"2gib", UINT64_C(2) << 30},
        {"1T", UINT64_C(1) << 40},
        {"16777215T", UINT64_C(16777215) << 40},
    };
    static const char *const bad[] = {"",     "k",    "1x",  "1 k",       "1kk",   "1ki", "1iB",
                                      "1kBB", "1.5k", "-1k", "16777216T", "1KiBB", "1bk", "1p"};
    uint64_t n = 77;

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        if (!text_parse_size(good[i].text, 0, UINT64_MAX, &n) || n != good[i].value)
            fail_msg("'%s' gave %llu", good[i].text, (unsigned long long)n);
    n = 77;
    for (size_t i = 0; i < COUNT(bad); i++)
        if (text_parse_size(bad[i], 0, UINT64_MAX, &n) || n != 77)
            fail_msg("'%s' was taken for a size", bad[i]);
    assert_false(text_parse_size("1k", 1025, 2000, &n));
    assert_false(text_parse_size("2k", 1025, 2000, &n));
}

static void readable_sizes(void **state)
{
    char out[TEXT_SIZE_BYTES];

    (void)state;
    assert_string_equal(text_size(0, out), "0 bytes");
    assert_string_equal(text_size(1023, out), "1023 bytes");
    assert_string_equal(text_size(1024, out), "1.0 KiB");
    assert_string_equal(text_size(1536, out), "1.5 KiB");
    assert_string_equal(text_size(UINT64_MAX, out), "16.0 EiB");
}

static void utf8(void **state)
{
    static const char *const good[] = {"",
                                       "plain",
                                       "\xc3\xa9",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x98\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "\xed\x9f\xbf"};
    static const char *const bad[] = {
        "\x80",     /* stray continuation */
        "a\xc3",    /* cut short */
        "\xc3(",    /* no continuation */
        "\xc0\xaf", /* overlong slash */
        "\xc1\xbf",
        "\xe0\x80\xaf",
        "\xe0\x9f\xbf",
        "\xf0\x80\x80\xaf",
        "\xed\xa0\x80",     /* surrogate */
        "\xf4\x90\x80\x80", /* above U+10FFFF */
        "\xf5\x80\x80\x80",
        "\xff",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(text_is_utf8(good[i], strlen(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++)
        if (text_is_utf8(bad[i], strlen(bad[i])))
            fail_msg("bad sequence %zu passed", i);
}

static void printable(void **state)
{
    char text[] = "a\x1b[31m\n\x7f\xc2\x9b\xc3\xa9\xff\xe2\x82";

    (void)state;
    text_make_printable(text);
    assert_string_equal(text, "a?[31m????\xc3\xa9???");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_endian), cmocka_unit_test(hex),
        cmocka_unit_test(unhex_refuses), cmocka_unit_test(numbers),
        cmocka_unit_test(sizes),         cmocka_unit_test(readable_sizes),
        cmocka_unit_test(utf8),          cmocka_unit_test(printable),
    };

    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
