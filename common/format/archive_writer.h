/* SPDX-License-Identifier: MIT */
/* archive_writer: writes the header of an archive (archive.h), piece by piece and byte for byte as
 * bita 0.15 does, for whoever makes one: of an image, or out of another header.
 *
 * The pieces come in the order of the functions below. The writer remembers a failure
 * (dictionary.h). Only format/ includes this header, because it exposes protobuf-c. A writer
 * belongs to one thread.
 */
#ifndef IHOP_FORMAT_ARCHIVE_WRITER_H
#define IHOP_FORMAT_ARCHIVE_WRITER_H

#include "base/err.h"
#include "format/dictionary.h"
#include "format/image.h"
#include "format/image_builder.h"

#include <stddef.h>
#include <stdint.h>

#define ARCHIVE_MAGIC "BITA1" /* the NUL at its end counts */

/* The fields of the dictionary. */
extern const struct image_fields archive_fields;
#define ARCHIVE_FIELD_CHUNK_DESCRIPTORS 7

void archive_writer_begin(struct dict_writer *w);

/* The fields of the image before its order; archive_fields has the number of the order. */
void archive_writer_put_front(struct dict_writer *w, const struct image *image);
void archive_writer_put_order(struct dict_writer *w, const uint32_t *order, size_t count);

/* A chunk, whose archive_offset is written as it is. */
void archive_writer_put_chunk(struct dict_writer *w, const struct chunk *chunk, const uint8_t *hash,
                              size_t hash_length);

/* The fields behind the chunks. */
void archive_writer_put_back(struct dict_writer *w, const struct image *image);

/* What follows the dictionary. ERR_MEMORY, also when a piece before has failed. */
int archive_writer_end(struct dict_writer *w, uint64_t data_offset, struct err *e)
    __attribute__((warn_unused_result));

/* Where the chunk data of the image's archive begins, in the archives of all programs that are
 * known: where its first chunk does. */
uint64_t archive_writer_data_offset(const struct image *image);

#endif
