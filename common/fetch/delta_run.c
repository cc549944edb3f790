/* SPDX-License-Identifier: MIT */
#include "fetch/delta_run.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "store/missing.h"

#include <stdlib.h>

/* ---- planning ---- */

/* How many entries of the old image's order that lie before each entry are not in the store. Zero
 * chunks need no file. missing NULL: nothing is. */
static uint32_t *count_lost(const struct image *old, const bool *missing, struct err *e)
{
    uint32_t *lost = malloc((old->order_count + 1) * sizeof *lost);

    if (!lost) {
        err_nomem(e, "planning an update by deltas");
        return NULL;
    }
    lost[0] = 0;
    for (size_t i = 0; i < old->order_count; i++) {
        uint32_t chunk = old->order[i];

        lost[i + 1] = lost[i] + (missing && missing[chunk] && !old->chunks.items[chunk].zero);
    }
    return lost;
}

static bool base_is_there(const struct delta_source *s, const struct chunk_map *map,
                          const uint32_t *lost, const struct delta *delta)
{
    for (size_t i = 0; i < delta->range_count; i++) {
        size_t size;
        uint64_t offset =
            delta_range_place(&s->list.ranges[delta->first_range + i], s->old.source_size, &size);
        size_t first = chunk_map_find(map, offset), last = chunk_map_find(map, offset + size - 1);

        if (lost[last + 1] != lost[first])
            return false;
    }
    return true;
}

static void give_ways(const struct delta_source *s, const struct chunk_map *map,
                      const uint32_t *lost, struct plan *plan)
{
    for (size_t i = 0; i < s->list.count && i <= PLAN_BASE_MAX; i++) {
        const struct delta *delta = &s->list.items[i];
        struct plan_item *item = &plan->items[delta->chunk];

        if (item->way == WAY_DOWNLOAD && base_is_there(s, map, lost, delta))
            *item = (struct plan_item){.way = WAY_DELTA,
                                       .where = delta->offset,
                                       .size = delta->size,
                                       .base = (uint32_t)i & PLAN_BASE_MAX};
    }
}

int delta_run_plan(const struct delta_source *source, const struct store *store, struct plan *plan,
                   struct err *e)
{
    CLEANUP(store_missing_free) struct store_missing m = {0};
    CLEANUP(chunk_map_free) struct chunk_map map = {0};
    CLEANUP_FREE uint32_t *lost = NULL;

    if ((store &&
         store_find_missing(store, &source->old.chunks, STORE_CHECK_SIZE, NULL, NULL, &m, e) < 0) ||
        chunk_map_init(&map, &source->old, e) < 0 ||
        !(lost = count_lost(&source->old, m.missing, e)))
        return -1;
    give_ways(source, &map, lost, plan);
    return 0;
}

/* ---- running ---- */

int delta_run_open(struct delta_run *run, const struct delta_source *source,
                   const struct store *store, const struct plan *plan, size_t chunks, struct err *e)
{
    *run = (struct delta_run){.source = source, .plan = plan};
    if (image_reader_open(&run->base, store, &source->old, e) < 0)
        return -1;
    run->made = calloc(chunks + 1, sizeof *run->made);
    if (!run->made) {
        image_reader_close(&run->base);
        return err_nomem(e, "updating by deltas");
    }
    pthread_mutex_init(&run->lock, NULL);
    return 0;
}

void delta_run_close(struct delta_run *run)
{
    image_reader_close(&run->base);
    free(run->made);
    pthread_mutex_destroy(&run->lock);
}

static const struct delta *planned_delta(const struct delta_run *run, size_t chunk)
{
    return &run->source->list.items[run->plan->items[chunk].base];
}

static size_t planned_base_size(const struct delta_run *run, const struct delta *delta)
{
    return (size_t)delta_list_base_size(&run->source->list, delta, run->source->old.source_size);
}

size_t delta_run_cost(const struct delta_run *run, const struct image *image, size_t chunk)
{
    const struct delta *delta = planned_delta(run, chunk);
    size_t size = image->chunks.items[chunk].source_size;

    if (delta->codec == DELTA_COPY)
        return chunk_decoder_cost(image, chunk);
    return size + planned_base_size(run, delta) + delta_decoder_memory(delta->codec, size);
}

