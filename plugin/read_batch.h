/* SPDX-License-Identifier: MIT */
/* read_batch: reads from several files by one system call (io_uring(7)).
 *
 * A request of 128 KiB, as the kernel's readahead sends, lies in three chunk files on average.
 * A read of each costs a system call each; a batch costs one, and what is not in memory is
 * requested from the disk at once and not one after the other. docs/serving.md has what
 * that is worth.
 *
 * It is a way to save time and never the only one: where the kernel has no io_uring, forbids it or
 * is busy, and for each read that does not give all its bytes, the caller reads as without it, and
 * has the error from there.
 *
 * Thread-safe, but for init and free. Buffers are not touched any more when read_batch_run
 * returns.
 */
#ifndef IHOP_PLUGIN_READ_BATCH_H
#define IHOP_PLUGIN_READ_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READ_BATCH_MAX 32U /* reads in a batch: a request of 2 MiB of chunks of usual size */

/* One read. */
struct read_batch_item {
    int fd;
    uint8_t *buf;
    uint32_t size;
    uint64_t offset;
    bool done; /* set by read_batch_run: all bytes are there */
};

struct read_ring;
struct read_batch {
    struct read_ring *rings; /* one thread at a time uses each; NULL when there is no io_uring */
    size_t count;
};

/* Prepares for as many batches at once as there are processors. Never fails: without io_uring no
 * read is ever done. To be called in the process that reads, as the user that reads. */
void read_batch_init(struct read_batch *b);
void read_batch_free(struct read_batch *b);

/* Runs up to READ_BATCH_MAX reads at once. Those that are not done are left to the caller. */
void read_batch_run(struct read_batch *b, struct read_batch_item *items, size_t count);

#endif
