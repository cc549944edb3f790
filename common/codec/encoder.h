/* SPDX-License-Identifier: MIT */
/* encoder: compression of one chunk, one file per library behind one table. Encoders are apart
 * from decoders, because a device that updates itself only decodes, and ihop-clone needs no
 * libbrotlienc.
 *
 * Levels and streams are those of bita: brotli, .xz with CRC64, one zstd frame. The same bytes,
 * codec and level give the same stream, whatever an encoder did before.
 *
 * An encoder is reused for many chunks and belongs to one thread at a time.
 */
#ifndef IHOP_CODEC_ENCODER_H
#define IHOP_CODEC_ENCODER_H

#include "base/err.h"
#include "format/image.h"

#include <stddef.h>
#include <stdint.h>

/* How encoding a chunk ended. */
enum encoded {
    ENCODED_FAILED = -1, /* without memory; nothing else can go wrong */
    ENCODED_FITS = 0,
    ENCODED_TOO_LONG = 1, /* the stream does not fit into the buffer */
};

struct encoder_ops {
    uint32_t max_level; /* the lowest is 1 */

    /* open returns state that is reused from chunk to chunk, or NULL without memory. Both are
     * NULL for an encoder without state. */
    void *(*open)(void);
    void (*close)(void *state);

    /* Encodes in to at most capacity bytes at out; *size is how many bytes it wrote. */
    enum encoded (*encode)(void *state, uint32_t level, const uint8_t *in, size_t in_size,
                           uint8_t *out, size_t capacity, size_t *size);
};

/* The highest level of a compression; 0 for IMAGE_NONE, which has none. */
uint32_t encoder_max_level(enum image_compression id);

struct encoder {
    const struct encoder_ops *ops; /* NULL: chunks are stored as they are */
    uint32_t level;
    void *state; /* opened when first needed */
    uint8_t *out;
    size_t capacity;
};

/* level is from 1 to encoder_max_level. Never fails: memory is taken when it is first needed. */
void encoder_init(struct encoder *c, enum image_compression id, uint32_t level);

/* Frees the memory that encoding has taken: at the end, or after a chunk that took much. The
 * encoder can be used again. */
void encoder_release(struct encoder *c);

/* Encodes one chunk for the archive. A chunk that would not get smaller is stored uncompressed:
 * then *stored is in, and *stored_size is size. Otherwise *stored is memory of the encoder,
 * valid until its next call. ERR_MEMORY. */
int encoder_run(struct encoder *c, const uint8_t *in, size_t size, const uint8_t **stored,
                size_t *stored_size, struct err *e) __attribute__((warn_unused_result));

extern const struct encoder_ops brotli_encoder, xz_encoder, zstd_encoder;

#endif
