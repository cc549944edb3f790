/* SPDX-License-Identifier: MIT */
#include "fetch/obtain.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "fetch/deposit.h"
#include "fetch/pipeline.h"
#include "fetch/seed.h"
#include "store/publish.h"
#include "store/chunk_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static void report_checked(void *user, uint64_t done, uint64_t total)
{
    const struct events *events = user;
    const struct events_progress p = {
        .phase = EVENTS_CHECKING, .bytes_done = done, .bytes_total = total};

    if (events && events->progress)
        events->progress(events->user, &p);
}

/* Which chunks are missing, and what having them writes. The caller frees *p. */
static int find_missing_chunks(const struct store *store, const struct image *image,
                               const struct obtain_options *o, const struct events *events,
                               struct store_missing *p, struct obtain_cost *cost, struct err *e)
{
    store_missing_free(p);
    if (store_find_missing(o->known_missing ? NULL : store, &image->chunks, o->check,
                           report_checked, (void *)events, p, e) < 0)
        return -1;
    if (o->known_missing)
        memcpy(p->missing, o->known_missing, image->chunks.count * sizeof *p->missing);
    cost->chunks = image->chunks.count;
    cost->damaged = p->damaged_count;
    cost->missing = cost->zero = cost->seeded = 0;
    cost->write = cost->write_least = 0;
    for (size_t i = 0; i < image->chunks.count; i++) {
        cost->missing += p->missing[i];
        cost->zero += p->missing[i] && image->chunks.items[i].zero;
        if (!p->missing[i] || image->chunks.items[i].zero)
            continue;
        cost->write += image->chunks.items[i].source_size;
        cost->write_least += plan_least_written(image, &image->chunks.items[i]);
    }
    return 0;
}

/* What the seeds have is not missing any more. */
static int search_seeds(const struct image *image, const struct obtain_options *o,
                        struct deposit *deposit, const struct events *events, bool *missing,
                        struct obtain_cost *cost, struct err *e)
{
    for (size_t i = 0; i < o->seed_count && cost->seeded < cost->missing - cost->zero; i++)
        if (seed_scan(o->seeds[i], image, missing, deposit, o->jobs, events, &cost->seeded, e) < 0)
            return -1;
    return 0;
}

/* In place of what plan was. The caller frees *plan. */
static int make_plan(const struct image *image, const bool *missing, struct plan *plan,
                     struct obtain_cost *cost, struct err *e)
{
    plan_free(plan);
    if (plan_make(image, missing, plan, e) < 0)
        return -1;
    cost->download = plan->download_bytes;
    cost->requests = plan->range_count;
    return 0;
}

int obtain_estimate(const struct store *store, const struct image *image,
                    const struct obtain_options *o, const struct events *events,
                    struct obtain_cost *cost, struct err *e)
{
    CLEANUP(store_missing_free) struct store_missing p = {0};
    CLEANUP(plan_free) struct plan plan = {0};

    cost->adopted = 0;
    if (find_missing_chunks(store, image, o, events, &p, cost, e) < 0 ||
        search_seeds(image, o, NULL, events, p.missing, cost, e) < 0)
        return -1;
    return make_plan(image, p.missing, &plan, cost, e);
}

/* One run of obtain_chunks, or the second one after room was made. */
struct attempt {
    struct store *store;
    const struct image *image;
    struct reader *reader;
    const struct obtain_options *o;
    const struct events *events;
    struct obtain_cost *cost;
    const char *what; /* for messages */
    struct deposit deposit;
    struct store_missing presence;
    struct plan plan;
};

static int check_plan_budget(const struct attempt *a, const char *option, const char *verb,
                             uint64_t needed, uint64_t budget, struct err *e)
{
    char text[TEXT_SIZE_BYTES], allowed[TEXT_SIZE_BYTES];

    if (needed <= budget)
        return 0;
    return err_set(e, ERR_SPACE, "%s would %s %s (%llu bytes), but %s allows %s (%llu bytes)",
                   a->what, verb, text_size(needed, text), (unsigned long long)needed, option,
                   text_size(budget, allowed), (unsigned long long)budget);
}

