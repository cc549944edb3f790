/* SPDX-License-Identifier: MIT */
/* chunker: where the chunks of an image end, to the byte as bita 0.15 has it.
 *
 * Pure: bytes go in, boundaries come out, whatever the sizes of the pushes are.
 *
 * A rolling sum is taken over the last window_size bytes. A chunk ends
 *   - behind the first byte at which the filter_bits lowest bits of the sum are
 *     all set, if the chunk then has at least min_size bytes;
 *   - else when it has max_size bytes, or the input ends.
 * rollsum.c and buzhash.c say what their sums are; BuzHash has a start of its own.
 * A fixed size is max_size and nothing else.
 *
 * The sum depends on the bytes of the window only, not on where the chunk began
 * (bita leaves out the bytes of a chunk before its minimum, but not those of the
 * window before it). So pieces of an image can be searched apart: cut.h does.
 *
 * A chunker belongs to one thread at a time.
 */
#ifndef IHOP_CHUNKER_CHUNKER_H
#define IHOP_CHUNKER_CHUNKER_H

#include "base/err.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chunker_config {
    enum image_chunker algorithm;
    uint32_t filter_bits, window_size; /* not for a fixed size */
    uint32_t min_size, max_size;       /* bytes; for a fixed size max_size alone */
};

struct chunker;

/* ERR_USAGE: which value is off and what is allowed. */
int chunker_config_check(const struct chunker_config *config, struct err *e)
    __attribute__((warn_unused_result));

/* What the image was cut with; not checked. */
void chunker_config_of(const struct image *image, struct chunker_config *config);

/* At the start of an input. ERR_USAGE as above, ERR_MEMORY. */
struct chunker *chunker_new(const struct chunker_config *config, struct err *e)
    __attribute__((warn_unused_result));
void chunker_free(struct chunker *c); /* NULL is fine */

/* Takes the next bytes of the input. Returns how many it used: up to and with
 * the last byte of a chunk, and then *boundary is set, else all. What is left
 * behind the last boundary at the end of the input is the last chunk. */
size_t chunker_push(struct chunker *c, const uint8_t *data, size_t size, bool *boundary)
    __attribute__((warn_unused_result));

#endif
