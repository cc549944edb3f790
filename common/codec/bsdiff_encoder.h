/* SPDX-License-Identifier: MIT */
/* bsdiff_encoder: the first half of encoding DELTA_BSDIFF: from the content of a chunk and a base
 * to a program (codec/bsdiff_decoder.h).
 *
 * Where code was moved, the addresses in it change and the rest does not: copies that allow for
 * differences go on where a search for equal bytes would stop, and the differences are mostly zeros
 * and much the same numbers again. The method is that of bsdiff. Equal bytes are found by hashes of
 * eight bytes and not by a suffix array, which takes six times as long for programs that are not
 * 0.2 % smaller.
 *
 * Sizes are in bytes. The same input gives the same program. An encoder is reused for many chunks
 * and belongs to one thread at a time; it keeps up to 25 MiB. Time grows no faster than the size of
 * content and base.
 */
#ifndef IHOP_CODEC_BSDIFF_ENCODER_H
#define IHOP_CODEC_BSDIFF_ENCODER_H

#include "base/err.h"
#include "codec/delta_decoder.h"
#include "format/columns.h"

#include <stddef.h>
#include <stdint.h>

/* Copies from place, which lies in the base, and then has new bytes. */
struct bsdiff_step {
    size_t place, copied, fresh;
};

/* All zero bytes is an encoder that has taken no memory yet. */
struct bsdiff_encoder {
    uint32_t *heads;    /* by hash: the last place in the base, or NO_PLACE */
    uint32_t *previous; /* by place: the one before with the same hash, or NO_PLACE */
    size_t previous_capacity;
    struct bsdiff_step *steps;
    size_t step_count, step_capacity;
    struct columns_writer control;
    uint8_t *rest; /* differences, then new bytes */
    size_t rest_capacity;
};

/* Finds the steps that make the content out of the base, into steps of c: they have all of its
 * bytes and none of them is empty. The base has at most LIMIT_DELTA_BASE bytes. ERR_MEMORY. */
int bsdiff_find_steps(struct bsdiff_encoder *c, struct delta_bytes content, struct delta_bytes base,
                      struct err *e) __attribute__((warn_unused_result));

/* Memory of the encoder, valid until its next call. Differences and new bytes together have as many
 * bytes as the content. */
struct bsdiff_program {
    struct delta_bytes control, differences, fresh;
};

/* Finds the steps, and makes a program of them. The content has at most LIMIT_DELTA_BSDIFF bytes.
 * ERR_MEMORY. */
int bsdiff_encode(struct bsdiff_encoder *c, struct delta_bytes content, struct delta_bytes base,
                  struct bsdiff_program *program, struct err *e)
    __attribute__((warn_unused_result));

/* Frees the memory that encoding has taken. The encoder can be used again. */
void bsdiff_encoder_release(struct bsdiff_encoder *c);

#endif
