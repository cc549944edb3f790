/* SPDX-License-Identifier: MIT */
#include "fetch/ensure.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "fetch/pipeline.h"
#include "fetch/seed.h"
#include "store/publish.h"
#include "store/staging.h"

#include <string.h>

static void on_checked(void *user, uint64_t done, uint64_t total)
{
    const struct fetch_events *events = user;
    const struct fetch_progress p = {
        .phase = FETCH_CHECKING, .bytes_done = done, .bytes_total = total};

    if (events && events->progress)
        events->progress(events->user, &p);
}

/* Which chunks are missing, and what having them writes. The caller frees *p. */
static int find_missing(const struct store *store, const struct image *image,
                        const struct ensure_options *o, const struct fetch_events *events,
                        struct store_presence *p, struct ensure_cost *cost, struct err *e)
{
    store_presence_free(p);
    if (store_find_missing(o->known_missing ? NULL : store, image, o->check, on_checked,
                           (void *)events, p, e) < 0)
        return -1;
    if (o->known_missing)
        memcpy(p->missing, o->known_missing, image->chunk_count * sizeof *p->missing);
    cost->chunks = image->chunk_count;
    cost->damaged = p->damaged_count;
    cost->missing = cost->zero = cost->seeded = 0;
    cost->write = 0;
    for (size_t i = 0; i < image->chunk_count; i++) {
        cost->missing += p->missing[i];
        cost->zero += p->missing[i] && image->chunks[i].zero;
        if (p->missing[i] && !image->chunks[i].zero)
            cost->write += image->chunks[i].source_size;
    }
    return 0;
}

/* What the seeds have is not missing any more. */
static int search_seeds(const struct image *image, const struct ensure_options *o,
                        struct store_writer *writer, const struct fetch_events *events,
                        bool *missing, struct ensure_cost *cost, struct err *e)
{
    for (size_t i = 0; i < o->seed_count && cost->seeded < cost->missing - cost->zero; i++)
        if (seed_scan(o->seeds[i], image, missing, writer, o->jobs, events, &cost->seeded, e) < 0)
            return -1;
    return 0;
}

/* In place of what plan was. The caller frees *plan. */
static int make_plan(const struct image *image, const bool *missing, struct plan *plan,
                     struct ensure_cost *cost, struct err *e)
{
    plan_free(plan);
    if (plan_make(image, missing, plan, e) < 0)
        return -1;
    cost->download = plan->download_bytes;
    cost->requests = plan->range_count;
    return 0;
}

int ensure_estimate(const struct store *store, const struct image *image,
                    const struct ensure_options *o, const struct fetch_events *events,
                    struct ensure_cost *cost, struct err *e)
{
    CLEANUP(store_presence_free) struct store_presence p = {0};
    CLEANUP(plan_free) struct plan plan = {0};

    cost->adopted = 0;
    if (find_missing(store, image, o, events, &p, cost, e) < 0 ||
        search_seeds(image, o, NULL, events, p.missing, cost, e) < 0)
        return -1;
    return make_plan(image, p.missing, &plan, cost, e);
}

static int check_budget(const char *option, const char *what, uint64_t needed, uint64_t budget,
                        struct err *e)
{
    char a[TEXT_SIZE_BYTES], b[TEXT_SIZE_BYTES];

    if (needed <= budget)
        return 0;
    return err_set(e, ERR_SPACE, "this would %s %s (%llu bytes), but %s allows %s", what,
                   text_size(needed, a), (unsigned long long)needed, option, text_size(budget, b));
}

/* What a plan needs: data and what files take beyond it. */
static uint64_t bytes_needed(const struct ensure_options *o, const struct ensure_cost *cost)
{
    return cost->missing == 0 ? 0 : store_disk_bytes(cost->write, cost->missing) + o->min_free;
}

static int check_space(const struct store *store, const struct ensure_options *o,
                       const struct ensure_cost *cost, struct err *e)
{
    uint64_t needed = bytes_needed(o, cost), bytes, inodes;
    char a[TEXT_SIZE_BYTES], b[TEXT_SIZE_BYTES];

    if (store_free_space(store, &bytes, &inodes, e) < 0)
        return -1;
    if (needed > bytes)
        return err_set(e, ERR_SPACE,
                       "not enough space in store %s: %s (%llu bytes) are needed, %s "
                       "(%llu bytes) are free; remove releases (ihop-store), or pass --make-room",
                       store_path(store), text_size(needed, a), (unsigned long long)needed,
                       text_size(bytes, b), (unsigned long long)bytes);
    if (cost->missing > inodes)
        return err_set(e, ERR_SPACE, "not enough inodes in store %s: %zu are needed, %llu are free",
                       store_path(store), cost->missing, (unsigned long long)inodes);
    return 0;
}

