/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

uint64_t text_get_le64(const uint8_t bytes[8])
{
    uint64_t value = 0;

    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

void text_put_le64(uint8_t bytes[8], uint64_t value)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

void text_hex(const uint8_t *bytes, size_t size, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * size] = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int text_unhex(const char *text, uint8_t *out, size_t max)
{
    size_t digits = strlen(text);

    if (digits % 2 != 0 || digits / 2 > max)
        return -1;
    for (size_t i = 0; i < digits / 2; i++) {
        int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return -1;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return (int)(digits / 2);
}

/* Reads the digits at the beginning of text; *end is the first character after them. */
static bool parse_digits(const char *text, uint64_t *value, const char **end)
{
    uint64_t n = 0;

    if (!isdigit((unsigned char)*text))
        return false;
    for (; isdigit((unsigned char)*text); text++) {
        if (__builtin_mul_overflow(n, UINT64_C(10), &n) ||
            __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
            return false;
    }
    *value = n;
    *end = text;
    return true;
}

bool text_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    const char *end;
    uint64_t n;

    if (!parse_digits(text, &n, &end) || *end || n < min || n > max)
        return false;
    *value = n;
    return true;
}

bool text_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
    static const char units[] = "kmgt";
    unsigned shift = 0;
    const char *end;
    uint64_t n;

    if (!parse_digits(text, &n, &end))
        return false;
    if (*end) {
        const char *unit = strchr(units, tolower((unsigned char)*end));

        if (unit) {
            shift = 10 * (unsigned)(unit - units + 1);
            end++;
            if (strcasecmp(end, "ib") == 0)
                end += 2;
        }
        if (strcasecmp(end, "b") == 0)
            end++;
    }
    if (*end || n > UINT64_MAX >> shift)
        return false;
    n <<= shift;
    if (n < min || n > max)
        return false;
    *value = n;
    return true;
}

const char *text_size(uint64_t bytes, char out[TEXT_SIZE_BYTES])
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 1024 && unit < sizeof units / sizeof *units - 1) {
        value /= 1024;
        unit++;
    }
    snprintf(out, TEXT_SIZE_BYTES, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

/* The length of the UTF-8 sequence at s, where left bytes are left; 0 when it is broken: a
 * stray byte, an overlong form, a surrogate or a value above U+10FFFF. */
static size_t utf8_length(const uint8_t *s, size_t left)
{
    size_t need = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

    if (need == 0 || s[0] > 0xf4 || need > left)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
        return 0;
    return need;
}

bool text_is_utf8(const void *bytes, size_t size)
{
    const uint8_t *s = bytes;

    while (size > 0) {
        size_t n = utf8_length(s, size);

        if (n == 0)
            return false;
        s += n;
        size -= n;
    }
    return true;
}

void text_make_printable(char *text)
{
    size_t left = strlen(text);

    while (left > 0) {
        const uint8_t *s = (const uint8_t *)text;
        size_t n = utf8_length(s, left);
        /* The control characters are C0, DEL and C1 (U+0080 to U+009F, encoded c2 80 to c2 9f). */
        bool control = n == 0 || s[0] < 0x20 || s[0] == 0x7f || (s[0] == 0xc2 && s[1] < 0xa0);

        if (control) {
            n = n ? n : 1;
            memset(text, '?', n);
        }
        text += n;
        left -= n;
    }
}
