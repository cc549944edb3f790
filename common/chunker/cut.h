/* SPDX-License-Identifier: MIT */
/* cut: cuts a whole input into chunks on all cores.
 *
 * The chunks are those that one chunker (chunker.h) would find, for any number of jobs. The
 * calling thread is one of the workers, and the others are joined when cut_input returns.
 *
 * Memory: 2 * jobs + 2 pieces of CUT_PIECE bytes, an eighth and the window, and at most
 * CUT_SPANNING bytes of chunks that span pieces, or one such chunk.
 */
#ifndef IHOP_CHUNKER_CUT_H
#define IHOP_CHUNKER_CUT_H

#include "base/err.h"
#include "base/limits.h"
#include "chunker/chunker.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A piece is read and searched at a time, while it is in the cache of a core. */
#define CUT_PIECE    ((size_t)(512 * KIB))
#define CUT_SPANNING ((size_t)(32 * MIB))

struct cut_chunk {
    uint64_t index, offset; /* the chunk's number and its place in the input, both from 0 */
    const uint8_t *data;    /* valid during the call */
    size_t size;            /* 1 .. LIMIT_CHUNK */
    unsigned worker; /* the number of the worker that calls, 0 .. jobs - 1, so that each can have
                      * state of its own */
};

/* Called by any worker, and by several at the same time. When a call for a chunk begins, all
 * chunks of lower indices have been handed to some worker. So a call may wait for those of
 * lower chunks, if it stops waiting when one of these fails. */
typedef int (*cut_chunk_fn)(void *user, const struct cut_chunk *chunk, struct err *e);

struct cut_options {
    unsigned jobs;      /* 1 .. LIMIT_JOBS */
    const char *name;   /* the input's name, for messages */
    size_t piece_size;  /* bytes; 0 stands for CUT_PIECE, and tests have other sizes */
    cut_chunk_fn chunk; /* sees each chunk */
    /* Optional: reads the input on, instead of fd: fewer than size bytes at its end only, or -1.
     * Any worker calls it, one at a time. */
    ssize_t (*read)(void *user, void *data, size_t size, struct err *e);
    /* Optional: sees all bytes in order, for a checksum of the whole. Any worker calls it, one
     * at a time, while others handle chunks. */
    int (*input)(void *user, const uint8_t *data, size_t size, struct err *e);
    /* Optional: learns how many bytes the finished chunks have. Any worker calls it, one at a
     * time, and holds a lock that the others need, so it must be quick. */
    void (*progress)(void *user, uint64_t bytes_done);
    void *user;
};

/* Reads fd, a regular file, a block device or a pipe, from its position to its end, and leaves
 * it open; with a function that reads, fd may be -1. *size is how many bytes that were. The first
 * error is reported, and no call begins after it: ERR_USAGE for the config, ERR_IO for the input,
 * ERR_MEMORY, or the error of a callback (any other error has precedence over ERR_CANCELLED). */
int cut_input(int fd, const struct chunker_config *config, const struct cut_options *options,
              uint64_t *size, struct err *e) __attribute__((warn_unused_result));

#endif
