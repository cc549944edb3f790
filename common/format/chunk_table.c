/* SPDX-License-Identifier: MIT */
#include "format/chunk_table.h"

#include "base/array.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/text.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

void chunk_table_free(struct chunk_table *t)
{
    free(t->items);
    free(t->hashes);
    *t = (struct chunk_table){0};
}

const char *chunk_table_hash_hex(const struct chunk_table *t, size_t i, char *out)
{
    text_hex(chunk_table_hash(t, i), t->hash_length, out);
    return out;
}

int chunk_table_append(struct chunk_table *t, const uint8_t *hash, const struct chunk *chunk,
                       struct err *e)
{
    if (array_grow((void **)&t->items, &t->capacity, t->count, sizeof *t->items, e) < 0 ||
        array_grow((void **)&t->hashes, &t->hash_capacity, t->count, t->hash_length, e) < 0)
        return -1;
    memcpy(t->hashes + t->count * t->hash_length, hash, t->hash_length);
    t->items[t->count++] = *chunk;
    return 0;
}

void chunk_table_retain(struct chunk_table *t, const bool *keep, uint32_t *new_index)
{
    size_t kept = 0;

    for (size_t i = 0; i < t->count; i++) {
        if (!keep[i])
            continue;
        if (new_index)
            new_index[i] = (uint32_t)kept;
        t->items[kept] = t->items[i];
        memmove(t->hashes + kept * t->hash_length, chunk_table_hash(t, i), t->hash_length);
        kept++;
    }
    t->count = kept;
}

uint64_t chunk_table_bytes(const struct chunk_table *t)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < t->count; i++)
        bytes += t->items[i].source_size;
    return bytes;
}

/* Sorting keys that hold the first bytes of each hash avoids most cache misses. */
struct sort_key {
    uint64_t prefix; /* the first 8 bytes, as a big-endian number, so that it sorts like them */
    uint32_t index;
};

static struct sort_key sort_key(const struct chunk_table *t, size_t chunk)
{
    uint64_t prefix = 0;

    memcpy(&prefix, chunk_table_hash(t, chunk), min_size(sizeof prefix, t->hash_length));
    return (struct sort_key){be64toh(prefix), (uint32_t)chunk};
}

static int compare_hashes(const void *a, const void *b, void *context)
{
    const struct sort_key *i = a, *j = b;
    const struct chunk_table *t = context;
    int order;

    if (i->prefix != j->prefix)
        return i->prefix < j->prefix ? -1 : 1;
    order = memcmp(chunk_table_hash(t, i->index), chunk_table_hash(t, j->index), t->hash_length);
    return order ? order : (i->index > j->index) - (i->index < j->index);
}

/* The keys are put into 256 buckets by the first byte of the hash, which are about equally
 * full, and each bucket is sorted. This takes a third of the time of one sort. */
static void sort_keys(const struct chunk_table *t, struct sort_key *keys)
{
    size_t ends[256] = {0}, begin = 0;

    for (size_t i = 0; i < t->count; i++)
        ends[*chunk_table_hash(t, i)]++;
    for (size_t byte = 0; byte < 256; byte++) {
        size_t count = ends[byte];

        ends[byte] = begin;
        begin += count;
    }
    for (size_t i = 0; i < t->count; i++)
        keys[ends[*chunk_table_hash(t, i)]++] = sort_key(t, i);
    begin = 0;
    for (size_t byte = 0; byte < 256; begin = ends[byte++])
        qsort_r(keys + begin, ends[byte] - begin, sizeof *keys, compare_hashes, (void *)t);
}

uint32_t *chunk_table_sort_by_hash(const struct chunk_table *t, struct err *e)
{
    CLEANUP_FREE struct sort_key *keys = malloc((t->count + 1) * sizeof *keys);
    uint32_t *sorted = malloc((t->count + 1) * sizeof *sorted);

    if (!keys || !sorted) {
        free(sorted);
        err_nomem(e, "sorting the chunk table");
        return NULL;
    }
    sort_keys(t, keys);
    for (size_t i = 0; i < t->count; i++)
        sorted[i] = keys[i].index;
    return sorted;
}

size_t chunk_table_find(const struct chunk_table *t, const uint32_t *sorted, const uint8_t *hash)
{
    size_t low = 0, high = t->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(chunk_table_hash(t, sorted[middle]), hash, t->hash_length);

        if (order == 0)
            return sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return CHUNK_TABLE_NONE;
}
