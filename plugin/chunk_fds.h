/* SPDX-License-Identifier: MIT */
/* chunk_fds: open descriptors of the chunks of one image.
 *
 * A chunk is opened when it is first needed and its descriptor is kept, up to a
 * budget that all exports share; beyond the budget a chunk is opened, used and closed.
 * No kept descriptor is ever closed while the server runs: closing races with a pread on
 * it, which would then read whatever file got the same number.
 *
 * Clients decide how many sockets there are (nbdkit has three descriptors for each
 * connection), and may take all numbers that the process may have. A read that needs a
 * chunk must wait then; it must not fail. Three limits see to that; docs/serving.md has
 * what happens without each:
 *
 * - the ceiling: kept descriptors have numbers below it, so that they never fill the table
 *   for good;
 * - the semaphore: few threads compete for the numbers that are free, so that each of them
 *   gets one soon, and the others wait for their turn without a limit;
 * - the retry: when no number is free, a thread tries for up to five seconds, until another
 *   one puts a chunk back or a client leaves.
 *
 * Finding a kept descriptor takes no lock. Thread-safe, but for init and free.
 */
#ifndef IHOP_PLUGIN_CHUNK_FDS_H
#define IHOP_PLUGIN_CHUNK_FDS_H

#include "base/err.h"
#include "format/image.h"
#include "store/store.h"

#include <limits.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define FD_BUDGET_MAX     16384U   /* kept descriptors */
#define FD_BUDGET_AUTO    UINT_MAX /* as many as this machine's memory allows */
#define FD_BUDGET_RESERVE 256U     /* not kept: for 64 connections and chunks opened for a moment */

struct fd_budget {
    atomic_int left; /* descriptors that may still be kept */
    int ceiling;     /* the numbers of kept descriptors are below this */
    sem_t momentary; /* how many more may be open for a moment */
};

/* Raises RLIMIT_NOFILE as far as it is of use; within it, at most max descriptors will be
 * kept. FD_BUDGET_AUTO: as many as pin at most 1/32 of the memory. ERR_IO. */
int fd_budget_init(struct fd_budget *budget, unsigned max, struct err *e)
    __attribute__((warn_unused_result));
void fd_budget_free(struct fd_budget *budget);

struct chunk_fds {
    const struct store *store;
    const struct image *image;
    struct fd_budget *budget;
    atomic_int *fds; /* for each chunk: its descriptor, or -1 */
};

/* store, image and budget must outlive *c. ERR_MEMORY. */
int chunk_fds_init(struct chunk_fds *c, const struct store *store, const struct image *image,
                   struct fd_budget *budget, struct err *e) __attribute__((warn_unused_result));
void chunk_fds_free(struct chunk_fds *c);

/* Grows the process's table of descriptors so that it holds all chunks. Otherwise the kernel
 * doubles it again and again while chunks are opened, and in a process with threads
 * waits each time until all processors have passed a quiet state (RCU). So this is best
 * called while there is one thread. any_fd: an open descriptor. */
void chunk_fds_reserve(const struct chunk_fds *c, int any_fd);

struct chunk_lease {
    int fd;
    bool kept; /* it stays open for all threads; otherwise it is this thread's own */
};

/* Gets the chunk's descriptor, to be given back by chunk_fds_put. The file had the chunk's size
 * when it was opened. Kinds as of store_chunk_open. */
int chunk_fds_get(struct chunk_fds *c, size_t chunk, struct chunk_lease *lease, struct err *e)
    __attribute__((warn_unused_result));

/* The descriptor that is kept of this chunk, or -1. It stays open, and is not to be given back. */
int chunk_fds_kept(const struct chunk_fds *c, size_t chunk);

/* Opens the chunk anew, even if a descriptor of it is kept. */
int chunk_fds_open(struct chunk_fds *c, size_t chunk, struct chunk_lease *lease, struct err *e)
    __attribute__((warn_unused_result));
void chunk_fds_put(struct chunk_fds *c, struct chunk_lease *lease);

/* Lets the kept descriptor refer to the file of fresh, in one step and without
 * closing its number: a read on it gets the old file or the new one. After a failure
 * (false) the descriptor refers to the old file. */
bool chunk_fds_replace(const struct chunk_lease *kept, const struct chunk_lease *fresh);

#endif
