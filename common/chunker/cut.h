/* SPDX-License-Identifier: MIT */
/* cut: cuts a whole input into chunks on all cores.
 *
 * The chunks are those that one chunker would cut (chunker.h), for any number of
 * jobs. The calling thread is one of the workers and the others are joined when
 * cut_input returns.
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

/* A piece is read and searched at a time, while it is in the cache of a core. */
#define CUT_PIECE    ((size_t)(512 * KIB))
#define CUT_SPANNING ((size_t)(32 * MIB))

struct cut_chunk {
    uint64_t index, offset; /* of this chunk in the input */
    const uint8_t *data;    /* valid during the call */
    size_t size;            /* 1 .. LIMIT_CHUNK */
    unsigned worker;        /* who calls, 0 .. jobs - 1: for what each needs of its own */
};

/* Called from any worker, at most one call in each worker at a time. Indices are
 * handed out in order: when n is handled, all lower ones have been handed to some
 * worker, so that waiting for a lower one cannot deadlock (but must end by itself
 * when that one's call fails). */
typedef int (*cut_chunk_fn)(void *user, const struct cut_chunk *chunk, struct err *e);

struct cut_options {
    unsigned jobs;      /* 1 .. LIMIT_JOBS */
    const char *name;   /* of the input, for messages */
    size_t piece_size;  /* 0: CUT_PIECE; a test takes others */
    cut_chunk_fn chunk; /* sees each chunk */
    /* Optional: sees all bytes in order, one call at a time, from any worker and
     * beside the chunks; for the checksum of the whole. */
    int (*input)(void *user, const uint8_t *data, size_t size, struct err *e);
    /* Optional: the bytes of the chunks done so far, ascending. From any worker, one
     * call at a time and under a lock: be quick. */
    void (*progress)(void *user, uint64_t bytes_done);
    void *user;
};

/* fd: a regular file, a block device or a pipe, read from where it stands to its
 * end, and left open. *size: the bytes of the input. The first error wins and no
 * call begins after it: ERR_USAGE for the config, ERR_IO for the input, ERR_MEMORY,
 * or what a callback gave (of which ERR_CANCELLED gives way to any other). */
int cut_input(int fd, const struct chunker_config *config, const struct cut_options *options,
              uint64_t *size, struct err *e) __attribute__((warn_unused_result));

#endif
