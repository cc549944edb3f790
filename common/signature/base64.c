/* SPDX-License-Identifier: MIT */
#include "signature/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes the last four characters with bytes of 1, 2 or 3, or others, with 3. */
static int decode_four(const char *text, size_t bytes, uint8_t *out)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < 4; i++) {
        int value = i <= bytes ? base64_value(text[i]) : 0; /* then it is '=' */

        if (value < 0)
            return -1;
        bits = bits << 6 | (uint32_t)value;
    }
    if (bytes < 3 && (bits & (0xffffffU >> (8 * bytes))) != 0)
        return -1;
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(bits >> (16 - 8 * i));
    return 0;
}

ssize_t base64_decode(const char *text, size_t size, uint8_t *out, size_t max)
{
    size_t padding = 0, done = 0;

    if (size % 4 != 0)
        return -1;
    while (size > 0 && padding < 2 && text[size - 1 - padding] == '=')
        padding++;
    if (size / 4 * 3 - padding > max)
        return -1;
    for (size_t at = 0; at < size; at += 4) {
        size_t bytes = at + 4 == size ? 3 - padding : 3;

        if (decode_four(text + at, bytes, out + done) < 0)
            return -1;
        done += bytes;
    }
    return (ssize_t)done;
}

void base64_encode(const uint8_t *bytes, size_t size, char *out)
{
    for (size_t at = 0; at < size; at += 3) {
        size_t left = size - at;
        uint32_t bits = (uint32_t)bytes[at] << 16 | (left > 1 ? (uint32_t)bytes[at + 1] << 8 : 0) |
                        (left > 2 ? bytes[at + 2] : 0);

        *out++ = alphabet[bits >> 18];
        *out++ = alphabet[bits >> 12 & 63];
        *out++ = left > 1 ? alphabet[bits >> 6 & 63] : '=';
        *out++ = left > 2 ? alphabet[bits & 63] : '=';
    }
    *out = '\0';
}
