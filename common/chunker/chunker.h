/* SPDX-License-Identifier: MIT */
/* chunker: finds where the chunks of an image end, exactly as bita 0.15 does.
 *
 * Bytes go in and boundaries come out. They do not depend on the sizes of the pushes.
 *
 * A rolling sum is taken over the last window_size bytes. A chunk ends
 *   - behind the first byte at which the filter_bits lowest bits of the sum are
 *     all set, if the chunk then has at least min_size bytes;
 *   - else when it has max_size bytes, or the input ends.
 * rollsum.c and buzhash.c say what their sums are; BuzHash treats the start of an input in its
 * own way. With a fixed size, every chunk but the last has max_size bytes.
 *
 * The sum depends on the bytes of the window only, not on where the chunk began
 * (bita leaves out the bytes of a chunk before its minimum, but not those of the
 * window before it). So pieces of an image can be searched at the same time, as cut.c does.
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
    uint32_t filter_bits, window_size; /* not used for a fixed size; the window is in bytes */
    uint32_t min_size, max_size;       /* bytes; a fixed size uses max_size alone */
};

struct chunker;

/* ERR_USAGE says which value is not possible and what is. */
int chunker_config_check(const struct chunker_config *config, struct err *e)
    __attribute__((warn_unused_result));

/* Fills *config with what the image was cut with. It is not checked. */
void chunker_config_of(const struct image *image, struct chunker_config *config);

/* Makes a chunker that is at the start of an input. ERR_USAGE as chunker_config_check gives it,
 * ERR_MEMORY. */
struct chunker *chunker_new(const struct chunker_config *config, struct err *e)
    __attribute__((warn_unused_result));
void chunker_free(struct chunker *c); /* NULL is fine */

/* Takes the next bytes of the input and returns how many of them it used. When a chunk ends
 * among them, *boundary is set and the bytes up to that end are used; otherwise all are. The
 * bytes after the last boundary of the input are the last chunk. */
size_t chunker_push(struct chunker *c, const uint8_t *data, size_t size, bool *boundary)
    __attribute__((warn_unused_result));

#endif
