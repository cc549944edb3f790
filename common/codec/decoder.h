/* SPDX-License-Identifier: MIT */
/* decoder: decompression of one chunk, one file per library behind one table.
 *
 * To add a codec: its value in image_compression (format/image.h), a file
 * here that fills a struct decoder_ops, and its line in the table in decoder.c.
 *
 * A decoder is reused for many chunks and belongs to one thread at a time.
 * The input is untrusted: a decoder never writes beyond the output it is given.
 */
#ifndef IHOP_CODEC_DECODER_H
#define IHOP_CODEC_DECODER_H

#include "base/err.h"
#include "format/image.h"

#include <stddef.h>
#include <stdint.h>

struct decoder_ops {
    const char *name; /* as in bita's --compression */

    /* State that is reused from chunk to chunk; NULL when memory is gone. Both
     * may be NULL for one without state. */
    void *(*open)(void);
    void (*close)(void *state);

    /* Decodes all of in to exactly out_size bytes. Anything else (bad data, too
     * short, too long, trailing bytes) is ERR_ARCHIVE; ERR_MEMORY otherwise. */
    int (*decode)(void *state, const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size,
                  struct err *e);

    /* Upper bound of the memory that decode touches, for an output of this many
     * bytes, besides input and output. */
    size_t (*memory)(size_t out_size);
};

/* Always finds one: image_builder_finish lets no other value pass. */
const struct decoder_ops *decoder_ops_of(enum image_compression id);

struct decoder {
    const struct decoder_ops *ops;
    void *state; /* opened when first needed */
};

void decoder_init(struct decoder *d, enum image_compression id);

/* Gives back the memory that decoding has taken; the decoder can go on to be used.
 * For the end, and after a chunk that took much. */
void decoder_release(struct decoder *d);

/* A chunk as it lies in the archive: one whose archive_size equals its
 * source_size is stored as it is, whatever the codec. in has archive_size
 * bytes, out holds source_size. *plain points to the chunk: into in or
 * to out. */
int decoder_run(struct decoder *d, const struct chunk *chunk, const uint8_t *in, uint8_t *out,
                const uint8_t **plain, struct err *e) __attribute__((warn_unused_result));

extern const struct decoder_ops none_decoder, xz_decoder, zstd_decoder, brotli_decoder;

#endif
