/* SPDX-License-Identifier: MIT */
/* encoder: compression of one chunk, one file per library behind one table. Apart
 * from the decoders, because a device that updates itself only decodes: ihop-clone
 * needs no libbrotlienc.
 *
 * Levels and streams are bita's: brotli, .xz with CRC64, one zstd frame. The same
 * bytes, codec and level give the same stream, whatever an encoder did before.
 *
 * An encoder is reused for many chunks and belongs to one thread at a time.
 */
#ifndef IHOP_CODEC_ENCODER_H
#define IHOP_CODEC_ENCODER_H

#include "base/err.h"
#include "format/image.h"

#include <stddef.h>
#include <stdint.h>

/* What encode found out. */
enum encoded {
    ENCODED_FAILED = -1, /* out of memory: nothing else can go wrong */
    ENCODED_FITS = 0,
    ENCODED_TOO_LONG = 1, /* for the buffer that it was given */
};

struct encoder_ops {
    uint32_t max_level; /* the lowest is 1 */

    /* State that is reused from chunk to chunk; NULL when memory is gone. Both may
     * be NULL for one without state. */
    void *(*open)(void);
    void (*close)(void *state);

    /* Encodes in to at most capacity bytes at out; *size is how many they are. */
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

/* level is within 1 and encoder_max_level. */
void encoder_init(struct encoder *c, enum image_compression id, uint32_t level);

/* Gives back the memory that encoding has taken; the encoder can go on to be used.
 * For the end, and after a chunk that took much. */
void encoder_release(struct encoder *c);

/* A chunk as it is to lie in the archive: compressed, or as it is when it would not
 * get smaller (then *stored_size is size). *stored points into in or to memory of
 * the encoder, and is valid until its next call. ERR_MEMORY. */
int encoder_run(struct encoder *c, const uint8_t *in, size_t size, const uint8_t **stored,
                size_t *stored_size, struct err *e) __attribute__((warn_unused_result));

extern const struct encoder_ops brotli_encoder, xz_encoder, zstd_encoder;

#endif
