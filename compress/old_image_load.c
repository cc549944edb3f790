/* SPDX-License-Identifier: MIT */
#include "compress/old_image_load.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/workers.h"
#include "fetch/plan.h"
#include "format/delta_list.h"
#include "store/chunk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is loaded at a time: a range of the archive, or a chunk of the store. */
struct loading {
    struct old_image *old;
    const struct old_image_load *options;
    struct plan plan; /* all chunks but those of zeros, also as ranges of the archive */
    size_t count;
    uint64_t total; /* bytes */

    pthread_mutex_t lock; /* protects all below */
    size_t next;
    uint64_t done; /* bytes */
    bool failed;
};

/* What a thread has. */
struct loader {
    struct chunk_decoder decoder; /* its hasher serves for chunks of a store, too */
    struct shingle_list shingles;
};

/* ---- the copy ---- */

/* Without O_TMPFILE the file has a name for a moment. */
static int open_copy(struct old_image *old, struct err *e)
{
    CLEANUP_FREE char *path = NULL;

    old->fd = open(old_image_directory(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (old->fd < 0) {
        if (asprintf(&path, "%s/ihop-compress.XXXXXX", old_image_directory()) < 0) {
            path = NULL;
            return err_nomem(e, "naming a temporary file");
        }
        old->fd = mkostemp(path, O_CLOEXEC);
        if (old->fd < 0)
            return old_image_cannot_keep(old, e);
        unlink(path);
    }
    return ftruncate(old->fd, (off_t)old->image->source_size) < 0 ? old_image_cannot_keep(old, e)
                                                                  : 0;
}

static void mark_block(struct old_image *old, uint64_t block)
{
    __atomic_fetch_or(&old->data_blocks[block / 8], (uint8_t)(1 << (block % 8)), __ATOMIC_RELAXED);
}

static int write_copy(const struct old_image *old, uint64_t offset, const uint8_t *data,
                      size_t size, struct err *e)
{
    if (old->store || size == 0 || io_pwrite_full(old->fd, data, size, offset) == 0)
        return 0;
    return old_image_cannot_keep(old, e);
}

/* Marks the blocks of one place of a chunk that are not zeros, and writes them. */
static int keep_place(struct old_image *old, uint64_t offset, const uint8_t *data, size_t size,
                      struct err *e)
{
    size_t begin = 0, part; /* from begin on there is data that is not written yet */

    for (size_t at = 0; at < size; at += part) {
        part = min_size(size - at, (size_t)(DELTA_BLOCK - (offset + at) % DELTA_BLOCK));
        if (!io_is_zero(data + at, part)) {
            mark_block(old, (offset + at) / DELTA_BLOCK);
            continue;
        }
        if (write_copy(old, offset + begin, data + begin, at - begin, e) < 0)
            return -1;
        begin = at + part;
    }
    return write_copy(old, offset + begin, data + begin, size - begin, e);
}

/* ---- one chunk ---- */

static int keep_chunk(struct old_image *old, struct loader *w, size_t i, const uint8_t *content,
                      struct err *e)
{
    const struct chunk_places *p = &old->places;
    size_t size = old->image->chunks.items[i].source_size;

    for (size_t at = p->starts[i]; at < p->starts[i + 1]; at++)
        if (keep_place(old, p->offsets[at], content, size, e) < 0)
            return -1;
    if (shingle_list_scan(&w->shingles, content, size, shingle_index_rarity(old->index), e) < 0)
        return -1;
    return shingle_index_add(old->index, chunk_places_first(p, i), &w->shingles, e);
}

static int load_range(struct loading *l, struct loader *w, size_t number, struct err *e)
{
    const struct plan_range *range = &l->plan.ranges[number];
    struct old_image *old = l->old;
    CLEANUP_FREE uint8_t *bytes = malloc(range->size);

    if (!bytes)
        return err_nomem(e, "reading an archive");
    if (chunk_source_read(&old->archive, range->offset, range->size, bytes, e) < 0)
        return -1;
    for (size_t k = 0; k < range->count; k++) {
        uint32_t i = l->plan.fetched[range->first + k];
        const uint8_t *content;

        if (chunk_source_decode(&old->archive, &w->decoder, i,
                                bytes + (l->plan.items[i].where - range->offset), &content,
                                e) < 0 ||
            keep_chunk(old, w, i, content, e) < 0)
            return -1;
        chunk_decoder_trim(&w->decoder, chunk_decoder_cost(old->image, i));
    }
    return 0;
}

static int load_stored(struct loading *l, struct loader *w, size_t number, struct err *e)
{
    struct old_image *old = l->old;
    const struct chunk_table *chunks = &old->image->chunks;
    uint32_t i = l->plan.fetched[number];
    size_t size = chunks->items[i].source_size;
    uint8_t hash[CHUNK_HASH_SIZE];
    char path[STORE_CHUNK_PATH_SIZE];
    CLEANUP_FREE uint8_t *content = malloc(size);

    if (!content)
        return err_nomem(e, "reading a chunk");
    if (image_reader_read(&old->chunks, chunk_places_first(&old->places, i), size, content, e) <
            0 ||
        chunk_hash(w->decoder.hasher, content, size, hash, e) < 0)
        return -1;
    if (memcmp(hash, chunk_table_hash(chunks, i), chunks->hash_length) != 0)
        return err_set(
            e, ERR_DAMAGED, "chunk %s/%s is damaged (ihop-store verify --repair mends the store)",
            store_path(old->store),
            store_chunk_path(old->store, chunk_table_hash(chunks, i), chunks->hash_length, path));
    return keep_chunk(old, w, i, content, e);
}

/* ---- all ---- */

static uint64_t load_size(const struct loading *l, size_t number)
{
    return l->old->store ? l->old->image->chunks.items[l->plan.fetched[number]].source_size
                         : l->plan.ranges[number].size;
}

/* SIZE_MAX when nothing is left. */
static size_t take_load(struct loading *l)
{
    LOCK_SCOPE(&l->lock);

    return l->failed || l->next == l->count ? SIZE_MAX : l->next++;
}

static void end_load(struct loading *l, size_t number, bool good)
{
    LOCK_SCOPE(&l->lock);

    l->failed |= !good;
    l->done += load_size(l, number);
    if (good)
        l->options->progress(l->options->user, l->done, l->total);
}

static int run_loader(void *user, unsigned worker, struct err *e)
{
    struct loading *l = user;
    struct loader w = {.shingles = {.items = NULL}};
    size_t number;
    int r = 0;

    (void)worker;
    if (chunk_decoder_init(&w.decoder, l->old->image, e) < 0)
        return -1;
    while (r == 0 && (number = take_load(l)) != SIZE_MAX) {
        r = l->old->store ? load_stored(l, &w, number, e) : load_range(l, &w, number, e);
        end_load(l, number, r == 0);
    }
    chunk_decoder_release(&w.decoder);
    shingle_list_free(&w.shingles);
    return r;
}

static int plan_loading(struct loading *l, struct err *e)
{
    const struct image *image = l->old->image;
    CLEANUP_FREE bool *all = malloc(image->chunks.count + 1);

    if (!all)
        return err_nomem(e, "reading an image");
    memset(all, true, image->chunks.count + 1);
    if (plan_make(image, all, &l->plan, e) < 0)
        return -1;
    l->count = l->old->store ? l->plan.fetched_count : l->plan.range_count;
    for (size_t i = 0; i < l->count; i++)
        l->total += load_size(l, i);
    return 0;
}

static int prepare_loading(struct loading *l, struct err *e)
{
    struct old_image *old = l->old;
    uint64_t bytes = chunk_table_bytes(&old->image->chunks);

    old->data_blocks = calloc(old_image_blocks(old) / 8 + 1, 1);
    if (!old->data_blocks)
        return err_nomem(e, "reading an image");
    if (chunk_places_find(&old->places, old->image, e) < 0 || plan_loading(l, e) < 0 ||
        (!old->store && open_copy(old, e) < 0))
        return -1;
    old->index = shingle_index_new(bytes - l->plan.cost.ways[WAY_ZERO].bytes,
                                   e); /* zeros have no shingles */
    return old->index ? 0 : -1;
}

int old_image_load(struct old_image *old, const struct old_image_load *load, struct err *e)
{
    struct loading l = {.old = old, .options = load};
    int r = prepare_loading(&l, e);

    pthread_mutex_init(&l.lock, NULL);
    if (r == 0)
        r = workers_run(load->jobs, run_loader, &l, e);
    if (r == 0)
        r = shingle_index_finish(old->index, e);
    pthread_mutex_destroy(&l.lock);
    plan_free(&l.plan);
    return r;
}
