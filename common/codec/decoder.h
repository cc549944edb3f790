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

    /* open returns state that is reused from chunk to chunk, or NULL without memory. Both are
     * NULL for a decoder without state. */
    void *(*open)(void);
    void (*close)(void *state);

    /* Decodes all of in to exactly out_size bytes. ERR_ARCHIVE for anything else (bad data, too
     * short, too long, trailing bytes); ERR_MEMORY. */
    int (*decode)(void *state, const uint8_t *in, size_t in_size, uint8_t *out, size_t out_size,
                  struct err *e);

    /* An upper bound of the memory in bytes that decode touches besides input and output, for
     * an output of this many bytes. */
    size_t (*memory)(size_t out_size);
};

/* Never NULL, because image_builder accepts no compression that is not in the table. */
const struct decoder_ops *decoder_ops_of(enum image_compression id);

struct decoder {
    const struct decoder_ops *ops;
    void *state; /* opened when first needed */
};

/* Never fails: memory is taken when it is first needed. */
void decoder_init(struct decoder *d, enum image_compression id);

/* Frees the memory that decoding has taken: at the end, or after a chunk that took much. The
 * decoder can be used again. */
void decoder_release(struct decoder *d);

/* Decodes one chunk. in has the chunk's archive_size bytes, and out has space for its
 * source_size bytes. *plain points to the content, in out, or in in when the chunk is stored
 * uncompressed: then both sizes are equal, whatever the codec. ERR_ARCHIVE, ERR_MEMORY. */
int decoder_run(struct decoder *d, const struct chunk *chunk, const uint8_t *in, uint8_t *out,
                const uint8_t **plain, struct err *e) __attribute__((warn_unused_result));

extern const struct decoder_ops none_decoder, xz_decoder, zstd_decoder, brotli_decoder;

#endif
