/* SPDX-License-Identifier: MIT */
#include "compress/shingle_index.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "format/delta_list.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_RARITY 5

/* The hash of a shingle is a polynomial modulo 2^64 in this number, so that it rolls. */
#define FACTOR UINT64_C(0x9e3779b97f4a7c15)

/* Entries are sorted by their first byte, and what has the same one by qsort. */
#define RADIX 256

/* The first bits of the hash lead to the entries that have them. */
#define START_BITS 16
#define STARTS     ((size_t)1 << START_BITS)

struct shingle_index {
    unsigned rarity;
    uint64_t *entries; /* the hash, and below it the block */
    size_t *starts;    /* STARTS + 1, once finished */

    pthread_mutex_t lock; /* protects all below until the index is finished */
    size_t count, capacity;
};

/* ---- shingles ---- */

void shingle_list_free(struct shingle_list *list)
{
    free(list->items);
    *list = (struct shingle_list){0};
}

/* The polynomial's upper bits depend on all bytes, its lowest ones on few. */
static uint64_t mix_polynomial(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0xbf58476d1ce4e5b9);
    return h ^ h >> 29;
}

static uint64_t factor_of_leaving(void)
{
    uint64_t factor = 1;

    for (unsigned i = 0; i < SHINGLE_SIZE; i++)
        factor *= FACTOR;
    return factor;
}

/* No data has more shingles than this that count: of what repeats itself there could be any
 * number. */
static size_t most_shingles(size_t size, unsigned rarity)
{
    return 2 * (size >> rarity) + 4;
}

int shingle_list_scan(struct shingle_list *list, const uint8_t *data, size_t size, unsigned rarity,
                      struct err *e)
{
    const uint64_t leaving = factor_of_leaving(), mask = (UINT64_C(1) << rarity) - 1;
    const size_t most = most_shingles(size, rarity);
    uint64_t h = 0, last = 0;

    list->count = 0;
    for (size_t i = 0; i < size && list->count < most; i++) {
        uint64_t mixed;

        h = h * FACTOR + data[i];
        if (i >= SHINGLE_SIZE)
            h -= data[i - SHINGLE_SIZE] * leaving;
        mixed = mix_polynomial(h);
        if ((mixed & mask) != 0 || h == 0 || mixed == last || i + 1 < SHINGLE_SIZE)
            continue;
        last = mixed;
        if (array_grow((void **)&list->items, &list->capacity, list->count, sizeof *list->items,
                       e) < 0)
            return -1;
        list->items[list->count++] = (struct shingle){.hash = (uint32_t)(mixed >> 32),
                                                      .at = (uint32_t)(i + 1 - SHINGLE_SIZE)};
    }
    return 0;
}

/* ---- the index ---- */

struct shingle_index *shingle_index_new(uint64_t bytes, struct err *e)
{
    struct shingle_index *x = calloc(1, sizeof *x);

    if (!x) {
        err_nomem(e, "preparing an index");
        return NULL;
    }
    pthread_mutex_init(&x->lock, NULL);
    x->rarity = LEAST_RARITY;
    while (bytes >> x->rarity > SHINGLE_INDEX_ENTRIES)
        x->rarity++;
    return x;
}

void shingle_index_free(struct shingle_index *x)
{
    if (!x)
        return;
    free(x->entries);
    free(x->starts);
    pthread_mutex_destroy(&x->lock);
    free(x);
}

unsigned shingle_index_rarity(const struct shingle_index *x)
{
    return x->rarity;
}

int shingle_index_add(struct shingle_index *x, uint64_t offset, const struct shingle_list *list,
                      struct err *e)
{
    LOCK_SCOPE(&x->lock);

    for (size_t i = 0; i < list->count; i++) {
        uint64_t block = (offset + list->items[i].at) / DELTA_BLOCK;

        if (array_grow((void **)&x->entries, &x->capacity, x->count, sizeof *x->entries, e) < 0)
            return -1;
        x->entries[x->count++] = (uint64_t)list->items[i].hash << 32 | block;
    }
    return 0;
}

static int compare_entries(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static size_t radix_of(uint64_t entry)
{
    return (size_t)(entry >> 56);
}

/* Sorts in place: a sort that needs as much memory again would double what the index takes. */
static void sort_entries(uint64_t *entries, size_t count)
{
    size_t ends[RADIX] = {0}, next[RADIX], sum = 0;

    for (size_t i = 0; i < count; i++)
        ends[radix_of(entries[i])]++;
    for (size_t r = 0; r < RADIX; r++) {
        next[r] = sum;
        sum += ends[r];
        ends[r] = sum;
    }
    for (size_t r = 0; r < RADIX; r++)
        while (next[r] < ends[r]) {
            uint64_t entry = entries[next[r]];
            size_t home = radix_of(entry);

            entries[next[r]] = entries[next[home]];
            entries[next[home]++] = entry;
        }
    for (size_t r = 0; r < RADIX; r++) {
        size_t begin = r > 0 ? ends[r - 1] : 0;

        qsort(entries + begin, ends[r] - begin, sizeof *entries, compare_entries);
    }
}

int shingle_index_finish(struct shingle_index *x, struct err *e)
{
    size_t count = 0;

    if (x->count > 0)
        sort_entries(x->entries, x->count);
    for (size_t i = 0; i < x->count; i++) /* Two in one block are one place. */
        if (i == 0 || x->entries[i] != x->entries[count - 1])
            x->entries[count++] = x->entries[i];
    x->count = count;
    x->starts = calloc(STARTS + 1, sizeof *x->starts);
    if (!x->starts)
        return err_nomem(e, "preparing an index");
    for (size_t i = 0; i < count; i++)
        x->starts[(x->entries[i] >> (64 - START_BITS)) + 1]++;
    for (size_t i = 0; i < STARTS; i++)
        x->starts[i + 1] += x->starts[i];
    return 0;
}

const uint64_t *shingle_index_find(const struct shingle_index *x, uint32_t hash, size_t *count)
{
    size_t low = x->starts[hash >> (32 - START_BITS)], first,
           end = x->starts[(hash >> (32 - START_BITS)) + 1], high = end;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (x->entries[middle] >> 32 < hash)
            low = middle + 1;
        else
            high = middle;
    }
    first = low;
    while (low < end && x->entries[low] >> 32 == hash)
        low++;
    *count = low - first;
    return x->entries + first;
}
