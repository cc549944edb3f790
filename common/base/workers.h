/* SPDX-License-Identifier: MIT */
/* workers: threads that do one job side by side.
 *
 * Each thread calls the same function with a number of its own, and what they share is
 * up to them. The first error of a worker is the error of the job; ERR_CANCELLED, which a
 * worker returns when it stops because of another one, gives way to any other.
 *
 * When one worker fails, the function has to see to it that the others stop, because only
 * it knows what they wait for.
 */
#ifndef IHOP_BASE_WORKERS_H
#define IHOP_BASE_WORKERS_H

#include "base/err.h"
#include "base/limits.h"

#include <pthread.h>

/* Does the part of worker number (0 .. count - 1) and returns when nothing is left. */
typedef int (*workers_fn)(void *user, unsigned number, struct err *e);

struct workers {
    workers_fn run;
    void *user;
    pthread_t threads[LIMIT_JOBS];
    unsigned count; /* of threads */

    pthread_mutex_t lock; /* protects all below */
    unsigned numbered;    /* threads that have taken their number */
    struct err error;     /* ERR_NONE as long as none failed */
};

/* Starts count threads (at most LIMIT_JOBS) beside the caller, who has work of its own. When
 * the machine has no memory or no process number left for one of them, it is ERR_MEMORY;
 * those that were started then run all the same, and are to be stopped and joined. */
int workers_start(struct workers *w, unsigned count, workers_fn run, void *user, struct err *e)
    __attribute__((warn_unused_result));

/* Waits until all have returned. */
int workers_join(struct workers *w, struct err *e) __attribute__((warn_unused_result));

/* The whole job, in which the calling thread is worker 0. It is done with fewer threads when
 * no more can be had, only more slowly. All have returned when this does. */
int workers_run(unsigned count, workers_fn run, void *user, struct err *e)
    __attribute__((warn_unused_result));

#endif
