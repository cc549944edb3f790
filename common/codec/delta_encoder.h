/* SPDX-License-Identifier: MIT */
/* delta_encoder: from the content of a chunk and a base to the smallest delta
 * (format/delta_list.h). For ihop-compress alone, like all encoders.
 *
 * The same content and base give the same delta, whatever an encoder did before. An encoder is
 * reused for many chunks and belongs to one thread at a time.
 */
#ifndef IHOP_CODEC_DELTA_ENCODER_H
#define IHOP_CODEC_DELTA_ENCODER_H

#include "base/err.h"
#include "codec/delta_decoder.h"
#include "format/delta_list.h"

#include <stddef.h>
#include <stdint.h>

struct delta_encoder;

/* NULL with ERR_MEMORY. */
struct delta_encoder *delta_encoder_new(struct err *e) __attribute__((warn_unused_result));
void delta_encoder_free(struct delta_encoder *c);

/* A base, and which parts of the old image it is: in the order of the image, each of them once, at
 * most LIMIT_DELTA_RANGES and together at most LIMIT_DELTA_BASE bytes. */
struct delta_base_bytes {
    uint8_t *data;
    size_t size;
    struct delta_range *ranges; /* room for LIMIT_DELTA_RANGES, whatever count is */
    size_t count;
};

/* Leaves out the blocks of a base that the content has next to nothing of, in place: size and
 * ranges become fewer, of both perhaps none. With what is left a delta is as small as before
 * (0.2 % smaller, because near places take fewer bits), it is made in a quarter of the time, and a
 * device reads a fifth. So choose generously, and trim. ERR_MEMORY: the base is as before. */
int delta_encoder_trim(struct delta_encoder *c, struct delta_bytes content,
                       struct delta_base_bytes *base, struct err *e)
    __attribute__((warn_unused_result));

struct delta_encoded {
    enum delta_codec codec;
    const uint8_t *data; /* memory of the encoder, valid until its next call */
    size_t size;         /* 0: no delta is smaller than below */
};

/* Makes the smallest delta of both codecs that has fewer than below bytes. The base has at most
 * LIMIT_DELTA_BASE bytes, or none. ERR_MEMORY. */
int delta_encoder_run(struct delta_encoder *c, struct delta_bytes content, struct delta_bytes base,
                      size_t below, struct delta_encoded *result, struct err *e)
    __attribute__((warn_unused_result));

#endif
