/* SPDX-License-Identifier: MIT */
/* chunk_fds: open descriptors of the chunks of one image.
 *
 * A chunk is opened when it is first needed and its descriptor kept, up to a
 * budget that all exports share; beyond it a chunk is opened, used and closed.
 * Nothing is ever evicted: closing a descriptor races with a pread on it, which
 * would then read whatever file got the same number.
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
#define FD_BUDGET_RESERVE 256U     /* left for 64 connections and for chunks opened for a moment */

struct fd_budget {
    atomic_int left; /* descriptors that may still be kept */
    int ceiling;     /* and their numbers are below this */
    sem_t momentary; /* descriptors that may be open for a moment */
};

/* Raises RLIMIT_NOFILE as far as it is of use, and keeps at most max
 * descriptors within it. FD_BUDGET_AUTO: those pin at most 1/32 of the memory. */
int fd_budget_init(struct fd_budget *budget, unsigned max, struct err *e)
    __attribute__((warn_unused_result));
void fd_budget_free(struct fd_budget *budget);

struct chunk_fds {
    const struct store *store;
    const struct image *image;
    struct fd_budget *budget;
    atomic_int *fds; /* for each chunk: its descriptor, or -1 */
};

/* store, image and budget must outlive it. */
int chunk_fds_init(struct chunk_fds *c, const struct store *store, const struct image *image,
                   struct fd_budget *budget, struct err *e) __attribute__((warn_unused_result));
void chunk_fds_free(struct chunk_fds *c);

/* Grows the process's table of descriptors for the chunks. The kernel would
 * double it again and again while they are opened, and in a process with threads
 * wait each time until all processors have passed a quiet state (RCU). So best called
 * while there is one thread. any_fd: an open descriptor. */
void chunk_fds_reserve(const struct chunk_fds *c, int any_fd);

struct chunk_lease {
    int fd;
    bool kept; /* stays open for all; otherwise it is this user's own */
};

/* The chunk's descriptor, to be put back. The file had the chunk's size when it
 * was opened. Kinds as store_chunk_open. */
int chunk_fds_get(struct chunk_fds *c, size_t chunk, struct chunk_lease *lease, struct err *e)
    __attribute__((warn_unused_result));

/* Opens the chunk anew, whatever is kept. */
int chunk_fds_open(struct chunk_fds *c, size_t chunk, struct chunk_lease *lease, struct err *e)
    __attribute__((warn_unused_result));
void chunk_fds_put(struct chunk_fds *c, struct chunk_lease *lease);

/* Lets the kept descriptor refer to the file of fresh, in one step and without
 * closing its number: a read on it gets the old file or the new one. False: the old file
 * stays in place. */
bool chunk_fds_replace(const struct chunk_lease *kept, const struct chunk_lease *fresh);

#endif
