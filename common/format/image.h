/* SPDX-License-Identifier: MIT */
/* image: what an archive and a release both describe, checked.
 *
 * An image is cut into chunks; equal chunks are one entry of the chunk table,
 * and the order says which entry comes next. archive and release make a struct
 * image through an image_builder; after that every index, size and sum in it
 * holds, whoever wrote the file.
 *
 * Plain data, no threads: read-only once built, so it may be shared.
 */
#ifndef IHOP_FORMAT_IMAGE_H
#define IHOP_FORMAT_IMAGE_H

#include "base/err.h"
#include "format/chunk_hash.h"
#include "format/chunk_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum image_chunker { IMAGE_BUZHASH = 0, IMAGE_ROLLSUM = 1, IMAGE_FIXED_SIZE = 2 };
enum image_compression { IMAGE_NONE = 0, IMAGE_LZMA = 1, IMAGE_ZSTD = 2, IMAGE_BROTLI = 3 };

struct image_metadata {
    char *key;
    uint8_t *value;
    size_t size;
};

struct image {
    char *application_version; /* never NULL */
    uint8_t source_checksum[CHUNK_HASH_SIZE];
    uint64_t source_size;

    enum image_chunker chunker;
    uint32_t filter_bits, min_chunk_size, max_chunk_size, window_size;

    struct chunk_table chunks;
    uint32_t *order; /* numbers of chunks, in source order */
    size_t order_count;

    struct image_metadata *metadata;
    size_t metadata_count;

    /* Where it came from: known for archives and for our own releases. */
    bool has_archive;
    enum image_compression compression;
    uint32_t compression_level;
    uint64_t archive_size; /* of the whole archive */
    uint64_t header_size;  /* from its start to the end of the header checksum */
    uint8_t header_checksum[CHUNK_HASH_SIZE];
    char *archive_url;      /* NULL when not known */
    bool archive_url_lacks; /* a query, user or password, without which it may not work */
};

void image_free(struct image *image);

/* "RollSum", "BuzHash" or "fixed size". */
const char *image_chunker_name(const struct image *image);

/* The average size that the chunker aims at; 0 for a fixed size. */
uint64_t image_average_chunk_size(const struct image *image);

/* The metadata of this key, or NULL. */
const struct image_metadata *image_find_metadata(const struct image *image, const char *key);

/* Whether two descriptions have the same bytes: size and BLAKE2b-512. */
bool image_same_source(const struct image *a, const struct image *b);

#endif
