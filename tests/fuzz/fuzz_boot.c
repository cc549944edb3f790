/* SPDX-License-Identifier: MIT */
/* fuzz_boot: the text that says which release boots is read as it is, and with a check that is
 * right before its last line; what is accepted is written and read again. */
#include "fuzz.h"

#include "store/boot_record.h"
#include "store/release_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_record(const struct boot_record *r)
{
    char text[BOOT_RECORD_SIZE];
    struct boot_record again;
    struct err e = ERR_INIT;

    for (int i = 0; i < BOOT_ROLES; i++)
        FUZZ_ASSERT(!r->of[i].name[0] || release_name_check(r->of[i].name, &e) == 0);
    FUZZ_ASSERT(r->tries <= LIMIT_BOOT_TRIES && r->armed <= LIMIT_BOOT_TRIES);
    boot_record_format(r, text);
    FUZZ_ASSERT(boot_record_parse(text, sizeof text, &again, &e) == 0);
    FUZZ_ASSERT(memcmp(r, &again, sizeof again) == 0);
}

/* POSIX cksum, written down once more. */
static uint32_t sum_of(const uint8_t *data, size_t size)
{
    uint32_t crc = 0;
    size_t n = size;

    for (size_t i = 0; i < size || n > 0; i++) {
        uint8_t byte = i < size ? data[i] : (uint8_t)n;

        if (i >= size)
            n >>= 8;
        for (int bit = 7; bit >= 0; bit--)
            crc = crc << 1 ^ ((crc >> 31 ^ (uint32_t)(byte >> bit & 1)) ? UINT32_C(0x04c11db7) : 0);
    }
    return ~crc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct boot_record r;
    struct err e = ERR_INIT;
    char *text = malloc(size + 64);
    int more;

    if (!text)
        return 0;
    memset(&r, 0, sizeof r);
    if (size > 0)
        memcpy(text, data, size);
    if (boot_record_parse(text, size, &r, &e) == 0)
        check_record(&r);
    else
        FUZZ_ASSERT(e.kind == ERR_DAMAGED && e.text[0]);
    if (size > 0 && text[size - 1] == '\n') {
        more = snprintf(text + size, 64, "check=%u\n", sum_of(data, size));
        if (boot_record_parse(text, size + (size_t)more, &r, &e) == 0)
            check_record(&r);
    }
    free(text);
    return 0;
}
