/* SPDX-License-Identifier: MIT */
#include "fetch/pipeline.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "codec/codec.h"

#include <string.h>

#define STEP_MS     100
#define PROGRESS_MS 100
#define COST_KEPT   (1 * MIB) /* what a worker may keep from chunk to chunk */

/* A range in flight or being decoded; owned by the main thread until its last
 * chunk is done. */
struct range {
    struct range_request request; /* first: the reader hands back a pointer to it */
    const uint32_t *chunks;       /* by archive offset */
    size_t count, handed;         /* given to the workers so far; the main thread's */
    bool again;                   /* holds one chunk that was wrong before */
    struct range *next_active;

    /* Under the lock. */
    size_t ready, taken, done; /* chunks: for the workers, by them, and by them finished */
    struct range *next_ready;  /* in the queue while taken < ready */
};

/* What a worker has in hand. */
struct item {
    struct range *range;
    uint32_t chunk;
    size_t cost; /* in the budget of decoders */
};

struct pipeline {
    struct reader *reader;
    const struct image *image;
    const struct plan *plan;
    struct deposit *deposit;
    const struct events *events;

    /* The main thread's. */
    size_t next_range;    /* of the plan */
    struct range *active; /* in flight */
    unsigned in_flight;
    uint64_t progress_at_ms;
    uint64_t bytes_done; /* of completed ranges */

    pthread_mutex_t lock;        /* protects all below */
    pthread_cond_t work;         /* for the workers */
    struct range *first, **last; /* those with chunks to take */
    uint64_t received, decoded;  /* use of the two budgets, bytes */
    size_t chunks_done;
    uint32_t *wrong; /* chunks to fetch once more */
    size_t wrong_count;
    bool closing;     /* no more work comes: finish what is there */
    bool stop;        /* a worker failed: leave it */
    struct err error; /* first one of the workers */
};

/* ---- workers ---- */

struct worker {
    struct pipeline *p;
    pthread_t thread;
    struct decoder decoder;
    struct chunk_hasher *hasher;
    uint8_t *output; /* COST_KEPT bytes at most, between chunks */
    size_t output_size;
};

static size_t decode_cost(const struct pipeline *p, uint32_t chunk)
{
    const struct chunk *c = &p->image->chunks.items[chunk];

    if (c->archive_size == c->source_size)
        return 0;
    return c->source_size + codec_get(p->image->compression)->memory(c->source_size);
}

/* Takes the next chunk of the first range in the queue. Needs the lock. */
static void take_first_range(struct pipeline *p, struct item *item)
{
    struct range *range = p->first;

    p->decoded += item->cost;
    range->taken++;
    if (range->taken < range->ready)
        return;
    p->first = range->next_ready;
    if (!p->first)
        p->last = &p->first;
}

/* Waits for a chunk that fits the budget; false at the end. */
static bool take_item(struct pipeline *p, struct item *item)
{
    LOCK_SCOPE(&p->lock);

    for (;;) {
        struct range *range = p->first;

        if (p->stop || (!range && p->closing))
            return false;
        if (range) {
            *item = (struct item){.range = range, .chunk = range->chunks[range->taken]};
            item->cost = decode_cost(p, item->chunk);
            if (p->decoded == 0 || p->decoded + item->cost <= BUDGET_DECODED) {
                take_first_range(p, item);
                return true;
            }
        }
        pthread_cond_wait(&p->work, &p->lock);
    }
}

static void fail(struct pipeline *p, const struct err *e)
{
    LOCK_SCOPE(&p->lock);

    if (p->error.kind == ERR_NONE)
        p->error = *e;
    p->stop = true;
    pthread_cond_broadcast(&p->work);
}

enum outcome { CHUNK_GOOD, CHUNK_WRONG, CHUNK_FAILED };

/* What a range takes of the budget: many small ones take more than their bytes. */
static uint64_t range_cost(uint64_t size)
{
    return size + sizeof(struct range);
}

/* Gives back what the item used, and counts it; a range whose last chunk this
 * was is freed. */
static void item_done(struct pipeline *p, const struct item *item, enum outcome outcome)
{
    struct range *range = item->range;
    bool last;

    pthread_mutex_lock(&p->lock);
    p->decoded -= item->cost;
    if (outcome == CHUNK_GOOD)
        p->chunks_done++;
    else if (outcome == CHUNK_WRONG)
        p->wrong[p->wrong_count++] = item->chunk;
    last = ++range->done == range->count;
    if (last)
        p->received -= range_cost(range->request.size);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    if (last) {
        free(range->request.data);
        free(range);
    }
    if (last || outcome != CHUNK_GOOD)
        reader_wake(p->reader);
}

