/* SPDX-License-Identifier: MIT */
#include "fetch/obtain.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "fetch/delta_run.h"
#include "fetch/deposit.h"
#include "fetch/pipeline.h"
#include "fetch/seed.h"
#include "store/chunk_writer.h"
#include "store/publish.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

/* One attempt to fill the store, or the second one after room was made. */
struct attempt {
    struct obtain *o;
    const char *what; /* for messages */
    struct deposit deposit;
    struct plan plan;
    uint32_t *sorted;   /* the image's chunks in order of hash, or NULL */
    bool *adopted;      /* for each chunk, or NULL when none was */
    bool over_download; /* what the deltas did not give would exceed --max-download */
};

static void report_checked(void *user, uint64_t done, uint64_t total)
{
    const struct events *events = user;
    const struct events_progress p = {
        .phase = EVENTS_CHECKING, .bytes_done = done, .bytes_total = total};

    if (events && events->progress)
        events->progress(events->user, &p);
}

/* ---- the plan ---- */

/* What the archive has for the chunks that come from the pack. */
static uint64_t sum_spared(const struct image *image, const struct plan *plan)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < plan->pack.count; i++)
        bytes += image->chunks.items[plan->fetched[i]].archive_size;
    return bytes;
}

static int arrange(struct obtain *o, struct plan *plan, struct err *e)
{
    if (plan_arrange(plan, o->image, e) < 0)
        return -1;
    o->cost = plan->cost;
    o->pack_bytes = plan->pack.download;
    o->pack_spares = sum_spared(o->image, plan);
    return 0;
}

/* Where it cannot be found out what the old release has, everything comes from the archive. */
static int plan_deltas(const struct obtain *o, struct plan *plan, struct err *e)
{
    struct err why = ERR_INIT;

    if (delta_run_plan(o->deltas, o->store, plan, &why) == 0)
        return 0;
    if (why.kind != ERR_MEMORY) {
        events_note(o->events, "%s: no deltas are used", why.text);
        return 0;
    }
    *e = why;
    return -1;
}

/* Makes a new plan, which replaces that in *plan. */
static int make_plan(struct obtain *o, struct plan *plan, struct err *e)
{
    CLEANUP(store_missing_free) struct store_missing found = {0};
    const bool *missing = o->known_missing;

    plan_free(plan);
    if (!missing && store_find_missing(o->store, &o->image->chunks, o->check, report_checked,
                                       (void *)o->events, &found, e) < 0)
        return -1;
    o->damaged = found.damaged_count;
    if (plan_make(o->image, missing ? missing : found.missing, plan, e) < 0)
        return -1;
    if (o->deltas && plan->fetched_count > 0 && plan_deltas(o, plan, e) < 0)
        return -1;
    return arrange(o, plan, e);
}

/* Searches the seeds, and arranges the plan anew, because what they have need not be fetched.
 * With deposit NULL nothing is taken from them. */
static int search_seeds(struct obtain *o, struct plan *plan, struct deposit *deposit, struct err *e)
{
    size_t wanted = plan->fetched_count, found;

    if (o->seed_count == 0)
        return 0;
    for (size_t i = 0; i < o->seed_count && wanted > 0; i++) {
        const struct seed_job job = {.path = o->seeds[i],
                                     .number = (unsigned)i,
                                     .image = o->image,
                                     .plan = plan,
                                     .deposit = deposit,
                                     .jobs = o->jobs,
                                     .events = o->events};

        if (seed_scan(&job, &found, e) < 0)
            return -1;
        wanted -= found;
    }
    return arrange(o, plan, e);
}

/* Without its archive, a pack must have every chunk that is missing. */
static int check_alone(const struct obtain *o, const struct plan *plan, struct err *e)
{
    if (!o->deltas || !o->deltas->alone || plan->archive.count == 0)
        return 0;
    return err_set(
        e, ERR_ARCHIVE,
        "%s: %zu of %zu missing chunks cannot be made out of this delta pack and the old "
        "release in the store: clone the archive itself",
        o->deltas->reader->name, plan->archive.count, plan->fetched_count);
}

