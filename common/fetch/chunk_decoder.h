/* SPDX-License-Identifier: MIT */
/* chunk_decoder: from the bytes that an archive has for a chunk, or a pack, to its content,
 * verified.
 *
 * A decoder is reused for many chunks and belongs to one thread at a time. The bytes are not
 * trusted: either the content has the hash that the image says, or the result is ERR_ARCHIVE.
 */
#ifndef IHOP_FETCH_CHUNK_DECODER_H
#define IHOP_FETCH_CHUNK_DECODER_H

#include "base/err.h"
#include "base/limits.h"
#include "codec/decoder.h"
#include "codec/delta_decoder.h"
#include "format/chunk_hash.h"
#include "format/image.h"

#include <stddef.h>
#include <stdint.h>

#define CHUNK_DECODER_KEPT (1 * MIB) /* bytes that may be kept from one chunk to the next */

struct chunk_decoder {
    const struct image *image;
    struct decoder decoder;
    struct delta_decoder delta;
    struct chunk_hasher *hasher;
    uint8_t *output; /* of output_size bytes, or NULL */
    size_t output_size;
};

/* Prepares for chunks of this image, which must live as long as the decoder. ERR_MEMORY, or
 * ERR_IO when OpenSSL has no BLAKE2b; after a failure there is nothing to release. */
int chunk_decoder_init(struct chunk_decoder *d, const struct image *image, struct err *e)
    __attribute__((warn_unused_result));
void chunk_decoder_release(struct chunk_decoder *d);

/* Decodes and verifies chunk number i of the image. in has the chunk's archive_size bytes, and
 * *plain points to its source_size bytes, which are valid until the next call and only as long
 * as in. ERR_ARCHIVE when in is not that chunk; ERR_MEMORY. */
int chunk_decoder_run(struct chunk_decoder *d, size_t i, const uint8_t *in, const uint8_t **plain,
                      struct err *e) __attribute__((warn_unused_result));

/* What a pack has for a chunk. */
struct chunk_delta {
    enum delta_codec codec; /* not DELTA_COPY, which chunk_decoder_run decodes */
    struct delta_bytes bytes, base;
};

/* chunk_decoder_run for a delta. *plain is valid until the next call. */
int chunk_decoder_run_delta(struct chunk_decoder *d, size_t i, const struct chunk_delta *delta,
                            const uint8_t **plain, struct err *e)
    __attribute__((warn_unused_result));

/* The memory in bytes that decoding chunk number i takes; 0 for a chunk stored uncompressed. */
size_t chunk_decoder_cost(const struct image *image, size_t i);

/* Frees the memory that a chunk of this cost has taken, unless that is CHUNK_DECODER_KEPT or less.
 * What a decoder keeps from one chunk to the next is not counted in any budget. */
void chunk_decoder_trim(struct chunk_decoder *d, size_t cost);

#endif
