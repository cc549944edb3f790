/* SPDX-License-Identifier: MIT */
#include "compress/lacking.h"

#include "base/cleanup.h"

bool *lacking_find(const struct image *old, const struct image *new, struct err *e)
{
    CLEANUP_FREE uint32_t *sorted = chunk_table_sort_by_hash(&old->chunks, e);
    bool *missing;

    if (!sorted)
        return NULL;
    missing = calloc(new->chunks.count + 1, sizeof *missing);
    if (!missing)
        err_nomem(e, "comparing two images");
    for (size_t i = 0; missing && i < new->chunks.count; i++)
        missing[i] = old->chunks.hash_length != new->chunks.hash_length ||
                     chunk_table_find(&old->chunks, sorted, chunk_table_hash(&new->chunks, i)) ==
                         CHUNK_TABLE_NONE;
    return missing;
}
