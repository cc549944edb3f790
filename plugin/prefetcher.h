/* SPDX-License-Identifier: MIT */
/* prefetcher: starts reading parts of many chunk files in the background, at once.
 *
 * Advice about one file at a time (posix_fadvise) gives the disk at least one request
 * for each chunk, of 60 KiB or so. Here the kernel gets a whole list by one io_submit(2),
 * of reads that may not wait (RWF_NOWAIT): each starts the disk and fails with EAGAIN,
 * and the block layer joins what lies side by side, across files. It also tells which
 * parts were in memory already.
 *
 * Thread-safe, but for init and free.
 */
#ifndef IHOP_PLUGIN_PREFETCHER_H
#define IHOP_PLUGIN_PREFETCHER_H

#include "base/limits.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PREFETCH_PARTS     64 /* in one call */
#define PREFETCH_PART_SIZE ((size_t)(1 * MIB))

struct prefetcher {
    unsigned long context; /* of io_setup */
    void *scratch;         /* where a part goes that is in memory already */
    atomic_bool usable;    /* as soon as the kernel refuses: posix_fadvise instead */
};

/* In the process that will serve: a fork loses it. Never fails. */
void prefetcher_init(struct prefetcher *p);
void prefetcher_free(struct prefetcher *p);

struct prefetch_part {
    uint64_t offset;
    size_t size; /* up to PREFETCH_PART_SIZE */
    int fd;
};

/* Up to PREFETCH_PARTS parts. Whether any was not in memory; true also when that cannot
 * be told. Advice: nothing is reported. */
bool prefetcher_read(struct prefetcher *p, const struct prefetch_part *parts, size_t count);

#endif
