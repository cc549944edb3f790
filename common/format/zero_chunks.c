/* SPDX-License-Identifier: MIT */
#include "format/zero_chunks.h"

#include "base/checked.h"
#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

/* A chunk that shrinks by more than this may well be all zeros. */
#define ZERO_SUSPECT_RATIO 64

static bool may_be_zero(const struct image *image, const struct chunk *chunk)
{
    return !chunk->zero && (chunk->source_size == image->max_chunk_size ||
                            chunk->archive_size < chunk->source_size / ZERO_SUSPECT_RATIO);
}

static int compare_sizes(const void *a, const void *b, void *context)
{
    const struct image *image = context;
    uint32_t i = image->chunks.items[*(const uint32_t *)a].source_size;
    uint32_t j = image->chunks.items[*(const uint32_t *)b].source_size;

    return (i > j) - (i < j);
}

/* Feeds zeros up to each size in ascending order and compares on the way. */
static int compare_with_zeros(struct image *image, const uint32_t *suspects, size_t count,
                              struct err *e)
{
    static const uint8_t zeros[64 * 1024];
    CLEANUP(chunk_hasher_cleanup) struct chunk_hasher *h = chunk_hasher_new(e);
    uint8_t hash[CHUNK_HASH_SIZE];
    uint32_t fed = 0;

    if (!h || chunk_hash_begin(h, e) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct chunk *chunk = &image->chunks.items[suspects[i]];
        bool more = i == 0 || fed < chunk->source_size;

        while (fed < chunk->source_size) {
            size_t n = min_size(sizeof zeros, chunk->source_size - fed);

            if (chunk_hash_update(h, zeros, n, e) < 0)
                return -1;
            fed += (uint32_t)n;
        }
        if (more && chunk_hash_peek(h, hash, e) < 0)
            return -1;
        chunk->zero = memcmp(hash, chunk_table_hash(&image->chunks, suspects[i]),
                             image->chunks.hash_length) == 0;
    }
    return 0;
}

int zero_chunks_find(struct image *image, struct err *e)
{
    CLEANUP_FREE uint32_t *suspects = malloc((image->chunks.count + 1) * sizeof *suspects);
    size_t count = 0;

    if (!suspects)
        return err_nomem(e, "looking for zero chunks");
    for (size_t i = 0; i < image->chunks.count; i++)
        if (may_be_zero(image, &image->chunks.items[i]))
            suspects[count++] = (uint32_t)i;
    qsort_r(suspects, count, sizeof *suspects, compare_sizes, image);
    return compare_with_zeros(image, suspects, count, e);
}
