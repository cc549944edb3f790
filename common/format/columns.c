/* SPDX-License-Identifier: MIT */
#include "format/columns.h"

#include <stdlib.h>
#include <string.h>

#define VARINT_BYTES 10 /* of 64 bits */

/* In the one form that a number has, so that a list has one form as well. */
int columns_get(struct columns_reader *r, uint64_t *value, struct err *e)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < VARINT_BYTES && r->at < r->end; i++) {
        uint8_t byte = *r->at++;

        if ((i == VARINT_BYTES - 1 && byte > 1) || (i > 0 && byte == 0))
            return err_set(e, ERR_ARCHIVE, "its columns have a number that is not valid");
        n |= (uint64_t)(byte & 0x7f) << 7 * i;
        if (!(byte & 0x80)) {
            *value = n;
            return 0;
        }
    }
    return err_set(e, ERR_ARCHIVE, "its columns are cut short");
}

int columns_get_near(struct columns_reader *r, uint64_t expected, uint64_t *value, struct err *e)
{
    uint64_t n;

    if (columns_get(r, &n, e) < 0)
        return -1;
    *value = expected + columns_unzigzag(n);
    return 0;
}

const uint8_t *columns_get_bytes(struct columns_reader *r, size_t size, struct err *e)
{
    const uint8_t *bytes = r->at;

    if (size > (size_t)(r->end - r->at)) {
        err_set(e, ERR_ARCHIVE, "its columns are cut short");
        return NULL;
    }
    r->at += size;
    return bytes;
}

void columns_put_bytes(struct columns_writer *w, const void *data, size_t size)
{
    if (w->failed || size == 0)
        return;
    if (w->capacity - w->size < size) {
        size_t capacity = 2 * (w->size + size) + 256;
        uint8_t *grown = realloc(w->data, capacity);

        if (!grown) {
            w->failed = true;
            return;
        }
        w->data = grown;
        w->capacity = capacity;
    }
    memcpy(w->data + w->size, data, size);
    w->size += size;
}

void columns_put(struct columns_writer *w, uint64_t value)
{
    uint8_t bytes[VARINT_BYTES];
    size_t n = 0;

    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (uint8_t)(value | 0x80);
    bytes[n++] = (uint8_t)value;
    columns_put_bytes(w, bytes, n);
}

void columns_put_near(struct columns_writer *w, uint64_t expected, uint64_t value)
{
    columns_put(w, columns_zigzag(value - expected));
}

void columns_put_planes(struct columns_writer *w, const uint32_t *values, size_t count)
{
    for (unsigned plane = 0; plane < COLUMNS_PLANES; plane++)
        for (size_t i = 0; i < count; i++) {
            uint8_t byte = (uint8_t)(values[i] >> 8 * plane);

            columns_put_bytes(w, &byte, 1);
        }
}
