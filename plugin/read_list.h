/* SPDX-License-Identifier: MIT */
/* read_list: starts reading parts of many chunk files in the background, at once.
 *
 * Advice about one file at a time (posix_fadvise) gives the disk at least one request
 * for each chunk, of 60 KiB or so. Here the kernel gets a whole list through io_uring,
 * of reads that may not wait (RWF_NOWAIT): each starts the disk and fails with EAGAIN,
 * and the block layer joins what lies side by side, across files. The result of each
 * read says whether the part was in memory already. Where there is no io_uring, each part
 * is announced by posix_fadvise after all.
 *
 * Thread-safe, but for init and free.
 */
#ifndef IHOP_PLUGIN_READ_LIST_H
#define IHOP_PLUGIN_READ_LIST_H

#include "base/limits.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PREFETCH_PARTS     64 /* in one list */
#define PREFETCH_PART_SIZE ((size_t)(1 * MIB))

struct io_uring;

struct read_list {
    pthread_mutex_t lock; /* protects all below */
    bool tried;
    struct io_uring *ring; /* made for the first list; NULL when there is none */
    void *scratch;         /* where the bytes of a part go that is in memory already */
};

/* uring: whether io_uring may be tried. Some filters of system calls kill a process that tries,
 * instead of refusing. */
void read_list_init(struct read_list *p, bool uring);
void read_list_free(struct read_list *p);

struct prefetch_part {
    int fd;
    size_t size; /* up to PREFETCH_PART_SIZE */
    uint64_t offset;
};

/* Begins to read up to PREFETCH_PARTS parts. Returns whether any was not in memory, and true also
 * when that is not known. No error is reported: a part that cannot be read is left to the
 * read that needs it. Must not be called before the fork, which takes the ring away. */
bool read_list_read(struct read_list *p, const struct prefetch_part *parts, size_t count);

#endif