static uint8_t *get_output(struct worker *w, size_t size)
{
    uint8_t *grown;

    if (size <= w->output_size)
        return w->output;
    grown = realloc(w->output, size);
    if (!grown)
        return NULL;
    w->output = grown;
    w->output_size = size;
    return grown;
}

/* After a large chunk, neither its buffer nor what the decoder took is kept: no
 * budget counts it between chunks. */
static void trim(struct worker *w, size_t cost)
{
    if (cost <= COST_KEPT)
        return;
    decoder_release(&w->decoder);
    free(w->output);
    w->output = NULL;
    w->output_size = 0;
}

/* Decodes and checks one chunk: *plain is the chunk. ERR_ARCHIVE: wrong bytes. */
static int decode_item(struct worker *w, const struct item *item, const uint8_t **plain,
                       struct err *e)
{
    const struct image *image = w->p->image;
    const struct chunk *chunk = &image->chunks.items[item->chunk];
    const struct range_request *q = &item->range->request;
    uint8_t *output = NULL, hash[CHUNK_HASH_SIZE];

    if (chunk->archive_size != chunk->source_size && !(output = get_output(w, chunk->source_size)))
        return err_nomem(e, "decoding a chunk");
    if (decoder_run(&w->decoder, chunk, q->data + (chunk->archive_offset - q->offset), output,
                    plain, e) < 0 ||
        chunk_hash(w->hasher, *plain, chunk->source_size, hash, e) < 0)
        return -1;
    if (memcmp(hash, chunk_table_hash(&image->chunks, item->chunk), image->chunks.hash_length) != 0)
        return err_set(e, ERR_ARCHIVE, "its content does not match its hash");
    return 0;
}

/* A chunk that came wrong is fetched once more: the way may be at fault. */
static enum outcome judge_wrong(struct worker *w, const struct item *item, struct err *e)
{
    const struct pipeline *p = w->p;
    const struct chunk *chunk = &p->image->chunks.items[item->chunk];
    char hex[CHUNK_HASH_HEX];

    if (!item->range->again)
        return CHUNK_WRONG;
    err_context(e, "%s: chunk %s at bytes %llu-%llu is damaged in the archive or on the way",
                p->reader->name, chunk_table_hash_hex(&p->image->chunks, item->chunk, hex),
                (unsigned long long)chunk->archive_offset,
                (unsigned long long)(chunk->archive_offset + chunk->archive_size - 1));
    return CHUNK_FAILED;
}

static enum outcome work_on(struct worker *w, const struct item *item, struct err *e)
{
    struct pipeline *p = w->p;
    const uint8_t *plain;

    if (decode_item(w, item, &plain, e) < 0)
        return e->kind == ERR_ARCHIVE ? judge_wrong(w, item, e) : CHUNK_FAILED;
    if (deposit_add(p->deposit, chunk_table_hash(&p->image->chunks, item->chunk),
                    p->image->chunks.hash_length, plain,
                    p->image->chunks.items[item->chunk].source_size, e) < 0)
        return CHUNK_FAILED;
    return CHUNK_GOOD;
}

static void *worker_main(void *arg)
{
    struct worker *w = arg;
    struct item item;

    while (take_item(w->p, &item)) {
        struct err e = ERR_INIT;
        enum outcome outcome = work_on(w, &item, &e);

        if (outcome == CHUNK_FAILED)
            fail(w->p, &e); /* ends all workers, this one too */
        trim(w, item.cost);
        item_done(w->p, &item, outcome);
    }
    return NULL;
}

static int worker_start(struct worker *w, struct pipeline *p, struct err *e)
{
    int r;

    w->p = p;
    decoder_init(&w->decoder, p->image->compression);
    w->hasher = chunk_hasher_new(e);
    r = w->hasher ? pthread_create(&w->thread, NULL, worker_main, w) : -1;
    if (r > 0)
        err_sys(e, r, "cannot start a thread (too little memory, or too many processes)");
    if (r == 0)
        return 0;
    chunk_hasher_free(w->hasher);
    decoder_release(&w->decoder);
    return -1;
}

static void worker_join(struct worker *w)
{
    pthread_join(w->thread, NULL);
    chunk_hasher_free(w->hasher);
    decoder_release(&w->decoder);
    free(w->output);
}

/* ---- the main thread ---- */

