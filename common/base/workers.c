/* SPDX-License-Identifier: MIT */
#include "base/workers.h"

#include "base/checked.h"
#include "base/cleanup.h"

static void note_error(struct workers *w, const struct err *e)
{
    LOCK_SCOPE(&w->lock);

    if (w->error.kind == ERR_NONE || w->error.kind == ERR_CANCELLED)
        w->error = *e;
}

static void do_part(struct workers *w, unsigned number)
{
    struct err e = ERR_INIT;

    if (w->run(w->user, number, &e) < 0)
        note_error(w, &e);
}

static void *worker_main(void *argument)
{
    struct workers *w = argument;
    unsigned number;

    pthread_mutex_lock(&w->lock);
    number = w->numbered++;
    pthread_mutex_unlock(&w->lock);
    do_part(w, number);
    return NULL;
}

/* Starts as many of count threads as can be had, which take the numbers from first on.
 * Returns the errno of the one that could not be started, or 0. */
static int start_threads(struct workers *w, unsigned first, unsigned count)
{
    w->numbered = first;
    pthread_mutex_init(&w->lock, NULL);
    while (w->count < min_size(count, LIMIT_JOBS)) {
        int errnum = pthread_create(&w->threads[w->count], NULL, worker_main, w);

        if (errnum != 0)
            return errnum;
        w->count++;
    }
    return 0;
}

int workers_start(struct workers *w, unsigned count, workers_fn run, void *user, struct err *e)
{
    int errnum;

    *w = (struct workers){.run = run, .user = user};
    errnum = start_threads(w, 0, count);
    if (errnum == 0)
        return 0;
    return err_sys(e, errnum, "cannot start a thread (too little memory, or too many processes)");
}

int workers_join(struct workers *w, struct err *e)
{
    while (w->count > 0)
        pthread_join(w->threads[--w->count], NULL);
    pthread_mutex_destroy(&w->lock);
    if (w->error.kind == ERR_NONE)
        return 0;
    *e = w->error;
    return -1;
}

int workers_run(unsigned count, workers_fn run, void *user, struct err *e)
{
    struct workers w = {.run = run, .user = user};

    (void)start_threads(&w, 1, count > 0 ? count - 1 : 0); /* worker 0 does it alone, if need be */
    do_part(&w, 0);
    return workers_join(&w, e);
}
