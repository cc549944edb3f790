/* SPDX-License-Identifier: MIT */
/* batch: staged chunks that become durable by one sync and are then renamed to their names.
 * For store/ alone; one thread at a time. */
#ifndef IHOP_STORE_BATCH_H
#define IHOP_STORE_BATCH_H

#include "base/err.h"
#include "store/chunk_file.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

struct batch {
    char (*files)[STORE_CHUNK_FILE_SIZE]; /* names of staged chunks */
    size_t count, capacity;
    uint64_t bytes;    /* of chunk data */
    uint64_t begun_ms; /* when the first chunk was appended; see io_now_ms */
};

/* ERR_MEMORY. */
int batch_append(struct batch *b, const char *file, uint64_t bytes, struct err *e)
    __attribute__((warn_unused_result));

/* Makes the files of b, which lie in the staging directory open as staging_fd, durable,
 * then gives them their names. With STORE_SYNC_FILES they were synced when they were
 * written, and here the directories are. After a failure nothing may be tried again: see
 * store_sync_all. Sorts b. */
int batch_commit(const struct store *store, int staging_fd, struct batch *b, struct err *e)
    __attribute__((warn_unused_result));

void batch_free(struct batch *b);

#endif
