/* SPDX-License-Identifier: MIT */
#include "store/format_file.h"

#include <stdio.h>
#include <string.h>

size_t store_format_text(unsigned digits, char out[STORE_FORMAT_SIZE])
{
    return (size_t)snprintf(out, STORE_FORMAT_SIZE, "ihop-store 1\nfolder-digits %u\n", digits);
}

/* Every byte counts: what a later version adds must not be overlooked. */
unsigned store_format_parse(const char *text, size_t size)
{
    char expected[STORE_FORMAT_SIZE];

    for (unsigned digits = 2; digits <= 4; digits += 2)
        if (store_format_text(digits, expected) == size && memcmp(text, expected, size) == 0)
            return digits;
    return 0;
}