static int check_download(const struct attempt *a, struct err *e)
{
    return check_plan_budget(a, "--max-download", "download", a->cost->download, a->o->max_download,
                             e);
}

/* What writing so many bytes of data needs: what files take beyond it, and what is to stay
 * free. */
static uint64_t bytes_needed(const struct attempt *a, uint64_t write)
{
    return a->cost->missing == 0 ? 0 : store_disk_bytes(write, a->cost->missing) + a->o->min_free;
}

/* Refuses what cannot fit. What may turn out too large, because nobody knows how much of it
 * are zeros, is begun. */
static int check_space(const struct attempt *a, struct err *e)
{
    const struct obtain_cost *cost = a->cost;
    uint64_t needed = bytes_needed(a, cost->write_least), most = bytes_needed(a, cost->write);
    char text[TEXT_SIZE_BYTES], available[TEXT_SIZE_BYTES];
    uint64_t bytes, inodes;

    if (store_free_space(a->store, &bytes, &inodes, e) < 0)
        return -1;
    if (needed > bytes)
        return err_set(e, ERR_SPACE,
                       "not enough space in store %s: %s (%llu bytes) are needed, %s "
                       "(%llu bytes) are free; remove releases (ihop-store), or pass --make-room",
                       store_path(a->store), text_size(needed, text), (unsigned long long)needed,
                       text_size(bytes, available), (unsigned long long)bytes);
    if (cost->missing > inodes)
        return err_set(e, ERR_SPACE, "not enough inodes in store %s: %zu are needed, %llu are free",
                       store_path(a->store), cost->missing, (unsigned long long)inodes);
    if (most > bytes)
        events_note(a->events,
                    "store %s may be too small: up to %s are needed, if the image has few zeros, "
                    "and %s are free",
                    store_path(a->store), text_size(most, text), text_size(bytes, available));
    return 0;
}

/* Finds what is missing and compares it with the budgets. Seeds may spare part of the
 * download, so with seeds that is compared when they were searched. */
static int find_allowed(struct attempt *a, struct err *e)
{
    if (find_missing_chunks(a->store, a->image, a->o, a->events, &a->presence, a->cost, e) < 0 ||
        make_plan(a->image, a->presence.missing, &a->plan, a->cost, e) < 0 ||
        check_plan_budget(a, "--max-write",
                          a->cost->write > a->cost->write_least ? "write at least" : "write",
                          a->cost->write_least, a->deposit.max_write, e) < 0)
        return -1;
    return a->o->seed_count > 0 ? 0 : check_download(a, e);
}

/* The same, and sees that there is space. Making room frees the store's lock for a
 * moment, so it looks again then. */
static int prepare_plan(struct attempt *a, struct err *e)
{
    const struct obtain_options *o = a->o;
    struct err why = ERR_INIT;

    if (find_allowed(a, e) < 0)
        return -1;
    if (check_space(a, &why) == 0)
        return 0;
    if (!o->make_room || why.kind != ERR_SPACE) {
        *e = why;
        return -1;
    }
    if (o->make_room(o->user, a->store, bytes_needed(a, a->cost->write_least), a->cost->missing,
                     e) < 0 ||
        find_allowed(a, e) < 0)
        return -1;
    return check_space(a, e);
}

/* Whether an error leaves the store able to take what was fetched before it. */
static bool store_is_fine(const struct attempt *a, enum err_kind kind)
{
    return kind == ERR_NETWORK || kind == ERR_PROTOCOL || kind == ERR_ARCHIVE ||
           kind == ERR_NOT_FOUND || kind == ERR_REFUSED || a->deposit.over_budget ||
           a->reader->over_limit;
}

