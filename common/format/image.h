/* SPDX-License-Identifier: MIT */
/* image: what an archive and a release both describe, checked.
 *
 * An image is cut into chunks. Equal chunks are one entry of the chunk table, and the order
 * lists the entries that make up the image, from its first byte to its last. archive.h and
 * release.h make a struct image through an image_builder, which checks every index, size and
 * sum in it, so that its users need not.
 *
 * An image is plain data that owns what it points to. It does not change once it was built, so
 * threads may share it.
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
    uint32_t filter_bits, min_chunk_size, max_chunk_size, window_size; /* sizes in bytes */

    struct chunk_table chunks;
    uint32_t *order; /* numbers of chunks, in the order of the image */
    size_t order_count;

    struct image_metadata *metadata;
    size_t metadata_count;

    /* The archive that the image came from. A release that ihop 0.1 wrote does not say. */
    bool has_archive;
    enum image_compression compression;
    uint32_t compression_level;
    uint64_t archive_size; /* of the whole archive */
    uint64_t header_size;  /* from the archive's start to the end of the header checksum */
    uint8_t header_checksum[CHUNK_HASH_SIZE];
    /* What signs the header (signature/minisign.h), as it was found: not verified. NULL: nothing.
     */
    uint8_t *signatures;
    size_t signatures_size;
    /* The header itself, header_size bytes, if it is signed and cannot be made again of the members
     * above (archive_rebuild_header); otherwise NULL. */
    uint8_t *signed_header;
    char *archive_url;      /* NULL when not known */
    bool archive_url_lacks; /* the address had a query, user or password and may not work without */

    char *name; /* the release's, when it was published; NULL when not known */
};

void image_free(struct image *image);

/* Replaces what signs the image by a copy of these bytes, without zeros at their end; NULL when
 * nothing is left. ERR_MEMORY. */
int image_set_signatures(struct image *image, const uint8_t *text, size_t size, struct err *e)
    __attribute__((warn_unused_result));

/* "RollSum", "BuzHash" or "fixed size". */
const char *image_chunker_name(const struct image *image);

/* The average size in bytes that the chunker aims at; 0 for a fixed size. */
uint64_t image_average_chunk_size(const struct image *image);

/* The metadata entry with this key, which belongs to the image, or NULL. */
const struct image_metadata *image_find_metadata(const struct image *image, const char *key);

/* Whether both describe the same content, judged by its size and BLAKE2b-512. */
bool image_same_source(const struct image *a, const struct image *b);

#endif