bool delta_run_goes_on(struct delta_run *run)
{
    LOCK_SCOPE(&run->lock);

    return run->wrong_count < DELTA_RUN_WRONG;
}

static void note_rotten(struct delta_run *run, const struct err *why)
{
    LOCK_SCOPE(&run->lock);

    if (run->rotten.kind == ERR_NONE)
        run->rotten = *why;
}

static void note_wrong(struct delta_run *run, const struct err *why)
{
    LOCK_SCOPE(&run->lock);

    if (run->wrong_count++ == 0)
        run->wrong = *why;
}

/* ---- one delta ---- */

static int grow_base(struct delta_maker *m, size_t size, struct err *e)
{
    uint8_t *grown;

    if (size <= m->base_size)
        return 0;
    grown = realloc(m->base, size);
    if (!grown)
        return err_nomem(e, "reading the base of a delta");
    m->base = grown;
    m->base_size = size;
    return 0;
}

static int read_base(struct delta_maker *m, const struct delta *delta, size_t *size, struct err *e)
{
    const struct delta_source *s = m->run->source;

    *size = 0;
    if (grow_base(m, planned_base_size(m->run, delta), e) < 0)
        return -1;
    for (size_t i = 0; i < delta->range_count; i++) {
        size_t n;
        uint64_t offset =
            delta_range_place(&s->list.ranges[delta->first_range + i], s->old.source_size, &n);

        if (image_reader_read(&m->run->base, offset, n, m->base + *size, e) < 0)
            return -1;
        *size += n;
    }
    return 0;
}

/* Whether the chunks that have the base are what their names say. */
static int check_base(const struct delta_run *run, const struct delta *delta, struct err *e)
{
    const struct delta_source *s = run->source;

    for (size_t i = 0; i < delta->range_count; i++) {
        size_t n;
        uint64_t offset =
            delta_range_place(&s->list.ranges[delta->first_range + i], s->old.source_size, &n);

        if (image_reader_check(&run->base, offset, n, e) < 0)
            return -1;
    }
    return 0;
}

/* Leaves a chunk for the archive, and finds out whose fault that is. e has why it was not made. */
static int leave_chunk(struct delta_run *run, const struct delta *delta, struct err *e)
{
    struct err why = *e, base = ERR_INIT;

    *e = (struct err)ERR_INIT;
    if (check_base(run, delta, &base) == 0) {
        note_wrong(run, &why);
        return 0;
    }
    if (base.kind == ERR_MEMORY) {
        *e = base;
        return -1;
    }
    note_rotten(run, &base);
    return 0;
}

static int decode_delta(struct delta_maker *m, struct chunk_decoder *decoder, size_t i,
                        const uint8_t *bytes, const uint8_t **plain, struct err *e)
{
    const struct delta *delta = planned_delta(m->run, i);
    struct chunk_delta input = {.codec = delta->codec, .bytes = {bytes, delta->size}};

    if (delta->codec == DELTA_COPY)
        return chunk_decoder_run(decoder, i, bytes, plain, e);
    if (read_base(m, delta, &input.base.size, e) < 0) {
        if (e->kind == ERR_MEMORY)
            return -1;
        note_rotten(m->run, e);
        *e = (struct err)ERR_INIT;
        *plain = NULL;
        return 0;
    }
    input.base.data = m->base;
    return chunk_decoder_run_delta(decoder, i, &input, plain, e);
}

int delta_maker_run(struct delta_maker *m, struct chunk_decoder *decoder, size_t i,
                    const uint8_t *bytes, const uint8_t **plain, struct err *e)
{
    if (decode_delta(m, decoder, i, bytes, plain, e) == 0)
        return 0;
    *plain = NULL;
    return e->kind == ERR_ARCHIVE ? leave_chunk(m->run, planned_delta(m->run, i), e) : -1;
}

void delta_maker_trim(struct delta_maker *m, size_t cost)
{
    if (cost <= CHUNK_DECODER_KEPT)
        return;
    free(m->base);
    m->base = NULL;
    m->base_size = 0;
}
