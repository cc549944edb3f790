/* SPDX-License-Identifier: MIT */
/* deposit: where chunks from seeds and from the archive are staged, within what may be written.
 *
 * How much a chunk writes is not known before its content is there, because zeros become holes
 * (store/sparse.h). So --max-write and --min-free are checked here, for each chunk, before it
 * is written. deposit_add is thread-safe.
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
    const char *what;   /* for messages: names the release and the archive */
    uint64_t max_write; /* bytes of chunk data */
    uint64_t min_free;  /* bytes to leave free in the file system; with 0 nothing is checked */

    pthread_mutex_t lock; /* protects all below */
    uint64_t written;     /* bytes that were written or soon will be */
    uint64_t allowance;   /* bytes that may be written before the free space is looked at again */
    uint64_t on_its_way;  /* bytes taken of the allowance but maybe not written yet */
    bool over_budget;     /* max_write or min_free was reached; the store itself is fine */
    bool short_of_space;  /* min_free was reached */
};

/* Stages a chunk. With data NULL the chunk is size zeros. ERR_SPACE when a limit would be
 * exceeded, and the kinds of store_writer_add. */
int deposit_add(struct deposit *d, const uint8_t *hash, size_t hash_length, const uint8_t *data,
                size_t size, struct err *e) __attribute__((warn_unused_result));

#endif
