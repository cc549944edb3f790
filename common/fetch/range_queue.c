/* SPDX-License-Identifier: MIT */
#include "fetch/range_queue.h"

#include "base/cleanup.h"

#include <stdlib.h>

int range_queue_init(struct range_queue *q, const struct range_costs *costs, size_t chunks,
                     struct err *e)
{
    *q = (struct range_queue){.costs = *costs, .wrong = malloc((chunks + 1) * sizeof *q->wrong)};
    if (!q->wrong)
        return err_nomem(e, "fetching chunks");
    q->last = &q->first;
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->changed, NULL);
    return 0;
}

void range_queue_destroy(struct range_queue *q)
{
    while (q->first) {
        struct range *range = q->first;

        q->first = range->next_ready;
        if (range->put == range->count) /* Otherwise the driver has it, too, and frees it. */
            range_free(range);
    }
    pthread_cond_destroy(&q->changed);
    pthread_mutex_destroy(&q->lock);
    free(q->wrong);
}

struct range *range_new(uint64_t offset, uint64_t size, const uint32_t *chunks, size_t count,
                        struct err *e)
{
    struct range *range = calloc(1, sizeof *range);
    uint8_t *data = malloc((size_t)size);

    if (!range || !data) {
        free(range);
        free(data);
        err_nomem(e, "fetching a range");
        return NULL;
    }
    range->request =
        (struct range_request){.offset = offset, .size = (size_t)size, .data = data, .user = range};
    range->chunks = chunks;
    range->count = count;
    return range;
}

void range_free(struct range *range)
{
    free(range->request.data);
    free(range);
}

/* What a range takes of the budget. It counts the struct, too, because ranges can be many and
 * small. */
static uint64_t range_cost(uint64_t size)
{
    return size + sizeof(struct range);
}

bool range_queue_reserve(struct range_queue *q, uint64_t size)
{
    uint64_t cost = range_cost(size);

    LOCK_SCOPE(&q->lock);
    if (q->received > 0 && q->received + cost > BUDGET_RECEIVED)
        return false;
    q->received += cost;
    return true;
}

void range_queue_put(struct range_queue *q, struct range *range, size_t count)
{
    LOCK_SCOPE(&q->lock);

    range->put = count;
    if (range->taken == range->ready) {
        range->next_ready = NULL;
        *q->last = range;
        q->last = &range->next_ready;
    }
    range->ready = count;
    pthread_cond_broadcast(&q->changed);
}

void range_queue_close(struct range_queue *q)
{
    LOCK_SCOPE(&q->lock);

    q->closing = true;
    pthread_cond_broadcast(&q->changed);
}

const uint32_t *range_queue_wrong(struct range_queue *q, size_t i)
{
    LOCK_SCOPE(&q->lock);

    return i < q->wrong_count ? q->wrong[i] : NULL;
}

bool range_queue_goes_on(struct range_queue *q, size_t *chunks_done)
{
    LOCK_SCOPE(&q->lock);

    *chunks_done = q->chunks_done;
    return !q->stop;
}

void range_queue_stop(struct range_queue *q)
{
    LOCK_SCOPE(&q->lock);

    q->stop = true;
    pthread_cond_broadcast(&q->changed);
}

/* Takes the next chunk of the first range; needs the lock. */
static void take_first_range(struct range_queue *q, const struct range_item *item)
{
    struct range *range = q->first;

    q->decoded += item->cost;
    range->taken++;
    if (range->taken < range->ready)
        return;
    q->first = range->next_ready;
    if (!q->first)
        q->last = &q->first;
}

bool range_queue_take(struct range_queue *q, struct range_item *item)
{
    LOCK_SCOPE(&q->lock);

    for (;;) {
        struct range *range = q->first;

        if (q->stop || (!range && q->closing))
            return false;
        if (range) {
            *item = (struct range_item){.range = range, .chunk = &range->chunks[range->taken]};
            item->cost = q->costs.of(q->costs.user, *item->chunk);
            if (q->decoded == 0 || q->decoded + item->cost <= BUDGET_DECODED) {
                take_first_range(q, item);
                return true;
            }
        }
        pthread_cond_wait(&q->changed, &q->lock);
    }
}

/* Counts the item as done, and returns whether it was the last one of its range. */
static bool count_done(struct range_queue *q, const struct range_item *item,
                       enum range_outcome outcome)
{
    struct range *range = item->range;
    bool last;

    LOCK_SCOPE(&q->lock);
    q->decoded -= item->cost;
    if (outcome == RANGE_GOOD)
        q->chunks_done++;
    else if (outcome == RANGE_WRONG)
        q->wrong[q->wrong_count++] = item->chunk;
    else
        q->stop = true;
    last = ++range->done == range->count;
    if (last)
        q->received -= range_cost(range->request.size);
    pthread_cond_broadcast(&q->changed);
    return last;
}

void range_queue_done(struct range_queue *q, const struct range_item *item,
                      enum range_outcome outcome, bool *wake)
{
    bool last = count_done(q, item, outcome);

    if (last)
        range_free(item->range);
    *wake = last || outcome != RANGE_GOOD;
}
