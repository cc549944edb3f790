/* SPDX-License-Identifier: MIT */
/* chunk_decoder: from the bytes that an archive has for a chunk to its content, verified.
 *
 * It is reused for many chunks and belongs to one thread at a time. The bytes are not
 * trusted: what it returns has the hash that the image says, or it is ERR_ARCHIVE.
 */
#ifndef IHOP_FETCH_CHUNK_DECODER_H
#define IHOP_FETCH_CHUNK_DECODER_H

#include "base/err.h"
#include "codec/decoder.h"
#include "format/chunk_hash.h"
#include "format/image.h"

#include <stddef.h>
#include <stdint.h>

struct chunk_decoder {
    const struct image *image;
    struct decoder decoder;
    struct chunk_hasher *hasher;
    uint8_t *output; /* of output_size bytes, or NULL */
    size_t output_size;
};

/* Takes chunks of this image, which must outlive it. ERR_MEMORY, or ERR_IO when OpenSSL
 * has no BLAKE2b; then there is nothing to release. */
int chunk_decoder_init(struct chunk_decoder *d, const struct image *image, struct err *e)
    __attribute__((warn_unused_result));
void chunk_decoder_release(struct chunk_decoder *d);

/* Decodes and verifies chunk number i of the image, whose archive_size bytes are at in.
 * *plain are its source_size bytes: they are valid until the next call and as long as in
 * is. ERR_ARCHIVE when they are not that chunk; ERR_MEMORY. */
int chunk_decoder_run(struct chunk_decoder *d, size_t i, const uint8_t *in, const uint8_t **plain,
                      struct err *e) __attribute__((warn_unused_result));

/* The memory that decoding chunk number i takes, in bytes; 0 when it is stored as it is. */
size_t chunk_decoder_cost(const struct image *image, size_t i);

/* Gives back what a chunk of this cost has made it take, unless that is little: nobody
 * counts what it keeps from one chunk to the next. */
void chunk_decoder_trim(struct chunk_decoder *d, size_t cost);

#endif
