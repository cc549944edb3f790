/* SPDX-License-Identifier: MIT */
/* chunk_map: from an offset in the image to the chunk that holds it.
 *
 * Built once, then read by any number of threads without a lock.
 */
#ifndef IHOP_FORMAT_CHUNK_MAP_H
#define IHOP_FORMAT_CHUNK_MAP_H

#include "base/err.h"
#include "format/image.h"

#include <stddef.h>
#include <stdint.h>

struct chunk_map {
    uint64_t *starts; /* source offset of each order entry; one more: the image's size */
    size_t count;     /* order entries */
};

int chunk_map_init(struct chunk_map *map, const struct image *image, struct err *e)
    __attribute__((warn_unused_result));
void chunk_map_free(struct chunk_map *map);

/* Index into the image's order of the entry that holds offset, which must be
 * below the image's size. */
size_t chunk_map_find(const struct chunk_map *map, uint64_t offset);

#endif
