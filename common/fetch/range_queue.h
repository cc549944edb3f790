/* SPDX-License-Identifier: MIT */
/* range_queue: the chunks that have arrived and wait for a worker, within budgets.
 *
 * A range of the archive comes in as one request and goes out chunk by chunk. The driver
 * (the one thread that drives the reader) makes a range, requests its bytes and puts its
 * chunks here as they arrive; workers take them. A chunk is put before the range is
 * complete, except for the last one of the range: until then the reader writes to the
 * range's bytes, and from then on the range belongs to the workers, who free it with its
 * last chunk.
 *
 * Two budgets bound the memory: BUDGET_RECEIVED for what was requested and is not yet
 * decoded, which the driver reserves before it requests anything, and BUDGET_DECODED for
 * decoders and their output. An item larger than a budget is admitted alone.
 */
#ifndef IHOP_FETCH_RANGE_QUEUE_H
#define IHOP_FETCH_RANGE_QUEUE_H

#include "base/err.h"
#include "base/limits.h"
#include "format/image.h"
#include "reader/reader.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUDGET_RECEIVED (12 * MIB)
#define BUDGET_DECODED  (24 * MIB)

struct range {
    struct range_request request; /* first: the reader hands back a pointer to it */
    const uint32_t *chunks;       /* numbers of its chunks, by their place; not its own */
    size_t count;
    bool again; /* holds one chunk that was wrong before */

    /* The driver's. */
    size_t put; /* chunks that are in the queue or were */
    struct range *next_active;

    /* The queue's. */
    size_t ready, taken, done; /* chunks: put for the workers, taken, and finished by them */
    struct range *next_ready;
};

/* What a worker has in hand. */
struct range_item {
    struct range *range;
    const uint32_t *chunk; /* its number, where the range has it */
    size_t cost;           /* in BUDGET_DECODED */
};

enum range_outcome {
    RANGE_GOOD,
    RANGE_WRONG, /* the chunk is to be fetched once more */
    RANGE_FAILED,
};

struct range_queue {
    const struct image *image;

    pthread_mutex_t lock; /* protects all below */
    pthread_cond_t changed;
    struct range *first, **last; /* those with chunks to take */
    uint64_t received, decoded;  /* use of the budgets, in bytes */
    size_t chunks_done;
    const uint32_t **wrong; /* chunks to fetch once more, where their ranges had them */
    size_t wrong_count;
    bool closing; /* nothing more is put: the workers finish what is there */
    bool stop;    /* a worker failed: they leave it */
};

/* For at most this many chunks. ERR_MEMORY. */
int range_queue_init(struct range_queue *q, const struct image *image, size_t chunks, struct err *e)
    __attribute__((warn_unused_result));

/* After the workers have ended. Frees the ranges of which all chunks were put. */
void range_queue_destroy(struct range_queue *q);

/* A range of size bytes with count chunks: for the driver, until its last chunk is put. */
struct range *range_new(uint64_t offset, uint64_t size, const uint32_t *chunks, size_t count,
                        struct err *e) __attribute__((warn_unused_result));
void range_free(struct range *range);

/* The driver: takes the budget for a range of this size, or says that it must wait. */
bool range_queue_reserve(struct range_queue *q, uint64_t size);

/* The driver: lets the workers have the range's chunks up to number count. */
void range_queue_put(struct range_queue *q, struct range *range, size_t count);

/* The driver: no more chunks come. */
void range_queue_close(struct range_queue *q);

/* The driver: the chunk that was the i-th to come wrong, where its range had it, or NULL. */
const uint32_t *range_queue_wrong(struct range_queue *q, size_t i);

/* The driver: counts the chunks that are good; false when a worker has failed. */
bool range_queue_goes_on(struct range_queue *q, size_t *chunks_done);

/* A worker: has failed, and ends all. */
void range_queue_stop(struct range_queue *q);

/* A worker: waits for a chunk that fits the budget; false at the end. */
bool range_queue_take(struct range_queue *q, struct range_item *item);

/* A worker: gives back what the item used. RANGE_FAILED ends all workers. *wake: the driver
 * may have something to do now. */
void range_queue_done(struct range_queue *q, const struct range_item *item,
                      enum range_outcome outcome, bool *wake);

#endif
