/* SPDX-License-Identifier: MIT */
#include "store/chunk_writer.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "store/adopt.h"
#include "store/batch.h"
#include "store/chunk_file.h"
#include "store/staging.h"

#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct store_writer {
    struct staging staging;
    uint64_t batch_bytes; /* limit, for this machine */

    pthread_t committer;
    bool committer_runs;

    pthread_mutex_t lock; /* protects all below */
    pthread_cond_t changed;
    struct batch open, closed; /* closed.count > 0: waiting for the committer */
    bool finishing;
    uint64_t bytes;   /* written */
    struct err error; /* first one of the committer */
};

/* ---- the committer ---- */

/* Whether the open batch is to be committed now. Needs the lock. */
static bool batch_is_due(const struct store_writer *w)
{
    const struct batch *b = &w->open;

    return b->count > 0 &&
           (w->finishing || b->bytes >= w->batch_bytes || b->count >= BATCH_CHUNKS ||
            io_now_ms() - b->begun_ms >= BATCH_SECONDS * 1000);
}

/* Needs the lock. */
static void close_batch(struct store_writer *w)
{
    w->closed = w->open;
    w->open = (struct batch){0};
}

/* Waits until there is a batch to commit: true, or false at the end. Needs the lock. */
static bool wait_for_batch(struct store_writer *w)
{
    for (;;) {
        if (w->closed.count == 0 && batch_is_due(w))
            close_batch(w);
        if (w->closed.count > 0)
            return true;
        if (w->finishing)
            return false;
        /* A wake-up each second finds the batch that is due by its age. */
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += 1;
        pthread_cond_timedwait(&w->changed, &w->lock, &until);
    }
}

static void *committer_main(void *arg)
{
    struct store_writer *w = arg;

    LOCK_SCOPE(&w->lock);
    while (wait_for_batch(w)) {
        struct err e = ERR_INIT;
        int r;

        pthread_mutex_unlock(&w->lock);
        r = batch_commit(w->staging.store, w->staging.fd, &w->closed, &e);
        if (r < 0)
            staging_mark_failed(&w->staging);
        pthread_mutex_lock(&w->lock);
        batch_free(&w->closed);
        if (r < 0) {
            w->error = e;
            w->finishing = true;
            batch_free(&w->open); /* dropped: a failed sync is never retried */
        }
        pthread_cond_broadcast(&w->changed);
    }
    return NULL;
}

/* What is staged sits in the page cache until its sync: on a machine with little memory
 * batches are small. */
static uint64_t batch_limit(void)
{
    long pages = sysconf(_SC_AVPHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t eighth = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 8 : BATCH_BYTES;

    return max_u64(min_u64(eighth, BATCH_BYTES), 1 * MIB);
}

static int start_committer(struct store_writer *w, struct err *e)
{
    pthread_condattr_t attributes;
    int r;

    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    r = pthread_create(&w->committer, NULL, committer_main, w);
    if (r != 0)
        return err_sys(e, r, "cannot start a thread (too little memory, or too many processes)");
    w->committer_runs = true;
    return 0;
}

/* ---- the callers ---- */

int store_writer_open(const struct store *store, struct store_writer **writer,
                      struct store_adopted *adopted, struct err *e)
{
    CLEANUP(store_writer_cleanup) struct store_writer *w = calloc(1, sizeof *w);

    if (!w)
        return err_nomem(e, "preparing to write chunks");
    w->staging.fd = -1;
    w->batch_bytes = batch_limit();
    if (store_adopt_staged(store, adopted, e) < 0 || staging_make(store, &w->staging, e) < 0 ||
        start_committer(w, e) < 0)
        return -1;
    *writer = STEAL(w);
    return 0;
}

/* Adds a staged chunk to the open batch, waiting while both batches are full. */
static int enlist(struct store_writer *w, const char *file, uint64_t written, struct err *e)
{
    LOCK_SCOPE(&w->lock);

    w->bytes += written;
    while (w->error.kind == ERR_NONE && batch_is_due(w) && w->closed.count > 0)
        pthread_cond_wait(&w->changed, &w->lock);
    if (w->error.kind != ERR_NONE) {
        *e = w->error;
        return -1;
    }
    if (batch_append(&w->open, file, written, e) < 0)
        return -1;
    if (batch_is_due(w))
        pthread_cond_broadcast(&w->changed);
    return 0;
}

int store_writer_add(struct store_writer *w, const uint8_t *hash, size_t hash_length,
                     const uint8_t *data, size_t size, struct err *e)
{
    char file[STORE_CHUNK_FILE_SIZE];
    uint64_t written = 0;

    store_chunk_file(hash, hash_length, file);
    if (staging_write(&w->staging, file, data, size, &written, e) < 0)
        return -1;
    return enlist(w, file, written, e);
}

int store_writer_finish(struct store_writer *w, struct err *e)
{
    pthread_mutex_lock(&w->lock);
    w->finishing = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->committer, NULL);
    w->committer_runs = false;
    if (w->error.kind != ERR_NONE) {
        *e = w->error;
        return -1;
    }
    return 0;
}

uint64_t store_writer_bytes(struct store_writer *w)
{
    LOCK_SCOPE(&w->lock);

    return w->bytes;
}

void store_writer_close(struct store_writer *w)
{
    struct err ignored = ERR_INIT;

    if (!w)
        return;
    if (w->committer_runs && store_writer_finish(w, &ignored) < 0)
        ignored.kind = ERR_NONE;
    staging_remove(&w->staging);
    batch_free(&w->open);
    batch_free(&w->closed);
    free(w);
}

void store_writer_cleanup(struct store_writer **w)
{
    store_writer_close(*w);
}
