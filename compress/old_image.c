/* SPDX-License-Identifier: MIT */
#include "compress/old_image.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/workers.h"
#include "fetch/plan.h"
#include "format/delta_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS_MAX UINT32_MAX /* struct delta_range counts in 32 bits */

/* ---- opening ---- */

uint64_t old_image_blocks(const struct old_image *old)
{
    return (old->image->source_size + DELTA_BLOCK - 1) / DELTA_BLOCK;
}

int old_image_open(struct old_image *old, const char *path, const struct network_options *network,
                   struct err *e)
{
    *old = (struct old_image){.path = path, .fd = -1};
    if (chunk_source_open(&old->archive, path, network, e) < 0)
        return -1;
    old->image = &old->archive.image;
    if (old_image_blocks(old) > BLOCKS_MAX)
        return err_set(e, ERR_USAGE, "the image of %s is larger than 16 TiB, too large for a pack",
                       path);
    return 0;
}

void old_image_close(struct old_image *old)
{
    chunk_source_close(&old->archive);
    chunk_places_free(&old->places);
    shingle_index_free(old->index);
    free(old->data_blocks);
    cleanup_fd(&old->fd);
    old->index = NULL;
    old->data_blocks = NULL;
    old->fd = -1;
}

/* ---- the copy ---- */

static const char *temporary_directory(void)
{
    const char *directory = getenv("TMPDIR");

    return directory && *directory ? directory : "/tmp";
}

static int cannot_keep(const struct old_image *old, struct err *e)
{
    return err_sys(e, errno,
                   "cannot keep the content of %s in %s (TMPDIR chooses another directory)",
                   old->path, temporary_directory());
}

/* Without O_TMPFILE the file has a name for a moment. */
static int open_copy(struct old_image *old, struct err *e)
{
    CLEANUP_FREE char *path = NULL;

    old->fd = open(temporary_directory(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (old->fd < 0) {
        if (asprintf(&path, "%s/ihop-compress.XXXXXX", temporary_directory()) < 0) {
            path = NULL;
            return err_nomem(e, "naming a temporary file");
        }
        old->fd = mkostemp(path, O_CLOEXEC);
        if (old->fd < 0)
            return cannot_keep(old, e);
        unlink(path);
    }
    return ftruncate(old->fd, (off_t)old->image->source_size) < 0 ? cannot_keep(old, e) : 0;
}

static void mark_block(struct old_image *old, uint64_t block)
{
    __atomic_fetch_or(&old->data_blocks[block / 8], (uint8_t)(1 << (block % 8)), __ATOMIC_RELAXED);
}

/* Writes what is not zeros of one place of a chunk, and marks its blocks. */
static int keep_place(struct old_image *old, uint64_t offset, const uint8_t *data, size_t size,
                      struct err *e)
{
    size_t at = 0, begin = 0; /* from begin to at there is data that is not written yet */

    while (at < size) {
        size_t part = min_size(size - at, (size_t)(DELTA_BLOCK - (offset + at) % DELTA_BLOCK));
        bool zero = io_is_zero(data + at, part);

        if (!zero)
            mark_block(old, (offset + at) / DELTA_BLOCK);
        if (zero && io_pwrite_full(old->fd, data + begin, at - begin, offset + begin) < 0)
            return cannot_keep(old, e);
        at += part;
        if (zero)
            begin = at;
    }
    if (io_pwrite_full(old->fd, data + begin, at - begin, offset + begin) < 0)
        return cannot_keep(old, e);
    return 0;
}

/* ---- loading ---- */

struct loading {
    struct old_image *old;
    const struct old_image_load *options;
    struct plan plan; /* all chunks, as ranges of the archive */

    pthread_mutex_t lock; /* protects all below */
    size_t next;          /* range */
    uint64_t done;        /* bytes of the archive */
    bool failed;
};

struct loader {
    struct chunk_decoder decoder;
    struct shingle_list shingles;
    uint8_t *bytes;
};

static int keep_chunk(struct old_image *old, struct loader *w, size_t i, const uint8_t *content,
                      struct err *e)
{
    const struct chunk_places *p = &old->places;
    size_t size = old->image->chunks.items[i].source_size;

    for (size_t at = p->starts[i]; at < p->starts[i + 1]; at++)
        if (keep_place(old, p->offsets[at], content, size, e) < 0)
            return -1;
    if (chunk_places_count(p, i) == 0)
        return 0; /* The table has a chunk that the image has not. */
    if (shingle_list_scan(&w->shingles, content, size, shingle_index_rarity(old->index), e) < 0)
        return -1;
    return shingle_index_add(old->index, chunk_places_first(p, i), &w->shingles, e);
}

static int load_range(struct loading *l, struct loader *w, const struct plan_range *range,
                      struct err *e)
{
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

/* NULL when nothing is left. */
static const struct plan_range *take_range(struct loading *l)
{
    LOCK_SCOPE(&l->lock);

    return l->failed || l->next == l->plan.range_count ? NULL : &l->plan.ranges[l->next++];
}

static void range_loaded(struct loading *l, const struct plan_range *range, bool good)
{
    LOCK_SCOPE(&l->lock);

    l->failed |= !good;
    l->done += range->size;
    if (good)
        l->options->progress(l->options->user, l->done, l->plan.cost.download);
}

static int run_loader(void *user, unsigned number, struct err *e)
{
    struct loading *l = user;
    struct loader w = {.bytes = NULL};
    const struct plan_range *range;
    int r = 0;

    (void)number;
    if (chunk_decoder_init(&w.decoder, l->old->image, e) < 0)
        return -1;
    while (r == 0 && (range = take_range(l))) {
        r = load_range(l, &w, range, e);
        range_loaded(l, range, r == 0);
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
        return err_nomem(e, "reading an archive");
    memset(all, true, image->chunks.count + 1);
    return plan_make(image, all, &l->plan, e);
}

int old_image_load(struct old_image *old, const struct old_image_load *load, struct err *e)
{
    struct loading l = {.old = old, .options = load};
    int r;

    old->data_blocks = calloc(old_image_blocks(old) / 8 + 1, 1);
    if (!old->data_blocks)
        return err_nomem(e, "reading an image");
    if (open_copy(old, e) < 0 || chunk_places_find(&old->places, old->image, e) < 0 ||
        plan_loading(&l, e) < 0)
        return -1;
    old->index =
        shingle_index_new(chunk_table_bytes(&old->image->chunks) -
                              l.plan.cost.ways[WAY_ZERO].bytes, /* zeros have no shingles */
                          e);
    pthread_mutex_init(&l.lock, NULL);
    r = old->index ? workers_run(load->jobs, run_loader, &l, e) : -1;
    if (r == 0)
        r = shingle_index_finish(old->index, e);
    pthread_mutex_destroy(&l.lock);
    plan_free(&l.plan);
    return r;
}

int old_image_read(const struct old_image *old, uint64_t offset, size_t size, uint8_t *out,
                   struct err *e)
{
    ssize_t n = io_pread_full(old->fd, out, size, offset);

    if (n >= 0 && (size_t)n < size)
        errno = EIO;
    return n < 0 || (size_t)n < size ? cannot_keep(old, e) : 0;
}
