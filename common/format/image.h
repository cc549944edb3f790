/* SPDX-License-Identifier: MIT */
/* image: what an archive and a release both describe, checked.
 *
 * An image is cut into chunks; equal chunks are one entry of the chunk table,
 * and the order says which entry comes next. archive and release fill a struct
 * image through the builder below and finish it; after that every index, size
 * and sum in it holds, whoever wrote the file.
 *
 * Plain data, no threads: read-only once built, so it may be shared.
 */
#ifndef IHOP_FORMAT_IMAGE_H
#define IHOP_FORMAT_IMAGE_H

#include "base/err.h"
#include "format/chunk_hash.h"
#include "format/dictionary.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum image_chunker { IMAGE_BUZHASH = 0, IMAGE_ROLLSUM = 1, IMAGE_FIXED_SIZE = 2 };
enum image_compression { IMAGE_NONE = 0, IMAGE_LZMA = 1, IMAGE_ZSTD = 2, IMAGE_BROTLI = 3 };

struct image_chunk {
    uint64_t archive_offset; /* absolute; valid when the image has_archive */
    uint32_t archive_size;   /* equal to source_size: stored as it is */
    uint32_t source_size;    /* 1 .. LIMIT_CHUNK */
    bool zero;               /* known to be all zeros; false: not known */
};

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

    size_t hash_length; /* bytes of each chunk hash, 4 .. 64 */
    struct image_chunk *chunks;
    uint8_t *hashes; /* chunk_count * hash_length bytes; see image_hash */
    size_t chunk_count;
    uint32_t *order; /* indices into chunks, in source order */
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

static inline const uint8_t *image_hash(const struct image *image, size_t chunk)
{
    return image->hashes + chunk * image->hash_length;
}

/* The chunk's hash in hex: out has CHUNK_HASH_HEX bytes. */
const char *image_hash_hex(const struct image *image, size_t chunk, char *out);

/* The chunk indices in ascending order of hash (equal ones by index), or NULL.
 * The caller frees it. */
uint32_t *image_sort_by_hash(const struct image *image, struct err *e)
    __attribute__((warn_unused_result));

/* The chunk with this hash (of the image's hash length), or IMAGE_NO_CHUNK; sorted
 * as image_sort_by_hash gives it. */
#define IMAGE_NO_CHUNK SIZE_MAX
size_t image_find_hash(const struct image *image, const uint32_t *sorted, const uint8_t *hash);

/* "RollSum", "BuzHash" or "fixed size". */
const char *image_chunker_name(const struct image *image);

/* The average size that the chunker aims at; 0 for a fixed size. */
uint64_t image_average_chunk_size(const struct image *image);

/* The metadata of this key, or NULL. */
const struct image_metadata *image_find_metadata(const struct image *image, const char *key);

/* Whether two descriptions have the same bytes: size and BLAKE2b-512. */
bool image_same_source(const struct image *a, const struct image *b);

/* Writing: the parts that both kinds of dictionary have, as field. */
void image_put_chunker(struct dict_writer *w, uint32_t field, const struct image *image);
void image_put_compression(struct dict_writer *w, uint32_t field, const struct image *image);
void image_put_metadata(struct dict_writer *w, uint32_t field, const struct image *image);

/* Building. Errors have the kind given to init: ERR_ARCHIVE or ERR_DAMAGED. */

struct image_builder {
    struct image image;
    enum err_kind kind;
    struct dict_numbers order;
    size_t chunk_room, hash_room, metadata_room, metadata_bytes;
    uint32_t declared_hash_length; /* from the chunker parameters */
    bool has_chunker, has_source_checksum;
};

void image_builder_init(struct image_builder *b, enum err_kind kind);
void image_builder_free(struct image_builder *b);

int image_add_chunk(struct image_builder *b, const ProtobufCBinaryData *hash,
                    const struct image_chunk *chunk, struct err *e)
    __attribute__((warn_unused_result));
int image_add_metadata(struct image_builder *b, struct dict_reader *r, const struct dict_field *f,
                       struct err *e) __attribute__((warn_unused_result));
int image_set_chunker(struct image_builder *b, struct dict_reader *r, const struct dict_field *f,
                      struct err *e) __attribute__((warn_unused_result));
int image_set_compression(struct image_builder *b, struct dict_reader *r,
                          const struct dict_field *f, struct err *e)
    __attribute__((warn_unused_result));
int image_set_source_checksum(struct image_builder *b, const struct dict_field *f, struct err *e)
    __attribute__((warn_unused_result));

/* Checks the whole and moves it to *out. Afterwards each hash occurs once
 * (order entries of a repeated one are redirected), chunks that nothing refers
 * to are gone, and the sizes add up. min_hash_length: shorter chunk hashes are
 * an error. */
int image_finish(struct image_builder *b, size_t min_hash_length, struct image *out, struct err *e)
    __attribute__((warn_unused_result));

/* Sets zero on chunks whose hash is that of zeros. Only those are tried that
 * compress extremely well or have the chunker's maximum size, which is how a
 * run of zeros is cut. Costs one hash over at most LIMIT_CHUNK bytes. */
int image_find_zero_chunks(struct image *image, struct err *e) __attribute__((warn_unused_result));

#endif
