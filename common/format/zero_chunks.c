/* SPDX-License-Identifier: MIT */
#include "format/zero_chunks.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

/* Every encoder makes zeros smaller by more than the first factor. It makes long runs of zeros
 * smaller by more than the second, not counting what a stream has around its data (xz by 6,500,
 * zstd and brotli at their fastest by 1,200). */
#define ZEROS_SHRINK      64
#define LONG_ZEROS_SHRINK 1024
#define STREAM_OVERHEAD   128

/* The hash of 16 MiB of zeros. Nearly every image with free space has such a chunk, because this
 * is the default maximum of bita and of ihop-compress, and hashing it took longer than everything
 * else that is done with a header. */
#define KNOWN_SIZE ((uint32_t)(16 * MIB))
static const uint8_t known_hash[CHUNK_HASH_SIZE] = {
    0x22, 0x93, 0xa7, 0xa4, 0xf4, 0x97, 0xaa, 0x92, 0x96, 0x4e, 0x17, 0x28, 0xa0, 0xbf, 0xca, 0x91,
    0x9f, 0x25, 0x5c, 0x5b, 0x4f, 0x85, 0x28, 0xf1, 0x26, 0x0a, 0xdf, 0xe5, 0x32, 0x48, 0xef, 0x48,
    0xfc, 0x1f, 0xba, 0x82, 0x66, 0xe7, 0x30, 0x1c, 0xbf, 0xc2, 0xae, 0x5c, 0xfe, 0x27, 0x94, 0xed,
    0xed, 0x15, 0x71, 0xed, 0x1e, 0xa1, 0x33, 0x3c, 0x3c, 0x93, 0x58, 0x5e, 0x0d, 0x5b, 0xa3, 0xd1,
};

static bool may_be_zero(const struct image *image, const struct chunk *chunk)
{
    if (chunk->zero)
        return false;
    if (image->compression == IMAGE_NONE && chunk->source_size == image->max_chunk_size)
        return true;
    return chunk->archive_size < chunk->source_size / ZEROS_SHRINK &&
           chunk->archive_size < chunk->source_size / LONG_ZEROS_SHRINK + STREAM_OVERHEAD;
}

static int compare_sizes(const void *a, const void *b, void *context)
{
    const struct image *image = context;
    uint32_t i = image->chunks.items[*(const uint32_t *)a].source_size;
    uint32_t j = image->chunks.items[*(const uint32_t *)b].source_size;

    return (i > j) - (i < j);
}

static bool has_hash(const struct image *image, size_t chunk, const uint8_t *hash)
{
    return memcmp(hash, chunk_table_hash(&image->chunks, chunk), image->chunks.hash_length) == 0;
}

/* Hashes one stream of zeros. Whenever the stream is as long as the next suspect, the hash so far
 * is compared with that of the suspect. suspects are in ascending order of size. */
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
        chunk->zero = has_hash(image, suspects[i], hash);
    }
    return 0;
}

int zero_chunks_find(struct image *image, struct err *e)
{
    CLEANUP_FREE uint32_t *suspects = malloc((image->chunks.count + 1) * sizeof *suspects);
    size_t count = 0;

    if (!suspects)
        return err_nomem(e, "looking for zero chunks");
    for (size_t i = 0; i < image->chunks.count; i++) {
        struct chunk *chunk = &image->chunks.items[i];

        if (!may_be_zero(image, chunk))
            continue;
        if (chunk->source_size == KNOWN_SIZE)
            chunk->zero = has_hash(image, i, known_hash);
        else
            suspects[count++] = (uint32_t)i;
    }
    if (count == 0)
        return 0;
    qsort_r(suspects, count, sizeof *suspects, compare_sizes, image);
    return compare_with_zeros(image, suspects, count, e);
}