/* What the seeds have need not be fetched: then there is another plan. */
static int take_from_seeds(struct attempt *a, struct err *e)
{
    if (a->o->seed_count == 0)
        return 0;
    if (search_seeds(a->image, a->o, &a->deposit, a->events, a->presence.missing, a->cost, e) < 0 ||
        make_plan(a->image, a->presence.missing, &a->plan, a->cost, e) < 0)
        return -1;
    return check_download(a, e);
}

static int fill_store(struct attempt *a, struct err *e)
{
    const struct events_progress syncing = {.phase = EVENTS_SYNCING};
    struct store_writer *writer = a->deposit.writer;
    struct err second = ERR_INIT;

    if (take_from_seeds(a, e) < 0 ||
        pipeline_run(a->reader, a->image, &a->plan, &a->deposit, a->o->jobs, a->events, e) < 0) {
        /* Keep what came: the next run will not fetch it again. */
        if (store_is_fine(a, e->kind) && store_writer_finish(writer, &second) < 0)
            *e = second;
        return -1;
    }
    if (a->events && a->events->progress)
        a->events->progress(a->events->user, &syncing);
    return store_writer_finish(writer, e);
}

static int try_to_fill(struct attempt *a, uint64_t *written, struct err *e)
{
    CLEANUP(store_writer_cleanup) struct store_writer *writer = NULL;
    const struct obtain_options *o = a->o;
    int r;

    if (store_writer_open(a->store, &writer, &a->cost->adopted, e) < 0)
        return -1;
    a->deposit.writer = writer;
    if (prepare_plan(a, e) < 0 ||
        (o->partial_name &&
         store_partial_write(a->store, o->partial_name, o->partial_data, o->partial_size, e) < 0))
        return -1;
    r = fill_store(a, e);
    *written += store_writer_bytes(writer);
    return r;
}

static bool ran_out_of_space(const struct attempt *a, const struct err *e)
{
    return a->deposit.short_of_space || (e->kind == ERR_SPACE && e->sys_errno == ENOSPC);
}

/* Fewer zeros than hoped for: room for all that may still come, and then once more. */
static int fill_with_room(struct attempt *a, uint64_t *written, struct err *e)
{
    const struct obtain_options *o = a->o;

    events_note(a->events, "%s", e->text);
    *e = (struct err)ERR_INIT;
    if (find_missing_chunks(a->store, a->image, o, a->events, &a->presence, a->cost, e) < 0 ||
        o->make_room(o->user, a->store, bytes_needed(a, a->cost->write), a->cost->missing, e) < 0)
        return -1;
    a->deposit.over_budget = a->deposit.short_of_space = false;
    a->deposit.allowance = 0;
    return try_to_fill(a, written, e);
}

int obtain_chunks(struct store *store, const struct image *image, struct reader *reader,
                  const struct obtain_options *o, const struct events *events,
                  struct obtain_cost *cost, uint64_t *written, struct err *e)
{
    char what[ERR_TEXT_SIZE / 2];
    struct attempt a = {.store = store,
                        .image = image,
                        .reader = reader,
                        .o = o,
                        .events = events,
                        .cost = cost,
                        .what = what,
                        .deposit = {.store = store,
                                    .what = what,
                                    .max_write = o->max_write,
                                    .min_free = o->min_free,
                                    .lock = PTHREAD_MUTEX_INITIALIZER}};
    int r;

    snprintf(what, sizeof what, "release %s/%s from %s", store_path(store),
             o->partial_name ? o->partial_name : "", reader->name);
    *written = 0;
    if (o->max_download < UINT64_MAX / 2)
        reader->limit = reader->stats.bytes + o->max_download;
    r = try_to_fill(&a, written, e);
    if (r < 0 && o->make_room && ran_out_of_space(&a, e))
        r = fill_with_room(&a, written, e);
    store_missing_free(&a.presence);
    plan_free(&a.plan);
    pthread_mutex_destroy(&a.deposit.lock);
    return r;
}
