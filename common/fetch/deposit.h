/* SPDX-License-Identifier: MIT */
/* deposit: where chunks go, from seeds and from the archive, within what may be written.
 *
 * How much a chunk writes is known when it is there: zeros become holes (store/sparse.h). So
 * --max-write and --min-free are held here, chunk by chunk, before each is written.
 * deposit_add is thread-safe.
 */
#ifndef IHOP_FETCH_DEPOSIT_H
#define IHOP_FETCH_DEPOSIT_H

#include "base/err.h"
#include "store/chunk_writer.h"
#include "store/store.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deposit {
    const struct store *store;
    struct store_writer *writer;
    const char *what;   /* for messages: which release, from which archive */
    uint64_t max_write; /* bytes of chunk data */
    uint64_t min_free;  /* bytes to leave free in the file system; 0: do not look */

    pthread_mutex_t lock; /* protects all below */
    uint64_t written;     /* or about to be */
    uint64_t allowance;   /* may be written before the free space is looked at again */
    uint64_t on_its_way;  /* taken of that, but maybe not written yet */
    bool over_budget;     /* max_write or min_free stopped it: the store itself is fine */
    bool short_of_space;  /* it was min_free */
};

/* Stages the chunk; data NULL: size zeros. ERR_SPACE when a limit would be exceeded; the
 * kinds of store_writer_add. */
int deposit_add(struct deposit *d, const uint8_t *hash, size_t hash_length, const uint8_t *data,
                size_t size, struct err *e) __attribute__((warn_unused_result));

#endif
