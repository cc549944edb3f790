/* SPDX-License-Identifier: MIT */
#include "compress/chunk_places.h"

#include "base/cleanup.h"

#include <stdlib.h>

void chunk_places_free(struct chunk_places *p)
{
    free(p->starts);
    free(p->offsets);
    *p = (struct chunk_places){0};
}

int chunk_places_find(struct chunk_places *p, const struct image *image, struct err *e)
{
    CLEANUP_FREE size_t *next = calloc(image->chunks.count + 1, sizeof *next);
    uint64_t offset = 0;

    *p = (struct chunk_places){.starts = calloc(image->chunks.count + 1, sizeof *p->starts),
                               .offsets = calloc(image->order_count + 1, sizeof *p->offsets)};
    if (!next || !p->starts || !p->offsets) {
        chunk_places_free(p);
        return err_nomem(e, "looking where chunks are");
    }
    for (size_t i = 0; i < image->order_count; i++)
        p->starts[image->order[i] + 1]++;
    for (size_t i = 0; i < image->chunks.count; i++)
        next[i + 1] = p->starts[i + 1] += p->starts[i];
    for (size_t i = 0; i < image->order_count; i++) {
        p->offsets[next[image->order[i]]++] = offset;
        offset += image->chunks.items[image->order[i]].source_size;
    }
    return 0;
}
