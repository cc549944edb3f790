/* SPDX-License-Identifier: MIT */
/* chunk_map: from an offset in the image to the chunk that holds it.
 *
 * A map is built once; then any number of threads may read it without a lock.
 */
#ifndef IHOP_FORMAT_CHUNK_MAP_H
#define IHOP_FORMAT_CHUNK_MAP_H

#include "base/err.h"
#include "format/image.h"

#include <stddef.h>
#include <stdint.h>

struct chunk_map {
    uint64_t *starts; /* offset in the image of each order entry, then the image's size */
    size_t count;     /* order entries */
};

/* Builds the map of a checked image, which is not needed afterwards. ERR_MEMORY; then there is
 * nothing to free. */
int chunk_map_init(struct chunk_map *map, const struct image *image, struct err *e)
    __attribute__((warn_unused_result));
void chunk_map_free(struct chunk_map *map);

/* The index, in the image's order, of the entry that holds the byte at offset, which must be
 * below the image's size. */
size_t chunk_map_find(const struct chunk_map *map, uint64_t offset);

#endif
