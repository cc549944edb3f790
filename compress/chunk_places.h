/* SPDX-License-Identifier: MIT */
/* chunk_places: where in an image each chunk of its table is. Offsets are in bytes. Plain data
 * that does not change, so threads may share it. */
#ifndef IHOP_COMPRESS_CHUNK_PLACES_H
#define IHOP_COMPRESS_CHUNK_PLACES_H

#include "base/err.h"
#include "format/image.h"

#include <stddef.h>
#include <stdint.h>

struct chunk_places {
    size_t *starts;    /* into offsets, for each chunk, and one more for the end */
    uint64_t *offsets; /* in ascending order for each chunk */
};

/* ERR_MEMORY; then there is nothing to free. */
int chunk_places_find(struct chunk_places *p, const struct image *image, struct err *e)
    __attribute__((warn_unused_result));
void chunk_places_free(struct chunk_places *p);

static inline size_t chunk_places_count(const struct chunk_places *p, size_t chunk)
{
    return p->starts[chunk + 1] - p->starts[chunk];
}

/* The first place of a chunk, which the image has. */
static inline uint64_t chunk_places_first(const struct chunk_places *p, size_t chunk)
{
    return p->offsets[p->starts[chunk]];
}

#endif
