/* SPDX-License-Identifier: MIT */
/* test_bar: the progress bar: what it shows, and that it fits a terminal of any width. */
#include "support.h"

#include "cli/bar.h"

#include <string.h>

static const struct bar samples[] = {
    {"fetching", NULL, 0, 1, 0},
    {"fetching", NULL, 163840, 1153434, 117965},
    {"making it durable", NULL, 0, 0, 0},
    {"searching the seed", "read", 123456789, 0, 34567890.5},
    {"removing chunks", "freed", 4096, 0, 0},
    {"compressing", "read", 1023 * 1024, 1023 * UINT64_C(1073741824), 1e-9},
    {"checking chunks", NULL, UINT64_MAX - 1, UINT64_MAX, 1e30},
    {"checking chunks", NULL, UINT64_MAX, 1, 1e6}, /* it has grown */
    {"compressing", "read", 104857600, 1048576, 12345},
};

static void fits_every_width(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(samples); i++)
        for (size_t width = 0; width <= 300; width++) {
            char line[BAR_LINE + 8];

            memset(line, 0x7e, sizeof line);
            bar_format(&samples[i], width, line);
            assert_true(memchr(line, '\0', BAR_LINE) != NULL);
            assert_true(strlen(line) <= width);
            for (size_t at = BAR_LINE; at < sizeof line; at++)
                assert_int_equal(line[at], 0x7e);
            for (const char *at = line; *at; at++)
                assert_in_range(*at, 0x20, 0x7e);
        }
}

static void assert_line(const struct bar *bar, size_t width, const char *expected)
{
    char line[BAR_LINE];

    bar_format(bar, width, line);
    assert_string_equal(line, expected);
}

static void drops_the_least(void **state)
{
    const struct bar *bar = &samples[1];

    (void)state;
    assert_line(bar, 159,
                "[###.....................]  14%  160.0 KiB of 1.1 MiB  115.2 KiB/s  0:08 left  "
                "fetching");
    assert_line(bar, 79,
                "[##..............]  14%  160.0 KiB of 1.1 MiB  115.2 KiB/s  0:08 left  fetching");
    assert_line(bar, 65, " 14%  160.0 KiB of 1.1 MiB  115.2 KiB/s  0:08 left  fetching");
    assert_line(bar, 49, " 14%  160.0 KiB of 1.1 MiB  0:08 left  fetching");
    assert_line(bar, 38, " 14%  160.0 KiB of 1.1 MiB  fetching");
    assert_line(bar, 34, "[##...............]  14%  fetching");
    assert_line(bar, 9, " 14%");
    assert_line(bar, 3, "");
    assert_line(bar, 0, "");
    assert_line(&samples[3], 79, "searching the seed...  117.7 MiB read  33.0 MiB/s");
    assert_line(&samples[8], 79,
                "[############] 100%  100.0 MiB of 100.0 MiB  12.1 KiB/s  "
                "0:00 left  compressing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fits_every_width),
        cmocka_unit_test(drops_the_least),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
