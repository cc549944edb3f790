/* SPDX-License-Identifier: MIT */
/* text: little-endian numbers, hex, sizes and strings. Pure functions. */
#ifndef IHOP_BASE_TEXT_H
#define IHOP_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 64-bit little-endian, byte by byte: neither alignment nor byte order of the
 * machine matters. */
uint64_t text_get_le64(const uint8_t bytes[8]);
void text_put_le64(uint8_t bytes[8], uint64_t value);

/* Lower-case hex of size bytes and a NUL: out has 2 * size + 1 bytes. */
void text_hex(const uint8_t *bytes, size_t size, char *out);

/* Parses hex digits, all of text, at most max bytes. Returns the number of
 * bytes, or -1 for an odd length, another character or too many. */
int text_unhex(const char *text, uint8_t *out, size_t max);

/* All of text is a decimal number within [min, max]. */
bool text_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *value);

/* The same with an optional suffix: k M G T, or KiB MiB GiB TiB, powers of
 * 1024, any case (as curl and nbdkit take them); "B" may follow. */
bool text_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *value);

/* "1.5 MiB": out has TEXT_SIZE_BYTES. */
#define TEXT_SIZE_BYTES 32
const char *text_size(uint64_t bytes, char out[TEXT_SIZE_BYTES]);

/* "s", or nothing for one: of what is counted in a message. */
static inline const char *text_s(uint64_t count)
{
    return count == 1 ? "" : "s";
}

bool text_is_utf8(const void *bytes, size_t size);

/* Replaces control characters and broken UTF-8 by '?', in place: what comes
 * from a server or an archive must not drive the user's terminal. */
void text_make_printable(char *text);

#endif
