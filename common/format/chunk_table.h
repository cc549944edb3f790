/* SPDX-License-Identifier: MIT */
/* chunk_table: a list of chunks, each with its hash, its size and its place in an
 * archive. An image has one; so has whoever deals with chunks of several images at
 * once.
 *
 * All hashes of a table have the same length. A table is plain data: threads may share one
 * that does not change any more.
 */
#ifndef IHOP_FORMAT_CHUNK_TABLE_H
#define IHOP_FORMAT_CHUNK_TABLE_H

#include "base/err.h"
#include "format/chunk_hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chunk {
    uint64_t archive_offset; /* absolute, in bytes; valid when the image has_archive */
    uint32_t archive_size;   /* bytes; equal to source_size when it is not compressed */
    uint32_t source_size;    /* bytes, 1 .. LIMIT_CHUNK */
    bool zero;               /* it is known to be all zeros; with false that is not known */
};

struct chunk_table {
    size_t hash_length; /* bytes of each hash, 4 .. 64 */
    struct chunk *items;
    uint8_t *hashes; /* count * hash_length bytes; see chunk_table_hash */
    size_t count;
    size_t capacity, hash_capacity; /* what items and hashes have memory for */
};

void chunk_table_free(struct chunk_table *t);

/* The hash of chunk number i: hash_length bytes, which belong to the table. */
static inline const uint8_t *chunk_table_hash(const struct chunk_table *t, size_t i)
{
    return t->hashes + i * t->hash_length;
}

/* Writes the hash of chunk number i as hexadecimal text to out, which has CHUNK_HASH_HEX
 * bytes, and returns out. */
const char *chunk_table_hash_hex(const struct chunk_table *t, size_t i, char *out);

/* Appends a copy of chunk, with a hash of the table's hash_length. ERR_MEMORY. */
int chunk_table_append(struct chunk_table *t, const uint8_t *hash, const struct chunk *chunk,
                       struct err *e) __attribute__((warn_unused_result));

/* Keeps the chunks whose keep[i] is true, in their order. new_index is NULL, or an array of the
 * table's count, which then has the new number of each chunk that was kept. */
void chunk_table_retain(struct chunk_table *t, const bool *keep, uint32_t *new_index);

/* The sum of the chunks' source sizes, in bytes. */
uint64_t chunk_table_bytes(const struct chunk_table *t);

/* Returns the numbers of the chunks in ascending order of hash (equal hashes by number), or
 * NULL with ERR_MEMORY. The caller frees the array. */
uint32_t *chunk_table_sort_by_hash(const struct chunk_table *t, struct err *e)
    __attribute__((warn_unused_result));

/* Returns the number of the chunk with this hash, which has the table's hash length, or
 * CHUNK_TABLE_NONE. sorted is what chunk_table_sort_by_hash returned. */
#define CHUNK_TABLE_NONE SIZE_MAX
size_t chunk_table_find(const struct chunk_table *t, const uint32_t *sorted, const uint8_t *hash);

#endif
