/* SPDX-License-Identifier: MIT */
#include "compress/anchors.h"

#include "base/array.h"
#include "base/cleanup.h"

#include <stdlib.h>

void anchors_free(struct anchors *a)
{
    free(a->items);
    *a = (struct anchors){0};
}

int anchors_find(struct anchors *a, const struct anchors_images *images, const bool *missing,
                 struct err *e)
{
    const struct image *new = images->new;
    CLEANUP_FREE uint32_t *sorted = chunk_table_sort_by_hash(&images->old->chunks, e);
    uint64_t offset = 0;

    *a = (struct anchors){0};
    if (!sorted)
        return -1;
    a->items = calloc(new->order_count + 1, sizeof *a->items);
    if (!a->items)
        return err_nomem(e, "comparing two images");
    for (size_t i = 0; i < new->order_count; i++) {
        uint32_t chunk = new->order[i], size = new->chunks.items[chunk].source_size;
        size_t old;

        if (!missing[chunk] && !new->chunks.items[chunk].zero &&
            chunk_places_count(images->new_places, chunk) == 1) {
            old = chunk_table_find(&images->old->chunks, sorted,
                                   chunk_table_hash(&new->chunks, chunk));
            if (chunk_places_count(images->old_places, old) == 1)
                a->items[a->count++] =
                    (struct anchor){offset, chunk_places_first(images->old_places, old), size};
        }
        offset += size;
    }
    return 0;
}

void anchors_around(const struct anchors *a, uint64_t new_offset, const struct anchor **before,
                    const struct anchor **behind)
{
    size_t low = 0, high = a->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (a->items[middle].new_offset < new_offset)
            low = middle + 1;
        else
            high = middle;
    }
    *before = low > 0 ? &a->items[low - 1] : NULL;
    *behind = low < a->count ? &a->items[low] : NULL;
}
