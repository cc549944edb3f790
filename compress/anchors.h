/* SPDX-License-Identifier: MIT */
/* anchors: chunks that two images share tell where in the old one to look for what is near them in
 * the new one. Offsets are in bytes. Made once; then any thread may ask. */
#ifndef IHOP_COMPRESS_ANCHORS_H
#define IHOP_COMPRESS_ANCHORS_H

#include "base/err.h"
#include "compress/chunk_places.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A chunk that each image has once. */
struct anchor {
    uint64_t new_offset, old_offset;
    uint32_t size;
};

struct anchors {
    struct anchor *items; /* in the order of the new image */
    size_t count;
};

/* missing tells for each chunk of new whether old lacks it. ERR_MEMORY; then there is nothing to
 * free. */
struct anchors_images {
    const struct image *old, *new;
    const struct chunk_places *old_places, *new_places;
};
int anchors_find(struct anchors *a, const struct anchors_images *images, const bool *missing,
                 struct err *e) __attribute__((warn_unused_result));
void anchors_free(struct anchors *a);

/* What lies before and behind a place of the new image; NULL: nothing. */
void anchors_around(const struct anchors *a, uint64_t new_offset, const struct anchor **before,
                    const struct anchor **behind);

#endif
