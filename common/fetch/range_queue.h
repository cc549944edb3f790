/* SPDX-License-Identifier: MIT */
/* range_queue: the chunks that have arrived and wait for a worker, within budgets.
 *
 * A range of the archive comes in as one request and goes out chunk by chunk. The driver
 * (the one thread that drives the reader) makes a range, requests its bytes and puts its
 * chunks here as they arrive; workers take them. Chunks are put before the range is complete,
 * except for the range's last chunk. Until that one is put the reader may write to the range's
 * bytes; from then on the range belongs to the workers, and the last of them frees it.
 *
 * Two budgets bound the memory: BUDGET_RECEIVED for what was requested and is not yet
 * decoded, which the driver reserves before it requests anything, and BUDGET_DECODED for
 * decoders and their output. An item larger than a budget is admitted when it is alone.
 */
#ifndef IHOP_FETCH_RANGE_QUEUE_H
#define IHOP_FETCH_RANGE_QUEUE_H

#include "base/err.h"
#include "base/limits.h"
#include "reader/reader.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUDGET_RECEIVED (12 * MIB)
#define BUDGET_DECODED  (24 * MIB)

struct range {
    struct range_request
        request;            /* the first member, because the reader hands back a pointer to it */
    const uint32_t *chunks; /* numbers of its chunks, in the order of their places; borrowed */
    size_t count;
    bool again; /* it is a single chunk that was wrong before */

    /* Used by the driver alone. */
    size_t put; /* how many of its chunks were put into the queue */
    struct range *next_active;

    /* Used by the queue, under its lock. */
    size_t ready, taken, done; /* how many chunks were put, taken, and finished by workers */
    struct range *next_ready;
};

/* One chunk that a worker has taken. */
struct range_item {
    struct range *range;
    const uint32_t *chunk; /* points to its number, in the chunks of the range */
    size_t cost;           /* bytes of BUDGET_DECODED */
};

enum range_outcome {
    RANGE_GOOD,
    RANGE_WRONG, /* the chunk is to be fetched once more */
    RANGE_FAILED,
};

/* What working on a chunk takes of BUDGET_DECODED, in bytes; any thread may call it. */
struct range_costs {
    size_t (*of)(const void *user, size_t chunk);
    const void *user;
};

struct range_queue {
    struct range_costs costs;

    pthread_mutex_t lock; /* protects all below */
    pthread_cond_t changed;
    struct range *first, **last; /* the ranges with chunks to take */
    uint64_t received, decoded;  /* how much of the two budgets is used, in bytes */
    size_t chunks_done;
    const uint32_t **wrong; /* chunks to fetch once more: each points to a number in its range's
                             * chunks */
    size_t wrong_count;
    bool closing; /* no more chunks are put: the workers finish those that are there */
    bool stop;    /* a worker failed: the workers leave the rest */
};

/* Prepares for at most this many chunks. ERR_MEMORY. */
int range_queue_init(struct range_queue *q, const struct range_costs *costs, size_t chunks,
                     struct err *e) __attribute__((warn_unused_result));

/* Called after the workers have ended. Frees the ranges of which all chunks were put. */
void range_queue_destroy(struct range_queue *q);

/* Makes a range of size bytes with count chunks. It belongs to the driver until its last chunk
 * is put. chunks is borrowed. ERR_MEMORY. */
struct range *range_new(uint64_t offset, uint64_t size, const uint32_t *chunks, size_t count,
                        struct err *e) __attribute__((warn_unused_result));
void range_free(struct range *range);

/* For the driver: takes the budget for a range of this size, or returns false when the driver
 * must wait. */
bool range_queue_reserve(struct range_queue *q, uint64_t size);

/* For the driver: lets the workers have the first count chunks of the range. */
void range_queue_put(struct range_queue *q, struct range *range, size_t count);

/* For the driver: says that no more chunks come. */
void range_queue_close(struct range_queue *q);

/* For the driver: returns a pointer to the number of the i-th chunk that was wrong, or NULL when
 * there are not so many. */
const uint32_t *range_queue_wrong(struct range_queue *q, size_t i);

/* For the driver: tells how many chunks are good, and returns false when a worker has failed. */
bool range_queue_goes_on(struct range_queue *q, size_t *chunks_done);

/* For a worker that has failed before it took a chunk: ends all workers. */
void range_queue_stop(struct range_queue *q);

/* For a worker: waits for a chunk that fits the budget; returns false at the end. */
bool range_queue_take(struct range_queue *q, struct range_item *item);

/* For a worker: gives back what the item used. RANGE_FAILED ends all workers. *wake tells
 * whether the driver may have something to do now. */
void range_queue_done(struct range_queue *q, const struct range_item *item,
                      enum range_outcome outcome, bool *wake);

#endif
