/* SPDX-License-Identifier: MIT */
#include "format/chunk_map.h"

#include "base/checked.h"

#include <stdlib.h>

int chunk_map_init(struct chunk_map *map, const struct image *image, struct err *e)
{
    uint64_t offset = 0;
    size_t bytes;

    map->count = image->order_count;
    if (!checked_mul_size(image->order_count + 1, sizeof *map->starts, &bytes) ||
        !(map->starts = malloc(bytes)))
        return err_nomem(e, "preparing the chunk map");
    for (size_t i = 0; i < image->order_count; i++) {
        map->starts[i] = offset;
        offset += image->chunks.items[image->order[i]].source_size;
    }
    map->starts[image->order_count] = offset;
    return 0;
}

void chunk_map_free(struct chunk_map *map)
{
    free(map->starts);
    *map = (struct chunk_map){0};
}

size_t chunk_map_find(const struct chunk_map *map, uint64_t offset)
{
    size_t low = 0, high = map->count;

    /* starts[low] <= offset < starts[high] */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;

        if (map->starts[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}
