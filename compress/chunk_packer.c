/* SPDX-License-Identifier: MIT */
#include "compress/chunk_packer.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/keyed.h"
#include "codec/encoder.h"
#include "format/chunk_hash.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define NOT_YET UINT32_MAX

/* After a chunk larger than this many bytes a worker frees the memory that compression took. */
#define LARGE_CHUNK (2 * MIB)

/* The least number of bytes that a chunk takes in a dictionary, apart from its hash. An entry of
 * the order takes at least one byte. */
#define DESCRIPTOR_OVERHEAD 12

struct worker {
    struct chunk_hasher *hasher;
    struct encoder encoder;
};

/* One distinct content of chunks. Contents are in the order in which threads came across them. */
struct content {
    uint8_t hash[CHUNK_HASH_SIZE];
    uint32_t number; /* its number in the chunk table, or NOT_YET */
    uint32_t source_size, stored_size;
    uint8_t *waiting; /* its stored bytes, when they were ready before their turn; else NULL */
};

struct chunk_packer {
    struct output_file *output;
    size_t worker_count;
    struct worker *workers;

    pthread_mutex_t lock; /* protects all below, and output */
    pthread_cond_t moved; /* next has moved, the content that comes next is known, or failed is
                           * set */
    bool failed;

    struct content *contents;
    size_t content_count, content_capacity;
    uint32_t *slots; /* hash table of indices into contents, or NOT_YET */
    size_t slot_count;
    struct keyed secret; /* key of the hash table */

    uint32_t *order; /* the content of each chunk of the image; NOT_YET when it was not seen */
    size_t order_capacity;
    size_t next; /* the chunks of the image below this index are in the chunk table */

    struct chunk_table chunks;
    size_t waiting_bytes;
};

#define FIRST_SLOTS 4096

/* ---- life ---- */

static int open_workers(struct chunk_packer *p, const struct chunk_packer_options *o, struct err *e)
{
    p->workers = calloc(o->jobs, sizeof *p->workers);
    if (!p->workers)
        return err_nomem(e, "preparing compression");
    p->worker_count = o->jobs;
    for (size_t i = 0; i < p->worker_count; i++) {
        encoder_init(&p->workers[i].encoder, o->compression, o->level);
        p->workers[i].hasher = chunk_hasher_new(e);
        if (!p->workers[i].hasher)
            return -1;
    }
    return 0;
}

static uint32_t *new_slots(size_t count)
{
    uint32_t *slots = malloc(count * sizeof *slots);

    if (slots)
        memset(slots, 0xff, count * sizeof *slots); /* NOT_YET */
    return slots;
}

struct chunk_packer *chunk_packer_new(const struct chunk_packer_options *options,
                                      struct output_file *output, struct err *e)
{
    struct chunk_packer *p = calloc(1, sizeof *p);

    if (!p) {
        err_nomem(e, "preparing compression");
        return NULL;
    }
    p->output = output;
    p->chunks.hash_length = options->hash_length;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->moved, NULL);
    p->slot_count = FIRST_SLOTS;
    keyed_init(&p->secret);
    p->slots = new_slots(p->slot_count);
    if (!p->slots)
        err_nomem(e, "preparing compression");
    if (!p->slots || open_workers(p, options, e) < 0) {
        chunk_packer_free(p);
        return NULL;
    }
    return p;
}

void chunk_packer_free(struct chunk_packer *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->worker_count; i++) {
        encoder_release(&p->workers[i].encoder);
        chunk_hasher_free(p->workers[i].hasher);
    }
    for (size_t i = 0; i < p->content_count; i++)
        free(p->contents[i].waiting);
    free(p->workers);
    free(p->contents);
    free(p->slots);
    free(p->order);
    chunk_table_free(&p->chunks);
    pthread_cond_destroy(&p->moved);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* ---- looking up contents; with the lock held ---- */

/* Returns the slot that has this hash, or the empty slot where it belongs. */
static size_t find_content_slot(const struct chunk_packer *p, const uint8_t *hash)
{
    size_t at = (size_t)keyed_hash(&p->secret, hash) % p->slot_count;

    for (; p->slots[at] != NOT_YET; at = (at + 1) % p->slot_count)
        if (memcmp(p->contents[p->slots[at]].hash, hash, CHUNK_HASH_SIZE) == 0)
            break;
    return at;
}

/* Keeps at least half of the slots empty. */
static int grow_slots(struct chunk_packer *p, struct err *e)
{
    uint32_t *grown;

    if (p->content_count < p->slot_count / 2)
        return 0;
    grown = new_slots(2 * p->slot_count);
    if (!grown)
        return err_nomem(e, "growing the table of chunks");
    free(p->slots);
    p->slots = grown;
    p->slot_count *= 2;
    for (size_t i = 0; i < p->content_count; i++)
        p->slots[find_content_slot(p, p->contents[i].hash)] = (uint32_t)i;
    return 0;
}

/* Finds the content with this hash, or adds it and sets *added. */
static int add_content(struct chunk_packer *p, const uint8_t *hash, size_t size, uint32_t *content,
                       bool *added, struct err *e)
{
    size_t slot;

    if (grow_slots(p, e) < 0 || array_grow((void **)&p->contents, &p->content_capacity,
                                           p->content_count, sizeof *p->contents, e) < 0)
        return -1;
    slot = find_content_slot(p, hash);
    *added = p->slots[slot] == NOT_YET;
    if (*added) {
        struct content *c = &p->contents[p->content_count];

        *c = (struct content){.number = NOT_YET, .source_size = (uint32_t)size};
        memcpy(c->hash, hash, CHUNK_HASH_SIZE);
        p->slots[slot] = (uint32_t)p->content_count++;
    }
    *content = p->slots[slot];
    return 0;
}