/* Finds what is missing and compares it with the budgets. Seeds may spare part of the
 * download, so with seeds that is compared when they were searched. */
static int find_allowed(const struct store *store, const struct image *image,
                        const struct ensure_options *o, const struct fetch_events *events,
                        struct store_presence *p, struct plan *plan, struct ensure_cost *cost,
                        struct err *e)
{
    if (find_missing(store, image, o, events, p, cost, e) < 0 ||
        make_plan(image, p->missing, plan, cost, e) < 0 ||
        check_budget("--max-write", "write", cost->write, o->max_write, e) < 0)
        return -1;
    return o->seed_count > 0
               ? 0
               : check_budget("--max-download", "download", cost->download, o->max_download, e);
}

/* The same, and sees that there is space. Making room frees the store's lock for a
 * moment, so it looks again then. */
static int prepare(struct store *store, const struct image *image, const struct ensure_options *o,
                   const struct fetch_events *events, struct store_presence *p, struct plan *plan,
                   struct ensure_cost *cost, struct err *e)
{
    struct err why = ERR_INIT;

    if (find_allowed(store, image, o, events, p, plan, cost, e) < 0)
        return -1;
    if (check_space(store, o, cost, &why) == 0)
        return 0;
    if (!o->make_room || why.kind != ERR_SPACE) {
        *e = why;
        return -1;
    }
    if (o->make_room(o->user, store, bytes_needed(o, cost), cost->missing, e) < 0 ||
        find_allowed(store, image, o, events, p, plan, cost, e) < 0)
        return -1;
    return check_space(store, o, cost, e);
}

/* Whether an error leaves the store able to take what was fetched before it. */
static bool store_is_fine(enum err_kind kind)
{
    return kind == ERR_NETWORK || kind == ERR_PROTOCOL || kind == ERR_ARCHIVE ||
           kind == ERR_NOT_FOUND || kind == ERR_REFUSED;
}

static int fetch_and_commit(struct store_writer *writer, const struct image *image,
                            const struct plan *plan, struct reader *reader,
                            const struct ensure_options *o, const struct fetch_events *events,
                            struct err *e)
{
    const struct fetch_progress syncing = {.phase = FETCH_SYNCING};
    struct err second = ERR_INIT;

    if (pipeline_run(reader, image, plan, writer, o->jobs, events, e) < 0) {
        /* Keep what came: the next run will not fetch it again. */
        if (store_is_fine(e->kind) && store_writer_finish(writer, &second) < 0)
            *e = second;
        return -1;
    }
    if (events && events->progress)
        events->progress(events->user, &syncing);
    return store_writer_finish(writer, e);
}

/* What the seeds have need not be fetched: then there is another plan. */
static int take_from_seeds(struct store_writer *writer, const struct image *image,
                           const struct ensure_options *o, const struct fetch_events *events,
                           bool *missing, struct plan *plan, struct ensure_cost *cost,
                           struct err *e)
{
    if (o->seed_count == 0)
        return 0;
    if (search_seeds(image, o, writer, events, missing, cost, e) < 0 ||
        make_plan(image, missing, plan, cost, e) < 0)
        return -1;
    return check_budget("--max-download", "download", cost->download, o->max_download, e);
}

int ensure_chunks(struct store *store, const struct image *image, struct reader *reader,
                  const struct ensure_options *o, const struct fetch_events *events,
                  struct ensure_cost *cost, uint64_t *written, struct err *e)
{
    CLEANUP(store_writer_cleanup) struct store_writer *writer = NULL;
    CLEANUP(store_presence_free) struct store_presence p = {0};
    CLEANUP(plan_free) struct plan plan = {0};
    int r;

    if (store_writer_open(store, &writer, &cost->adopted, e) < 0 ||
        prepare(store, image, o, events, &p, &plan, cost, e) < 0)
        return -1;
    if (o->partial_name &&
        store_partial_write(store, o->partial_name, o->partial_data, o->partial_size, e) < 0)
        return -1;
    r = take_from_seeds(writer, image, o, events, p.missing, &plan, cost, e);
    if (r == 0)
        r = fetch_and_commit(writer, image, &plan, reader, o, events, e);
    *written = store_writer_bytes(writer);
    return r;
}
