/* SPDX-License-Identifier: MIT */
#include "fetch/ensure.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "fetch/pipeline.h"
#include "store/publish.h"
#include "store/staging.h"

#define BLOCK 4096 /* what a file takes at least, on most file systems */

static void on_checked(void *user, uint64_t done, uint64_t total)
{
    const struct fetch_events *events = user;
    const struct fetch_progress p = {
        .phase = FETCH_CHECKING, .bytes_done = done, .bytes_total = total};

    if (events && events->progress)
        events->progress(events->user, &p);
}

static int make_plan(const struct store *store, const struct image *image,
                     const struct ensure_options *o, const struct fetch_events *events,
                     struct plan *plan, struct ensure_cost *cost, struct err *e)
{
    CLEANUP(store_presence_free) struct store_presence presence = {0};
    const bool *missing = o->known_missing;

    if (!missing &&
        store_find_missing(store, image, o->check, on_checked, (void *)events, &presence, e) < 0)
        return -1;
    if (plan_make(image, missing ? missing : presence.missing, plan, e) < 0)
        return -1;
    cost->chunks = image->chunk_count;
    cost->missing = plan->chunk_count + plan->zero_count;
    cost->zero = plan->zero_count;
    cost->damaged = presence.damaged_count;
    cost->download = plan->download_bytes;
    cost->write = plan->write_bytes;
    cost->requests = plan->range_count;
    return 0;
}

int ensure_estimate(const struct store *store, const struct image *image,
                    const struct ensure_options *o, const struct fetch_events *events,
                    struct ensure_cost *cost, struct err *e)
{
    CLEANUP(plan_free) struct plan plan = {0};

    cost->adopted = 0;
    return make_plan(store, image, o, events, &plan, cost, e);
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
    return cost->missing == 0 ? 0 : cost->write + (uint64_t)cost->missing * BLOCK / 2 + o->min_free;
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

static int check_budgets(const struct ensure_options *o, const struct ensure_cost *cost,
                         struct err *e)
{
    if (check_budget("--max-download", "download", cost->download, o->max_download, e) < 0)
        return -1;
    return check_budget("--max-write", "write", cost->write, o->max_write, e);
}

/* Makes the plan and checks that it may be carried out. Making room frees the
 * store's lock for a moment, so the plan is made anew then. */
static int settle_plan(struct store *store, const struct image *image,
                       const struct ensure_options *o, const struct fetch_events *events,
                       struct plan *plan, struct ensure_cost *cost, struct err *e)
{
    struct err why = ERR_INIT;

    if (make_plan(store, image, o, events, plan, cost, e) < 0 || check_budgets(o, cost, e) < 0)
        return -1;
    if (check_space(store, o, cost, &why) == 0)
        return 0;
    if (!o->make_room || why.kind != ERR_SPACE) {
        *e = why;
        return -1;
    }
    if (o->make_room(o->user, store, bytes_needed(o, cost), cost->missing, e) < 0)
        return -1;
    plan_free(plan);
    if (make_plan(store, image, o, events, plan, cost, e) < 0 || check_budgets(o, cost, e) < 0)
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

int ensure_chunks(struct store *store, const struct image *image, struct reader *reader,
                  const struct ensure_options *o, const struct fetch_events *events,
                  struct ensure_cost *cost, uint64_t *written, struct err *e)
{
    CLEANUP(store_writer_cleanup) struct store_writer *writer = NULL;
    CLEANUP(plan_free) struct plan plan = {0};
    int r;

    if (store_writer_open(store, &writer, &cost->adopted, e) < 0 ||
        settle_plan(store, image, o, events, &plan, cost, e) < 0)
        return -1;
    if (o->partial_name &&
        store_partial_write(store, o->partial_name, o->partial_data, o->partial_size, e) < 0)
        return -1;
    r = fetch_and_commit(writer, image, &plan, reader, o, events, e);
    *written = store_writer_bytes(writer);
    return r;
}