int obtain_estimate(struct obtain *o, struct err *e)
{
    CLEANUP(plan_free) struct plan plan = {0};

    if (make_plan(o, &plan, e) < 0 || search_seeds(o, &plan, NULL, e) < 0)
        return -1;
    return check_alone(o, &plan, e);
}

/* ---- budgets and space ---- */

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
    return check_plan_budget(a, "--max-download", "download", a->o->cost.download,
                             a->o->max_download, e);
}

static int check_write(const struct attempt *a, struct err *e)
{
    uint64_t least = a->o->cost.write_least, most = a->o->cost.write;

    return check_plan_budget(a, "--max-write", most > least ? "write at least" : "write", least,
                             a->deposit.max_write, e);
}

/* How many bytes must be free to write this many bytes of chunk data: the files take more than
 * their data, and --min-free must stay free. */
static uint64_t bytes_needed(const struct obtain *o, uint64_t write)
{
    size_t files = o->cost.missing;

    return files == 0 ? 0 : store_disk_bytes(write, files) + o->min_free;
}

/* Refuses an image that cannot fit. One that may not fit is begun with a note, because nobody
 * knows yet how much of it is zeros. */
static int check_space(const struct obtain *o, struct err *e)
{
    uint64_t needed = bytes_needed(o, o->cost.write_least);
    uint64_t most = bytes_needed(o, o->cost.write);
    size_t files = o->cost.missing;
    char text[TEXT_SIZE_BYTES], available[TEXT_SIZE_BYTES];
    uint64_t bytes, inodes;

    if (store_free_space(o->store, &bytes, &inodes, e) < 0)
        return -1;
    if (needed > bytes)
        return err_set(e, ERR_SPACE,
                       "not enough space in store %s: %s (%llu bytes) are needed, %s "
                       "(%llu bytes) are free; remove releases (ihop-store), or pass --make-room",
                       store_path(o->store), text_size(needed, text), (unsigned long long)needed,
                       text_size(bytes, available), (unsigned long long)bytes);
    if (files > inodes)
        return err_set(e, ERR_SPACE, "not enough inodes in store %s: %zu are needed, %llu are free",
                       store_path(o->store), files, (unsigned long long)inodes);
    if (most > bytes)
        events_note(o->events,
                    "store %s may be too small: up to %s are needed, if the image has few zeros, "
                    "and %s are free",
                    store_path(o->store), text_size(most, text), text_size(bytes, available));
    return 0;
}

/* Removes releases until this many bytes of chunk data fit. The old image of a pack stays when
 * nothing but the pack can give the chunks, or the rest would download more than it may. */
static int make_room(const struct obtain *o, uint64_t write, struct err *e)
{
    struct store_room_wanted room = *o->make_room;

    if (o->deltas) {
        room.base = &o->deltas->old;
        room.base_stays =
            o->deltas->alone || o->cost.download - o->pack_bytes + o->pack_spares > o->max_download;
    }

    room.bytes = bytes_needed(o, write);
    room.inodes = o->cost.missing;
    return store_make_room(o->store, &room, e);
}

/* Gives the chunks that were adopted a way of their own; store_find_missing found them present. */
static int mark_adopted(struct attempt *a, struct err *e)
{
    if (!a->adopted)
        return 0;
    for (size_t i = 0; i < a->o->image->chunks.count; i++)
        if (a->adopted[i] && a->plan.items[i].way == WAY_PRESENT)
            a->plan.items[i].way = WAY_ADOPTED;
    return arrange(a->o, &a->plan, e);
}

/* Makes a plan and compares it with the budgets. Seeds may save part of the download, so with
 * seeds --max-download is compared only after they were searched. */
static int plan_allowed(struct attempt *a, struct err *e)
{
    if (make_plan(a->o, &a->plan, e) < 0 || mark_adopted(a, e) < 0 || check_write(a, e) < 0)
        return -1;
    if (a->o->seed_count > 0)
        return 0;
    return check_alone(a->o, &a->plan, e) < 0 ? -1 : check_download(a, e);
}

/* Does what plan_allowed does and checks the free space. Making room gives up the store's lock
 * for a moment, so a new plan is made afterwards. */
