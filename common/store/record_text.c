/* SPDX-License-Identifier: MIT */
#include "store/record_text.h"

#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define CHECK      "check="
#define POLYNOMIAL UINT32_C(0x04c11db7) /* of cksum(1) */

static uint32_t cksum_add(uint32_t crc, uint8_t byte)
{
    crc ^= (uint32_t)byte << 24;
    for (int bit = 0; bit < 8; bit++)
        crc = crc & UINT32_C(0x80000000) ? crc << 1 ^ POLYNOMIAL : crc << 1;
    return crc;
}

static uint32_t cksum(const char *text, size_t size)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < size; i++)
        crc = cksum_add(crc, (uint8_t)text[i]);
    for (size_t rest = size; rest > 0; rest >>= 8)
        crc = cksum_add(crc, (uint8_t)rest);
    return ~crc;
}

size_t record_text_end(char *text, size_t used, size_t size)
{
    return used + (size_t)snprintf(text + used, size - used, CHECK "%u\n", cksum(text, used));
}

bool record_line_is(const struct record_line *line, const char *key)
{
    return strlen(key) == line->key_size && memcmp(key, line->key, line->key_size) == 0;
}

bool record_line_value(const struct record_line *line, char *value, size_t size)
{
    if (line->value_size >= size)
        return false;
    memcpy(value, line->value, line->value_size);
    value[line->value_size] = '\0';
    return true;
}

/* Takes one line, whose size is without its end. */
static int take_record_line(const char *text, size_t size, record_take_fn take, void *user,
                            struct err *e)
{
    const char *equals = memchr(text, '=', size);
    struct record_line line;

    if (size == 0 || *text == '#')
        return 0;
    if (!equals || memchr(text, '\0', size))
        return err_set(e, ERR_DAMAGED, "a line is not KEY=VALUE");
    line = (struct record_line){.key = text,
                                .key_size = (size_t)(equals - text),
                                .value = equals + 1,
                                .value_size = size - (size_t)(equals - text) - 1};
    return take(user, &line, e);
}

/* Compares the check in the line with the lines before it. */
static int compare_check(const char *text, size_t before, size_t size, struct err *e)
{
    char value[16] = "";
    uint64_t check;

    size -= sizeof CHECK - 1;
    if (size < sizeof value)
        memcpy(value, text + before + sizeof CHECK - 1, size);
    if (!text_parse_u64(value, 0, UINT32_MAX, &check) || check != cksum(text, before))
        return err_set(e, ERR_DAMAGED, "its check is wrong");
    return 0;
}

int record_text_read(const char *text, size_t size, record_take_fn take, void *user, struct err *e)
{
    for (size_t at = 0; at < size;) {
        const char *line = text + at, *end = memchr(line, '\n', size - at);
        size_t length;

        if (!end)
            break;
        length = (size_t)(end - line);
        if (length >= sizeof CHECK - 1 && memcmp(line, CHECK, sizeof CHECK - 1) == 0)
            return compare_check(text, at, length, e);
        if (take_record_line(line, length, take, user, e) < 0)
            return -1;
        at += length + 1;
    }
    return err_set(e, ERR_DAMAGED, size == 0 ? "it is empty" : "it is cut off");
}
