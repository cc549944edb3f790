/* SPDX-License-Identifier: MIT */
#include "fetch/pipeline.h"

#include "base/checked.h"
#include "base/io.h"
#include "base/workers.h"
#include "fetch/chunk_decoder.h"
#include "fetch/range_queue.h"

#include <stdlib.h>

#define STEP_MS     100
#define PROGRESS_MS 100

struct pipeline {
    const struct pipeline_job *job;
    const struct plan_part *part; /* what this run fetches */
    struct delta_run *deltas;     /* NULL: it comes from the archive */
    struct range_queue queue;

    /* Used by the driver alone. */
    size_t next_range;    /* number of the part's range to request next */
    size_t asked_again;   /* chunks that were wrong and were requested once more */
    struct range *active; /* the ranges in flight */
    unsigned in_flight;
    uint64_t progress_at_ms;
    uint64_t bytes_done; /* bytes of completed ranges */
    bool reader_failed;
};

struct pipeline_worker {
    struct chunk_decoder decoder;
    struct delta_maker maker;
};

/* ---- workers ---- */

/* A chunk that arrived wrong is fetched once more, because the network may be at fault. */
static enum range_outcome judge_wrong(const struct pipeline_job *job, const struct range_item *item,
                                      struct err *e)
{
    const struct plan_item *place = &job->plan->items[*item->chunk];
    char hex[CHUNK_HASH_HEX];

    if (!item->range->again)
        return RANGE_WRONG;
    err_context(e, "%s: chunk %s at bytes %llu-%llu is damaged in the archive or on the way",
                job->reader->name, chunk_table_hash_hex(&job->image->chunks, *item->chunk, hex),
                (unsigned long long)place->where,
                (unsigned long long)(place->where + place->size - 1));
    return RANGE_FAILED;
}

static int deposit_chunk(const struct pipeline_job *job, size_t i, const uint8_t *plain,
                         struct err *e)
{
    const struct chunk_table *chunks = &job->image->chunks;

    return deposit_add(job->deposit, chunk_table_hash(chunks, i), chunks->hash_length, plain,
                       chunks->items[i].source_size, e);
}

/* Makes a staged chunk from the bytes of its delta, or leaves it for the archive. */
static enum range_outcome work_on_delta(struct pipeline *p, struct pipeline_worker *w, size_t i,
                                        const uint8_t *bytes, struct err *e)
{
    const uint8_t *plain;

    if (delta_maker_run(&w->maker, &w->decoder, i, bytes, &plain, e) < 0)
        return RANGE_FAILED;
    if (!plain)
        return RANGE_GOOD;
    if (deposit_chunk(p->job, i, plain, e) < 0)
        return RANGE_FAILED;
    p->deltas->made[i] = true;
    return RANGE_GOOD;
}

/* Makes a staged chunk from fetched bytes. A further way (way.h) that fetches bytes has its step
 * here. */
static enum range_outcome work_on(struct pipeline *p, struct pipeline_worker *w,
                                  const struct range_item *item, struct err *e)
{
    const struct plan_item *place = &p->job->plan->items[*item->chunk];
    const struct range_request *q = &item->range->request;
    const uint8_t *bytes = q->data + (place->where - q->offset), *plain;

    if (p->deltas)
        return work_on_delta(p, w, *item->chunk, bytes, e);
    if (chunk_decoder_run(&w->decoder, *item->chunk, bytes, &plain, e) < 0)
        return e->kind == ERR_ARCHIVE ? judge_wrong(p->job, item, e) : RANGE_FAILED;
    return deposit_chunk(p->job, *item->chunk, plain, e) < 0 ? RANGE_FAILED : RANGE_GOOD;
}

static void trim_worker(struct pipeline_worker *w, size_t cost)
{
    chunk_decoder_trim(&w->decoder, cost);
    delta_maker_trim(&w->maker, cost);
}

static int work_on_all(struct pipeline *p, struct pipeline_worker *w, struct err *e)
{
    struct range_item item;

    while (range_queue_take(&p->queue, &item)) {
        struct err why = ERR_INIT;
        enum range_outcome outcome = work_on(p, w, &item, &why);
        bool wake;

        trim_worker(w, item.cost);
        range_queue_done(&p->queue, &item, outcome, &wake);
        if (outcome == RANGE_FAILED)
            *e = why;
        if (wake)
            reader_wake(p->job->reader);
        if (outcome == RANGE_FAILED)
            return -1;
    }
    return 0;
}