static int plan_with_space(struct attempt *a, struct err *e)
{
    struct obtain *o = a->o;
    struct err why = ERR_INIT;

    if (plan_allowed(a, e) < 0)
        return -1;
    if (check_space(o, &why) == 0)
        return 0;
    if (!o->make_room || why.kind != ERR_SPACE) {
        *e = why;
        return -1;
    }
    if (make_room(o, o->cost.write_least, e) < 0 || plan_allowed(a, e) < 0)
        return -1;
    return check_space(o, e);
}

/* ---- filling the store ---- */

/* Whether after an error of this kind the store can still take what was fetched before. */
static bool store_is_fine(const struct attempt *a, enum err_kind kind)
{
    const struct delta_source *deltas = a->o->deltas;

    return kind == ERR_NETWORK || kind == ERR_PROTOCOL || kind == ERR_ARCHIVE ||
           kind == ERR_NOT_FOUND || kind == ERR_REFUSED || a->deposit.over_budget ||
           a->over_download || a->o->reader->over_limit || (deltas && deltas->reader->over_limit);
}

/* Says, once for each cause, why chunks are left for the archive. */
static void tell_left(const struct attempt *a, const struct delta_run *run)
{
    const struct events *events = a->o->events;
    const char *name = a->o->deltas->reader->name;

    if (run->failure.kind != ERR_NONE && !a->o->deltas->alone)
        events_note(events, "%s: the rest of this delta pack is not used", run->failure.text);
    if (run->rotten.kind != ERR_NONE)
        events_note(events,
                    "%s, so deltas against it are of no use (ihop-store verify --repair mends it)",
                    run->rotten.text);
    if (run->wrong.kind != ERR_NONE)
        events_note(events, "%s: this delta pack is wrong or damaged: %s", name, run->wrong.text);
}

/* Plans what the deltas did not give anew; spent: the bytes of the pack that were downloaded. */
static int plan_left(struct attempt *a, const struct delta_run *run, uint64_t spent, struct err *e)
{
    struct obtain *o = a->o;
    size_t left = 0;

    for (size_t i = 0; i < o->image->chunks.count; i++)
        if (a->plan.items[i].way == WAY_DELTA && !run->made[i]) {
            plan_from_archive(&a->plan.items[i], &o->image->chunks.items[i]);
            left++;
        }
    if (left == 0)
        return 0;
    tell_left(a, run);
    if (o->deltas->alone && run->failure.kind != ERR_NONE) {
        *e = run->failure;
        return -1;
    }
    if (arrange(o, &a->plan, e) < 0 || check_alone(o, &a->plan, e) < 0)
        return -1;
    o->cost.download = spent + a->plan.archive.download;
    if (check_download(a, e) == 0)
        return 0;
    a->over_download = true;
    return -1;
}

/* Makes chunks out of the pack's deltas. What is left afterwards comes from the archive. */
static int take_deltas(struct attempt *a, const struct pipeline_job *common, struct err *e)
{
    struct obtain *o = a->o;
    struct reader *reader = o->deltas->reader;
    uint64_t before = reader->stats.bytes;
    struct pipeline_job job = *common;
    struct delta_run run;
    int r;

    if (delta_run_open(&run, o->deltas, o->store, &a->plan, o->image->chunks.count, e) < 0)
        return -1;
    job.reader = reader;
    job.deltas = &run;
    r = pipeline_run_deltas(&job, e);
    if (!o->deltas->alone)
        beside_count(&o->deltas->beside);
    if (r == 0)
        r = plan_left(a, &run, reader->stats.bytes - before, e);
    o->pack_bytes = reader->stats.bytes - before;
    delta_run_close(&run);
    return r;
}

static int run_plan(struct attempt *a, struct err *e)
{
    const struct pipeline_job job = {.reader = a->o->reader,
                                     .image = a->o->image,
                                     .plan = &a->plan,
                                     .deposit = &a->deposit,
                                     .jobs = a->o->jobs,
                                     .events = a->o->events};

    if (search_seeds(a->o, &a->plan, &a->deposit, e) < 0 || check_download(a, e) < 0 ||
        check_alone(a->o, &a->plan, e) < 0 || pipeline_make_holes(&job, e) < 0)
        return -1;
    if (a->plan.pack.count > 0 && take_deltas(a, &job, e) < 0)
        return -1;
    return pipeline_run(&job, e);
}