static int set_order(struct chunk_packer *p, uint64_t index, uint32_t content, struct err *e)
{
    while (index >= p->order_capacity) {
        size_t before = p->order_capacity;

        if (array_grow((void **)&p->order, &p->order_capacity, before, sizeof *p->order, e) < 0)
            return -1;
        memset(p->order + before, 0xff,
               (p->order_capacity - before) * sizeof *p->order); /* NOT_YET */
    }
    p->order[index] = content;
    return 0;
}

/* Returns the content that comes next in the image, or NOT_YET when that chunk was not seen. */
static uint32_t awaited(const struct chunk_packer *p)
{
    return p->next < p->order_capacity ? p->order[p->next] : NOT_YET;
}

/* Fails as soon as the archive's header would get too large, because a large image may take
 * hours. */
static int check_space_left(const struct chunk_packer *p, uint64_t index, struct err *e)
{
    uint64_t dictionary = p->content_count * (p->chunks.hash_length + DESCRIPTOR_OVERHEAD) + index;

    if (index < LIMIT_ORDER && dictionary <= LIMIT_DICTIONARY)
        return 0;
    return err_set(e, ERR_USAGE,
                   "too many chunks for an archive, after %llu: make them larger, with "
                   "--avg-chunk-size or --fixed-size",
                   (unsigned long long)index);
}

/* ---- writing; with the lock held ---- */

static int append(struct chunk_packer *p, struct content *c, const uint8_t *stored, struct err *e)
{
    struct chunk chunk = {.archive_offset = p->output->size,
                          .archive_size = c->stored_size,
                          .source_size = c->source_size};

    if (output_file_write(p->output, stored, c->stored_size, e) < 0 ||
        chunk_table_append(&p->chunks, c->hash, &chunk, e) < 0)
        return -1;
    c->number = (uint32_t)p->chunks.count - 1;
    return 0;
}

/* Moves next over all chunks whose content is in the table or ready, and writes the latter. */
static int advance(struct chunk_packer *p, struct err *e)
{
    uint32_t content;

    for (; (content = awaited(p)) != NOT_YET; p->next++) {
        struct content *c = &p->contents[content];

        if (c->number != NOT_YET)
            continue;
        if (!c->waiting)
            break;
        if (append(p, c, c->waiting, e) < 0)
            return -1;
        p->waiting_bytes -= c->stored_size;
        free(STEAL(c->waiting));
    }
    pthread_cond_broadcast(&p->moved);
    return 0;
}

/* Keeps a copy of the stored bytes until the turn of the content comes. */
static int put_aside(struct chunk_packer *p, struct content *c, const uint8_t *stored,
                     struct err *e)
{
    c->waiting = malloc(c->stored_size);
    if (!c->waiting)
        return err_nomem(e, "keeping a compressed chunk");
    memcpy(c->waiting, stored, c->stored_size);
    p->waiting_bytes += c->stored_size;
    return 0;
}

/* ---- the steps of one chunk ---- */

/* Enters a chunk of the image. *added tells that its content is new, so that this thread has to
 * compress and deliver it. */
static int enter(struct chunk_packer *p, uint64_t index, const uint8_t *hash, size_t size,
                 uint32_t *content, bool *added, struct err *e)
{
    LOCK_SCOPE(&p->lock);

    if (check_space_left(p, index, e) < 0 || add_content(p, hash, size, content, added, e) < 0 ||
        set_order(p, index, *content, e) < 0)
        return -1;
    return advance(p, e);
}

static int deliver(struct chunk_packer *p, uint32_t content, const uint8_t *stored, size_t size,
                   struct err *e)
{
    struct content *c;
    LOCK_SCOPE(&p->lock);

    while (!p->failed && awaited(p) != content && p->waiting_bytes > 0 &&
           p->waiting_bytes + size > CHUNK_PACKER_WAITING)
        pthread_cond_wait(&p->moved, &p->lock);
    if (p->failed)
        return err_set(e, ERR_CANCELLED, "another chunk failed");
    c = &p->contents[content]; /* only after the wait, because the array may move */
    c->stored_size = (uint32_t)size;
    if (awaited(p) != content)
        return put_aside(p, c, stored, e);
    return append(p, c, stored, e) < 0 ? -1 : advance(p, e);
}

static int process(struct chunk_packer *p, struct worker *w, uint64_t index, const uint8_t *data,
                   size_t size, struct err *e)
{
    uint8_t hash[CHUNK_HASH_SIZE];
    const uint8_t *stored;
    size_t stored_size;
    uint32_t content;
    bool added;

    if (chunk_hash(w->hasher, data, size, hash, e) < 0 ||
        enter(p, index, hash, size, &content, &added, e) < 0)
        return -1;
    if (!added)
        return 0;
    if (encoder_run(&w->encoder, data, size, &stored, &stored_size, e) < 0)
        return -1;
    return deliver(p, content, stored, stored_size, e);
}

int chunk_packer_chunk(struct chunk_packer *p, unsigned worker, uint64_t index, const uint8_t *data,
                       size_t size, struct err *e)
{
    struct worker *w = &p->workers[worker];
    int r = process(p, w, index, data, size, e);

    if (size > LARGE_CHUNK)
        encoder_release(&w->encoder);
    if (r < 0) {
        LOCK_SCOPE(&p->lock);
        p->failed = true;
        pthread_cond_broadcast(&p->moved);
    }
    return r;
}

void chunk_packer_finish(struct chunk_packer *p, struct image *image)
{
    for (size_t i = 0; i < p->next; i++)
        p->order[i] = p->contents[p->order[i]].number;
    image->chunks = p->chunks;
    p->chunks = (struct chunk_table){0};
    image->order_count = p->next;
    image->order = STEAL(p->order);
    p->next = 0;
}
