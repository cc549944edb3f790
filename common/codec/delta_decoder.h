/* SPDX-License-Identifier: MIT */
/* delta_decoder: from a delta and its base to the content of a chunk (format/delta_list.h).
 *
 * A decoder is reused for many deltas and belongs to one thread at a time. Delta and base are not
 * trusted: nothing is read or written beyond what is given, time grows no faster than the sizes
 * of input, base and output, and whether the content is right its hash tells.
 */
#ifndef IHOP_CODEC_DELTA_DECODER_H
#define IHOP_CODEC_DELTA_DECODER_H

#include "base/err.h"
#include "format/delta_list.h"

#include <stddef.h>
#include <stdint.h>

struct delta_decoder {
    void *zstd;      /* opened when first needed */
    uint8_t *buffer; /* what is between the two steps of DELTA_BSDIFF */
    size_t buffer_size;
};

struct delta_bytes {
    const uint8_t *data;
    size_t size;
};

/* Never fails: memory is taken when it is first needed. */
void delta_decoder_init(struct delta_decoder *d);

/* Frees the memory that decoding has taken. The decoder can be used again. */
void delta_decoder_release(struct delta_decoder *d);

/* Decodes a delta of codec DELTA_ZSTD or DELTA_BSDIFF to exactly out_size bytes. ERR_ARCHIVE for
 * anything else; ERR_MEMORY. */
int delta_decoder_run(struct delta_decoder *d, enum delta_codec codec, struct delta_bytes delta,
                      struct delta_bytes base, uint8_t *out, size_t out_size, struct err *e)
    __attribute__((warn_unused_result));

/* An upper bound of the memory in bytes that decoding takes besides delta, base and output. */
size_t delta_decoder_memory(enum delta_codec codec, size_t out_size);

#endif