static int run_worker(void *user, unsigned number, struct err *e)
{
    struct pipeline *p = user;
    struct pipeline_worker w = {.maker = {.run = p->deltas}};
    int r;

    (void)number;
    if (chunk_decoder_init(&w.decoder, p->job->image, e) < 0) {
        range_queue_stop(&p->queue);
        reader_wake(p->job->reader);
        return -1;
    }
    r = work_on_all(p, &w, e);
    chunk_decoder_release(&w.decoder);
    free(w.maker.base);
    return r;
}

static size_t cost_of_chunk(const void *user, size_t chunk)
{
    const struct pipeline *p = user;

    return p->deltas ? delta_run_cost(p->deltas, p->job->image, chunk)
                     : chunk_decoder_cost(p->job->image, chunk);
}

/* ---- the driver: the caller's thread ---- */

/* Whether another range of this size may be requested; if so, takes its part of the budget. */
static bool reserve_range(struct pipeline *p, uint64_t size)
{
    return p->in_flight < p->job->reader->parallel && range_queue_reserve(&p->queue, size);
}

static int request_range(struct pipeline *p, const struct plan_range *place, const uint32_t *chunks,
                         bool again, struct err *e)
{
    struct range *range = range_new(place->offset, place->size, chunks, place->count, e);

    if (!range)
        return -1;
    range->again = again;
    range->next_active = p->active;
    p->active = range;
    p->in_flight++;
    reader_submit(p->job->reader, &range->request);
    return 0;
}

/* Requests the chunks that were wrong. They go before other ranges, because if one stays wrong
 * all the rest is in vain. */
static int request_again(struct pipeline *p, struct err *e)
{
    const uint32_t *chunk;

    while ((chunk = range_queue_wrong(&p->queue, p->asked_again))) {
        const struct plan_item *item = &p->job->plan->items[*chunk];
        const struct plan_range place = {.offset = item->where, .size = item->size, .count = 1};

        if (!reserve_range(p, place.size))
            return 0;
        p->asked_again++;
        if (request_range(p, &place, chunk, true, e) < 0)
            return -1;
    }
    return 0;
}

static int request_more(struct pipeline *p, struct err *e)
{
    const struct plan *plan = p->job->plan;

    while (p->next_range < p->part->range_count) {
        const struct plan_range *place = &plan->ranges[p->part->first_range + p->next_range];

        if (!reserve_range(p, place->size))
            return 0;
        p->next_range++;
        if (request_range(p, place, plan->fetched + place->first, false, e) < 0)
            return -1;
    }
    return 0;
}

/* Puts the chunks of a range that have arrived into the queue. The last chunk waits until the
 * reader has completed the request, because with that chunk the range becomes the workers'. */
static void put_arrived(struct pipeline *p, struct range *range, bool complete)
{
    uint64_t arrived = range->request.offset + range->request.received;
    size_t end = complete ? range->count : range->count - 1, count = range->put;

    for (; count < end; count++) {
        const struct plan_item *item = &p->job->plan->items[range->chunks[count]];

        if (!complete && item->where + item->size > arrived)
            break;
    }
    if (count > range->put)
        range_queue_put(&p->queue, range, count);
}

/* Puts each chunk whose bytes have all arrived into the queue. done is the request that the
 * reader has just completed, or NULL. */
static void put_all_arrived(struct pipeline *p, const struct range_request *done)
{
    struct range **at = &p->active;

    while (*at) {
        struct range *range = *at, *next = range->next_active;
        bool complete = &range->request == done;
        size_t size = range->request.size;

        put_arrived(p, range, complete);
        if (complete) {
            *at = next;
            p->bytes_done += size;
        } else {
            at = &range->next_active;
        }
    }
}

static uint64_t bytes_arrived(const struct pipeline *p)
{
    uint64_t bytes = 0;

    for (const struct range *r = p->active; r; r = r->next_active)
        bytes += r->request.received;
    return bytes;
}

/* The pack's part comes before the archive's. */
static void report_fetched(struct pipeline *p, size_t chunks_done)
{
    const struct events *events = p->job->events;
    const struct plan *plan = p->job->plan;
    struct events_progress progress = {.phase = EVENTS_CHUNKS,
                                       .chunks_done = p->part->first + chunks_done,
                                       .chunks_total = plan->fetched_count,
                                       .bytes_total = plan->cost.download};
    uint64_t before = p->deltas ? 0 : plan->pack.download, now = io_now_ms();
    bool finished = progress.chunks_done == progress.chunks_total;

    if (!events || !events->progress || (!finished && now < p->progress_at_ms + PROGRESS_MS))
        return;
    progress.bytes_done = min_u64(before + p->bytes_done + bytes_arrived(p), progress.bytes_total);
    p->progress_at_ms = now;
    events->progress(events->user, &progress);
}

