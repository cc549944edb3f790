/* SPDX-License-Identifier: MIT */
/* bsdiff_decoder: the second half of decoding DELTA_BSDIFF: from what comes out of the delta's
 * zstd frame, its program, to the content of the chunk.
 *
 * A delta of this codec is one zstd frame under the same rules as one of DELTA_ZSTD, the base as
 * its prefix included; an encoder need not refer to the prefix. The program has three parts, one
 * behind the other, and nothing else:
 *
 *     control      steps, each of three varints (format/columns.h):
 *                    place   where in the base the copy begins, as the zigzag difference to the
 *                            expected place
 *                    copied  how many bytes of the base are copied, with differences
 *                    new     how many new bytes follow them
 *     differences  for each byte that is copied, in the order of the steps, what is added to it,
 *                  modulo 256
 *     new bytes    in the order of the steps
 *
 * The expected place is 0 for the first step, and afterwards the end of the last copy plus the new
 * bytes behind it: what replaces as many bytes as it has leaves the place as expected. Expected
 * places are numbers modulo 2^64 and need not lie inside the base.
 *
 * The program has no sizes: copied and new bytes together are the chunk's size, so the control has
 * what the program has more than that. Refused is:
 *   - a chunk of more than LIMIT_DELTA_BSDIFF bytes;
 *   - a program shorter than the chunk, or a control of more than size / 4 + 64 bytes
 *     (bsdiff_control_limit), for a chunk of size bytes;
 *   - a step that neither copies nor has new bytes, or that ends beyond the chunk;
 *   - a place beyond the end of the base (the end itself is one), or a copy that ends beyond it;
 *   - steps that end before the chunk's end, or with a varint that is cut short or not in its
 *     shortest form.
 *
 * All sizes are in bytes. Nothing is trusted and nothing allocated; any thread may call this.
 */
#ifndef IHOP_CODEC_BSDIFF_DECODER_H
#define IHOP_CODEC_BSDIFF_DECODER_H

#include "base/err.h"
#include "codec/delta_decoder.h"

#include <stddef.h>
#include <stdint.h>

/* How many bytes of control a chunk of this size may have at most. The size is at most
 * LIMIT_DELTA_BSDIFF. */
static inline size_t bsdiff_control_limit(size_t out_size)
{
    return out_size / 4 + 64;
}

/* Makes out_size bytes at out of a program and a base. ERR_ARCHIVE: then out has anything. */
int bsdiff_decode(struct delta_bytes program, struct delta_bytes base, uint8_t *out,
                  size_t out_size, struct err *e) __attribute__((warn_unused_result));

#endif
