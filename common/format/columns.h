/* SPDX-License-Identifier: MIT */
/* columns: lists of numbers as delta packs have them: varints (7 bits a byte, the lowest first, the
 * highest bit of all bytes but the last set; at most 10 bytes), column after column, so that a
 * compressor finds like beside like.
 *
 * A number that lies near an expected one is written as their difference, zigzag: 0, -1, 1, -2 ...
 * are 0, 1, 2, 3 ..., modulo 2^64.
 *
 * Sizes that have nothing to do with one another are written in planes: first the lowest bytes of
 * all, which look random, then the next ones, and so on, four planes in all.
 *
 * The bytes that are read are not trusted. A reader or a writer belongs to one thread.
 */
#ifndef IHOP_FORMAT_COLUMNS_H
#define IHOP_FORMAT_COLUMNS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct columns_reader {
    const uint8_t *at, *end; /* borrowed */
};

static inline uint64_t columns_zigzag(uint64_t difference)
{
    return difference << 1 ^ (0 - (difference >> 63));
}

static inline uint64_t columns_unzigzag(uint64_t n)
{
    return n >> 1 ^ (0 - (n & 1));
}

/* Reads the next number; ERR_ARCHIVE when the bytes end before, the number has more than 64
 * bits, or it is written in more bytes than it needs. */
int columns_get(struct columns_reader *r, uint64_t *value, struct err *e)
    __attribute__((warn_unused_result));

/* columns_get, for a number that is written as its difference to expected. */
int columns_get_near(struct columns_reader *r, uint64_t expected, uint64_t *value, struct err *e)
    __attribute__((warn_unused_result));

/* The next size bytes as they are; NULL with ERR_ARCHIVE when there are not so many. */
const uint8_t *columns_get_bytes(struct columns_reader *r, size_t size, struct err *e)
    __attribute__((warn_unused_result));

#define COLUMNS_PLANES 4

/* Number i of count numbers in planes, which have COLUMNS_PLANES * count bytes. */
static inline uint32_t columns_from_planes(const uint8_t *planes, size_t count, size_t i)
{
    return planes[i] | (uint32_t)planes[count + i] << 8 | (uint32_t)planes[2 * count + i] << 16 |
           (uint32_t)planes[3 * count + i] << 24;
}

/* A failed allocation is remembered in failed. The caller frees data. */
struct columns_writer {
    uint8_t *data;
    size_t size, capacity;
    bool failed;
};

void columns_put(struct columns_writer *w, uint64_t value);
void columns_put_near(struct columns_writer *w, uint64_t expected, uint64_t value);
void columns_put_bytes(struct columns_writer *w, const void *data, size_t size);
void columns_put_planes(struct columns_writer *w, const uint32_t *values, size_t count);

#endif