/* Requests ranges until all chunks are good, or until a worker has failed, which then has the
 * error, or until the pack is not worth going on with. */
static int drive(struct pipeline *p, struct err *e)
{
    size_t chunks_done = 0;

    while (chunks_done < p->part->count && (!p->deltas || delta_run_goes_on(p->deltas))) {
        struct range_request *done = NULL;
        int got;

        if (request_again(p, e) < 0 || request_more(p, e) < 0)
            return -1;
        got = reader_step(p->job->reader, STEP_MS, &done, e);
        p->reader_failed = got < 0;
        if (got < 0)
            return -1;
        p->in_flight -= (unsigned)got;
        put_all_arrived(p, done);
        if (!range_queue_goes_on(&p->queue, &chunks_done))
            return 0;
        report_fetched(p, chunks_done);
    }
    return 0;
}

/* A chunk that stays wrong may belong to another archive that has taken the place of this
 * one, on a server that gives no entity tags: the header checksum tells. */
static void blame_change(struct pipeline *p, struct err *e)
{
    struct err why = ERR_INIT;

    if (reader_check_identity(p->job->reader, &why) < 0 && why.kind == ERR_PROTOCOL)
        *e = why;
}

/* Frees the ranges that an error left in flight, after the workers were joined. */
static void drop_active(struct pipeline *p)
{
    while (p->active) {
        struct range *range = p->active;

        p->active = range->next_active;
        range_free(range);
    }
}

/* Whether an error of a pack's reader leaves the archive to be tried. */
static bool is_packs_fault(enum err_kind kind)
{
    return kind == ERR_NETWORK || kind == ERR_PROTOCOL || kind == ERR_ARCHIVE ||
           kind == ERR_NOT_FOUND || kind == ERR_REFUSED || kind == ERR_IO;
}

/* After the driver, whose result is r and whose error comes first, unless it is one of the pack's.
 */
static int end_workers(struct pipeline *p, struct workers *workers, int r, struct err *e)
{
    struct err why = ERR_INIT;

    if (r < 0 && p->deltas && p->reader_failed && is_packs_fault(e->kind)) {
        p->deltas->failure = *e;
        *e = (struct err)ERR_INIT;
        r = 0;
    }
    /* The workers finish what has arrived, even after a failure of the reader. */
    range_queue_close(&p->queue);
    if (workers_join(workers, &why) < 0 && r == 0) {
        *e = why;
        r = -1;
    }
    if (r < 0 || p->reader_failed || p->in_flight > 0)
        reader_cancel(p->job->reader);
    return r;
}

static int fetch_part(struct pipeline *p, struct err *e)
{
    const struct range_costs costs = {cost_of_chunk, p};
    struct workers workers;
    int r;

    if (range_queue_init(&p->queue, &costs, p->part->count, e) < 0)
        return -1;
    r = workers_start(&workers, p->job->jobs, run_worker, p, e);
    if (r < 0)
        range_queue_stop(&p->queue);
    else
        r = drive(p, e);
    r = end_workers(p, &workers, r, e);
    range_queue_destroy(&p->queue);
    drop_active(p);
    return r;
}

int pipeline_make_holes(const struct pipeline_job *job, struct err *e)
{
    for (size_t i = 0; i < job->image->chunks.count; i++)
        if (job->plan->items[i].way == WAY_ZERO && deposit_chunk(job, i, NULL, e) < 0)
            return -1;
    return 0;
}

int pipeline_run(const struct pipeline_job *job, struct err *e)
{
    struct pipeline p = {.job = job, .part = &job->plan->archive};

    if (p.part->count == 0 || fetch_part(&p, e) == 0)
        return 0;
    if (e->kind == ERR_ARCHIVE)
        blame_change(&p, e);
    return -1;
}

int pipeline_run_deltas(const struct pipeline_job *job, struct err *e)
{
    struct pipeline p = {.job = job, .part = &job->plan->pack, .deltas = job->deltas};

    return fetch_part(&p, e);
}
