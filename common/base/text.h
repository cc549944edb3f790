/* SPDX-License-Identifier: MIT */
/* text: little-endian numbers, hex, numbers and sizes in decimal, and UTF-8. Pure. */
#ifndef IHOP_BASE_TEXT_H
#define IHOP_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 64-bit little-endian numbers, read and written byte by byte, so that neither the alignment nor
 * the byte order of the machine matters. */
uint64_t text_get_le64(const uint8_t bytes[8]);
void text_put_le64(uint8_t bytes[8], uint64_t value);

/* Writes size bytes as lower-case hex digits and a NUL: out has 2 * size + 1 bytes. */
void text_hex(const uint8_t *bytes, size_t size, char *out);

/* Parses text, all of which must be hex digits, into at most max bytes. Returns the number of
 * bytes, or -1 for an odd number of digits, another character, or more than max bytes. */
int text_unhex(const char *text, uint8_t *out, size_t max);

/* Parses text, all of which must be a decimal number from min to max. False: it is none. */
bool text_parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *value);

/* Parses a number with an optional suffix, in any case, as curl and nbdkit do: k, M, G, T, or
 * KiB, MiB, GiB, TiB, which are powers of 1024; "B" may follow. */
bool text_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *value);

#define TEXT_SIZE_BYTES 32

/* Writes a size for people, such as "1.5 MiB"; returns out. */
const char *text_size(uint64_t bytes, char out[TEXT_SIZE_BYTES]);

/* The plural ending of what is counted in a message: "", or "s" if count is not 1. */
static inline const char *text_s(uint64_t count)
{
    return count == 1 ? "" : "s";
}

bool text_is_utf8(const void *bytes, size_t size);

/* Replaces control characters and broken UTF-8 by '?', in place: what comes from a server or an
 * archive must not control the user's terminal. */
void text_make_printable(char *text);

#endif