static int fill_store(struct attempt *a, struct err *e)
{
    const struct events_progress syncing = {.phase = EVENTS_SYNCING};
    const struct events *events = a->o->events;
    struct store_writer *writer = a->deposit.writer;
    struct err second = ERR_INIT;

    if (run_plan(a, e) < 0) {
        /* What was fetched is kept, so that the next run need not fetch it again. */
        if (store_is_fine(a, e->kind) && store_writer_finish(writer, &second) < 0)
            *e = second;
        return -1;
    }
    if (events && events->progress)
        events->progress(events->user, &syncing);
    return store_writer_finish(writer, e);
}

/* Notes that a chunk was adopted, if it is one of the image. Without memory nothing is noted, and
 * the chunk is counted as present. */
static void note_adopted(void *user, const uint8_t *hash, size_t hash_length)
{
    struct attempt *a = user;
    const struct chunk_table *chunks = &a->o->image->chunks;
    struct err ignored = ERR_INIT;
    size_t chunk;

    if (hash_length != chunks->hash_length)
        return;
    if (!a->sorted)
        a->sorted = chunk_table_sort_by_hash(chunks, &ignored);
    if (!a->adopted)
        a->adopted = calloc(chunks->count + 1, sizeof *a->adopted);
    if (!a->sorted || !a->adopted)
        return;
    chunk = chunk_table_find(chunks, a->sorted, hash);
    if (chunk != CHUNK_TABLE_NONE)
        a->adopted[chunk] = true;
}

static int record_partial(const struct obtain *o, struct err *e)
{
    const struct obtain_partial *p = o->partial;

    return p ? store_partial_write(o->store, p->name, p->data, p->size, e) : 0;
}

static int try_to_fill(struct attempt *a, struct err *e)
{
    CLEANUP(store_writer_cleanup) struct store_writer *writer = NULL;
    struct store_adopted adopted = {.chunk = note_adopted, .user = a};
    int r;

    if (store_writer_open(a->o->store, &writer, &adopted, e) < 0)
        return -1;
    a->deposit.writer = writer;
    if (plan_with_space(a, e) < 0 || record_partial(a->o, e) < 0)
        return -1;
    r = fill_store(a, e);
    a->o->written += store_writer_bytes(writer);
    return r;
}

static bool ran_out_of_space(const struct attempt *a, const struct err *e)
{
    return a->deposit.short_of_space || (e->kind == ERR_SPACE && e->sys_errno == ENOSPC);
}

/* Makes room for all that may still come, and tries once more: for when space ran out because the
 * image has fewer zeros than hoped for. */
static int fill_again(struct attempt *a, struct err *e)
{
    events_note(a->o->events, "%s", e->text);
    *e = (struct err)ERR_INIT;
    if (make_plan(a->o, &a->plan, e) < 0 || make_room(a->o, a->o->cost.write, e) < 0)
        return -1;
    a->deposit.over_budget = a->deposit.short_of_space = false;
    a->deposit.allowance = 0;
    return try_to_fill(a, e);
}

static void limit_download(struct reader *r, uint64_t budget)
{
    if (budget < UINT64_MAX / 2)
        r->limit = r->stats.bytes + budget;
}

int obtain_chunks(struct obtain *o, struct err *e)
{
    char what[ERR_TEXT_SIZE / 2];
    struct attempt a = {.o = o,
                        .what = what,
                        .deposit = {.store = o->store,
                                    .what = what,
                                    .max_write = o->max_write,
                                    .min_free = o->min_free,
                                    .lock = PTHREAD_MUTEX_INITIALIZER}};
    int r;

    snprintf(what, sizeof what, "release %s/%s from %s", store_path(o->store),
             o->partial ? o->partial->name : "", o->reader->name);
    o->written = 0;
    limit_download(o->reader, o->max_download);
    if (o->deltas)
        limit_download(o->deltas->reader, o->max_download);
    r = try_to_fill(&a, e);
    if (r < 0 && o->make_room && ran_out_of_space(&a, e))
        r = fill_again(&a, e);
    plan_free(&a.plan);
    free(a.sorted);
    free(a.adopted);
    pthread_mutex_destroy(&a.deposit.lock);
    return r;
}