/* Whether another range of this size may be in hand; takes its part of the budget. */
static bool reserve_received(struct pipeline *p, uint64_t size)
{
    uint64_t cost = range_cost(size);

    if (p->in_flight >= p->reader->parallel)
        return false;
    LOCK_SCOPE(&p->lock);
    if (p->received > 0 && p->received + cost > BUDGET_RECEIVED)
        return false;
    p->received += cost;
    return true;
}

static int request_range(struct pipeline *p, uint64_t offset, uint64_t size, const uint32_t *chunks,
                         size_t count, bool again, struct err *e)
{
    struct range *range = calloc(1, sizeof *range);
    uint8_t *data = malloc((size_t)size);

    if (!range || !data) {
        free(range);
        free(data);
        return err_nomem(e, "fetching a range");
    }
    range->request =
        (struct range_request){.offset = offset, .size = (size_t)size, .data = data, .user = range};
    range->chunks = chunks;
    range->count = count;
    range->again = again;
    range->next_active = p->active;
    p->active = range;
    p->in_flight++;
    reader_submit(p->reader, &range->request);
    return 0;
}

/* Chunks that came wrong go first: the first of them that stays wrong ends it all. The entry
 * of p->wrong stays where it is for the range to point at. */
static int request_again(struct pipeline *p, size_t *asked, struct err *e)
{
    for (;;) {
        const struct chunk *chunk;
        const uint32_t *wrong = NULL;

        pthread_mutex_lock(&p->lock);
        if (*asked < p->wrong_count)
            wrong = &p->wrong[*asked];
        pthread_mutex_unlock(&p->lock);
        if (!wrong)
            return 0;
        chunk = &p->image->chunks.items[*wrong];
        if (!reserve_received(p, chunk->archive_size))
            return 0;
        (*asked)++;
        if (request_range(p, chunk->archive_offset, chunk->archive_size, wrong, 1, true, e) < 0)
            return -1;
    }
}

static int request_more(struct pipeline *p, struct err *e)
{
    while (p->next_range < p->plan->range_count) {
        const struct plan_range *r = &p->plan->ranges[p->next_range];

        if (!reserve_received(p, r->size))
            return 0;
        p->next_range++;
        if (request_range(p, r->offset, r->size, p->plan->chunks + r->first, r->count, false, e) <
            0)
            return -1;
    }
    return 0;
}

/* Lets the workers have the first count chunks of the range. */
static void hand_over(struct pipeline *p, struct range *range, size_t count)
{
    LOCK_SCOPE(&p->lock);

    if (range->taken == range->ready) {
        range->next_ready = NULL;
        *p->last = range;
        p->last = &range->next_ready;
    }
    range->ready = count;
    pthread_cond_broadcast(&p->work);
}

/* Hands over the chunks of a range that have arrived. While the reader still
 * holds the request, the last chunk waits: with it the range becomes the
 * workers', who free it. */
static void hand_over_range(struct pipeline *p, struct range *range, bool complete)
{
    uint64_t arrived = range->request.offset + range->request.received;
    size_t end = complete ? range->count : range->count - 1, count = range->handed;

    for (; count < end; count++) {
        const struct chunk *chunk = &p->image->chunks.items[range->chunks[count]];

        if (!complete && chunk->archive_offset + chunk->archive_size > arrived)
            break;
    }
    if (count == range->handed)
        return;
    range->handed = count;
    hand_over(p, range, count);
}

/* Gives the workers each chunk whose bytes have all arrived. done: the request
 * that the reader has just completed, or NULL. */
