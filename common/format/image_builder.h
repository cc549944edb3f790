/* SPDX-License-Identifier: MIT */
/* image_builder: from the fields of a dictionary to a checked image, and back.
 *
 * archive.c and release.c walk their dictionaries and hand each field to a builder, and
 * image_builder_finish checks the whole. Errors have the kind that image_builder_init was
 * given, ERR_ARCHIVE or ERR_DAMAGED, or are ERR_MEMORY. Only format/ includes this header,
 * because it exposes protobuf-c. A builder belongs to one thread.
 */
#ifndef IHOP_FORMAT_IMAGE_BUILDER_H
#define IHOP_FORMAT_IMAGE_BUILDER_H

#include "base/err.h"
#include "format/dictionary.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image_builder {
    struct image image;
    enum err_kind kind; /* of errors in what is parsed */
    struct dict_numbers order;
    size_t metadata_capacity, metadata_bytes;
    size_t signed_header_size;     /* of a release's image.signed_header */
    uint32_t declared_hash_length; /* from the chunker parameters */
    bool has_chunker, has_source_checksum;
};

void image_builder_init(struct image_builder *b, enum err_kind kind);
void image_builder_free(struct image_builder *b);

/* Appends a chunk with this hash to the chunk table. */
int image_builder_add_chunk(struct image_builder *b, const ProtobufCBinaryData *hash,
                            const struct chunk *chunk, struct err *e)
    __attribute__((warn_unused_result));
/* The fields that both kinds of dictionary have: their numbers in one of them. */
struct image_fields {
    uint32_t application_version, source_checksum, source_size, order;
    uint32_t chunker, compression, metadata;
};

/* Takes the field f if it is one of those. Any other field is skipped, because a later version
 * may have added it. */
int image_builder_add_field(struct image_builder *b, const struct image_fields *fields,
                            struct dict_reader *r, const struct dict_field *f, struct err *e)
    __attribute__((warn_unused_result));

/* Checks the whole and moves it to *out, which the caller frees. Afterwards each hash occurs
 * once (order entries of a repeated one are redirected), chunks that the order does not refer
 * to are left out, and the sizes add up. */
int image_builder_finish(struct image_builder *b, struct image *out, struct err *e)
    __attribute__((warn_unused_result));

/* Write these fields of an image. The writer remembers a failure (dictionary.h). */
void image_put_source(struct dict_writer *w, const struct image_fields *fields,
                      const struct image *image); /* the version, the checksum and the size */
void image_put_order(struct dict_writer *w, const struct image_fields *fields,
                     const struct image *image);
void image_put_chunker(struct dict_writer *w, const struct image_fields *fields,
                       const struct image *image);
void image_put_compression(struct dict_writer *w, const struct image_fields *fields,
                           const struct image *image);
void image_put_metadata(struct dict_writer *w, const struct image_fields *fields,
                        const struct image *image);

#endif
