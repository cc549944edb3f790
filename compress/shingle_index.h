/* SPDX-License-Identifier: MIT */
/* shingle_index: where in an old image pieces of a new one may be.
 *
 * A shingle is SHINGLE_SIZE bytes, at any place. Of all shingles those are looked at whose hash
 * says so, one in 2^rarity, so that the same piece is found wherever it lies. Shingles of zeros
 * alone do not count, and of a run of equal ones the first does. Places are blocks of DELTA_BLOCK
 * bytes.
 *
 * An entry takes 8 bytes. The larger the image is, the rarer are the shingles that are looked at:
 * SHINGLE_INDEX_ENTRIES of them are expected at most. Adding is thread-safe; once finished, the
 * index does not change, and threads may share it.
 */
#ifndef IHOP_COMPRESS_SHINGLE_INDEX_H
#define IHOP_COMPRESS_SHINGLE_INDEX_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SHINGLE_SIZE          32
#define SHINGLE_INDEX_ENTRIES (UINT64_C(8) * 1024 * 1024)

struct shingle {
    uint32_t hash;
    uint32_t at; /* where it begins in the data, in bytes */
};

/* The shingles of one piece of data. It is reused, by one thread at a time. */
struct shingle_list {
    struct shingle *items;
    size_t count, capacity;
};

void shingle_list_free(struct shingle_list *list);

/* Replaces the list by the shingles of data. ERR_MEMORY. */
int shingle_list_scan(struct shingle_list *list, const uint8_t *data, size_t size, unsigned rarity,
                      struct err *e) __attribute__((warn_unused_result));

struct shingle_index;

/* For an image whose different chunks have so many bytes. NULL with ERR_MEMORY. */
struct shingle_index *shingle_index_new(uint64_t bytes, struct err *e);
void shingle_index_free(struct shingle_index *x);

unsigned shingle_index_rarity(const struct shingle_index *x);

/* Adds the shingles of data that is at this offset of the image. ERR_MEMORY. */
int shingle_index_add(struct shingle_index *x, uint64_t offset, const struct shingle_list *list,
                      struct err *e) __attribute__((warn_unused_result));

/* After all were added and before any is looked for. ERR_MEMORY. */
int shingle_index_finish(struct shingle_index *x, struct err *e)
    __attribute__((warn_unused_result));

/* The entries with this hash, of which there are *count, in ascending order of their blocks. */
const uint64_t *shingle_index_find(const struct shingle_index *x, uint32_t hash, size_t *count);

/* The block of an entry. */
static inline uint32_t shingle_index_block(uint64_t entry)
{
    return (uint32_t)entry;
}

#endif
