/* SPDX-License-Identifier: MIT */
#include "store/chunk_usage.h"

#include <stdlib.h>
#include <string.h>

#define KEY_SIZE       KEYED_SIZE
#define FIRST_CAPACITY 1024 /* a power of two, as is every later capacity */

struct chunk_usage_slot {
    uint8_t key[KEY_SIZE];
    uint32_t count;
    uint32_t used;
};

/* The length is part of the key, since hashes of different lengths name different files. */
static void make_key(const uint8_t *hash, size_t length, uint8_t key[KEY_SIZE])
{
    memset(key, 0, KEY_SIZE);
    memcpy(key, hash, length < KEY_SIZE ? length : KEY_SIZE);
    key[KEY_SIZE - 1] ^= (uint8_t)length;
}

/* The slot of key, or the free one where it belongs. */
static struct chunk_usage_slot *find_usage_slot(const struct chunk_usage *c,
                                                const uint8_t key[KEY_SIZE])
{
    size_t i = (size_t)keyed_hash(&c->secret, key) & (c->capacity - 1);

    while (c->slots[i].used && memcmp(c->slots[i].key, key, KEY_SIZE) != 0)
        i = (i + 1) & (c->capacity - 1);
    return &c->slots[i];
}

/* Grows the table for more chunks, at most three quarters full. */
static int reserve_slots(struct chunk_usage *c, size_t more, struct err *e)
{
    struct chunk_usage old = *c;
    size_t capacity = c->capacity ? c->capacity : FIRST_CAPACITY;

    if (!c->slots)
        keyed_init(&c->secret);
    while (capacity / 4 * 3 < c->count + more)
        capacity *= 2;
    if (capacity == c->capacity)
        return 0;
    c->slots = calloc(capacity, sizeof *c->slots);
    if (!c->slots) {
        *c = old;
        return err_nomem(e, "counting the chunks of the releases");
    }
    c->capacity = capacity;
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i].used)
            *find_usage_slot(c, old.slots[i].key) = old.slots[i];
    free(old.slots);
    return 0;
}

int chunk_usage_add(struct chunk_usage *c, const struct chunk_table *chunks, struct err *e)
{
    uint8_t key[KEY_SIZE];

    if (reserve_slots(c, chunks->count, e) < 0)
        return -1;
    for (size_t i = 0; i < chunks->count; i++) {
        struct chunk_usage_slot *slot;

        make_key(chunk_table_hash(chunks, i), chunks->hash_length, key);
        slot = find_usage_slot(c, key);
        if (!slot->used) {
            memcpy(slot->key, key, KEY_SIZE);
            slot->used = 1;
            c->count++;
        }
        slot->count++;
    }
    return 0;
}

void chunk_usage_subtract(struct chunk_usage *c, const struct chunk_table *chunks)
{
    uint8_t key[KEY_SIZE];

    for (size_t i = 0; i < chunks->count; i++) {
        make_key(chunk_table_hash(chunks, i), chunks->hash_length, key);
        find_usage_slot(c, key)->count--;
    }
}

uint32_t chunk_usage_count(const struct chunk_usage *c, const uint8_t *hash, size_t hash_length)
{
    uint8_t key[KEY_SIZE];

    if (c->capacity == 0)
        return 0;
    make_key(hash, hash_length, key);
    return find_usage_slot(c, key)->count;
}

struct chunk_usage_sum chunk_usage_sum(const struct chunk_usage *c,
                                       const struct chunk_table *chunks, uint32_t count)
{
    struct chunk_usage_sum sum = {0};

    for (size_t i = 0; i < chunks->count; i++) {
        if (count != 0 &&
            chunk_usage_count(c, chunk_table_hash(chunks, i), chunks->hash_length) != count)
            continue;
        sum.chunks++;
        sum.bytes += chunks->items[i].zero ? 0 : chunks->items[i].source_size;
    }
    return sum;
}

void chunk_usage_free(struct chunk_usage *c)
{
    free(c->slots);
    *c = (struct chunk_usage){0};
}