static void hand_over_arrived(struct pipeline *p, const struct range_request *done)
{
    struct range **at = &p->active;

    while (*at) {
        struct range *range = *at, *next = range->next_active;
        bool complete = &range->request == done;
        size_t size = range->request.size;

        hand_over_range(p, range, complete);
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

/* Returns -1 with the workers' error. */
static int check_and_report(struct pipeline *p, bool *finished, struct err *e)
{
    struct events_progress progress = {.phase = EVENTS_CHUNKS,
                                       .chunks_total = p->plan->chunk_count,
                                       .bytes_total = p->plan->download_bytes};
    uint64_t now = io_now_ms();

    pthread_mutex_lock(&p->lock);
    progress.chunks_done = p->chunks_done;
    if (p->error.kind != ERR_NONE)
        *e = p->error;
    pthread_mutex_unlock(&p->lock);
    if (e->kind != ERR_NONE)
        return -1;
    *finished = progress.chunks_done == p->plan->chunk_count;
    if (p->events && p->events->progress && (*finished || now >= p->progress_at_ms + PROGRESS_MS)) {
        progress.bytes_done = min_u64(p->bytes_done + bytes_arrived(p), progress.bytes_total);
        p->progress_at_ms = now;
        p->events->progress(p->events->user, &progress);
    }
    return 0;
}

static int drive(struct pipeline *p, struct err *e)
{
    size_t asked_again = 0;
    bool finished = p->plan->chunk_count == 0;

    while (!finished) {
        struct range_request *done = NULL;
        int got;

        if (request_again(p, &asked_again, e) < 0 || request_more(p, e) < 0)
            return -1;
        got = reader_step(p->reader, STEP_MS, &done, e);
        if (got < 0)
            return -1;
        p->in_flight -= (unsigned)got;
        hand_over_arrived(p, done);
        if (check_and_report(p, &finished, e) < 0)
            return -1;
    }
    return 0;
}

static int add_zero_chunks(struct pipeline *p, struct err *e)
{
    for (size_t i = 0; i < p->plan->zero_count; i++) {
        uint32_t chunk = p->plan->zero_chunks[i];

        if (deposit_add(p->deposit, chunk_table_hash(&p->image->chunks, chunk),
                        p->image->chunks.hash_length, NULL,
                        p->image->chunks.items[chunk].source_size, e) < 0)
            return -1;
    }
    return 0;
}

static void free_range(struct range *range)
{
    free(range->request.data);
    free(range);
}

/* After the workers are joined: whatever an error left. A range in the queue that is not
 * handed over in full is among the active ones, too. */
static void drop_rest(struct pipeline *p)
{
    while (p->first) {
        struct range *range = p->first;

        p->first = range->next_ready;
        if (range->handed == range->count)
            free_range(range);
    }
    while (p->active) {
        struct range *range = p->active;

        p->active = range->next_active;
        free_range(range);
    }
}

/* A chunk that stays wrong may be one of another archive, put in the place of
 * ours, by a server that gives no entity tags: the header tells. */
static void blame_change(struct pipeline *p, struct err *e)
{
    struct reader *r = p->reader;
    uint8_t bytes[sizeof r->canary];
    struct err why = ERR_INIT;

    if (!r->has_canary || reader_read(r, r->canary_offset, sizeof bytes, bytes, &why) < 0) {
        if (why.kind == ERR_PROTOCOL)
            *e = why;
        return;
    }
    if (memcmp(bytes, r->canary, sizeof bytes) != 0)
        err_set(e, ERR_PROTOCOL,
                "%s: the archive changed while it was read (another header "
                "checksum): run again",
                r->name);
}

static int run_pipeline_workers(struct pipeline *p, unsigned jobs, struct err *e)
{
    CLEANUP_FREE struct worker *workers = calloc(jobs, sizeof *workers);
    unsigned started = 0;
    int r = 0;

    if (!workers)
        return err_nomem(e, "starting the workers");
    while (r == 0 && started < jobs)
        if ((r = worker_start(&workers[started], p, e)) == 0)
            started++;
    if (r == 0)
        r = drive(p, e);
    if (r < 0)
        reader_cancel(p->reader);
    pthread_mutex_lock(&p->lock);
    /* After a failure of the reader, too: what has arrived whole is kept. */
    p->closing = true;
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    while (started > 0)
        worker_join(&workers[--started]);
    drop_rest(p);
    if (r < 0 && e->kind == ERR_ARCHIVE)
        blame_change(p, e);
    return r;
}

int pipeline_run(struct reader *reader, const struct image *image, const struct plan *plan,
                 struct deposit *deposit, unsigned jobs, const struct events *events, struct err *e)
{
    struct pipeline p = {.reader = reader,
                         .image = image,
                         .plan = plan,
                         .deposit = deposit,
                         .events = events,
                         .lock = PTHREAD_MUTEX_INITIALIZER,
                         .work = PTHREAD_COND_INITIALIZER};
    CLEANUP_FREE uint32_t *wrong = malloc((plan->chunk_count + 1) * sizeof *wrong);
    int r;

    if (!wrong)
        return err_nomem(e, "fetching chunks");
    p.wrong = wrong;
    p.last = &p.first;
    r = add_zero_chunks(&p, e);
    if (r == 0 && plan->chunk_count > 0)
        r = run_pipeline_workers(&p, jobs, e);
    pthread_cond_destroy(&p.work);
    pthread_mutex_destroy(&p.lock);
    return r;
}
