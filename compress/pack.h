/* SPDX-License-Identifier: MIT */
/* pack: from chunks that come in any order from several threads to an image's chunk
 * table and its chunk data, both in the order of first occurrence.
 *
 * Each chunk is hashed once and looked up. The thread that sees a content first
 * compresses it; whoever finishes what comes next writes it, and all behind it that
 * is ready. So the result depends on the chunks only. What is ready too early waits
 * in memory, up to PACK_WAITING bytes; then its thread waits.
 *
 * pack_chunk may be called by several threads, each with a worker of its own; all
 * else by one.
 */
#ifndef IHOP_COMPRESS_PACK_H
#define IHOP_COMPRESS_PACK_H

#include "base/err.h"
#include "base/limits.h"
#include "compress/target.h"
#include "format/image.h"

#include <stddef.h>
#include <stdint.h>

#define PACK_WAITING (16 * MIB)

struct pack;

struct pack_options {
    unsigned jobs; /* workers */
    enum image_compression compression;
    uint32_t level;
    size_t hash_length;
};

/* The target must outlive it. ERR_MEMORY, ERR_IO. */
struct pack *pack_new(const struct pack_options *options, struct target *target, struct err *e)
    __attribute__((warn_unused_result));
void pack_free(struct pack *p);
void pack_cleanup(struct pack **p);

/* Chunk number index of the image, from 0; each once. May wait for a lower index,
 * until that is there or a call fails. Besides ERR_MEMORY, and what target_write
 * gives: ERR_USAGE when no reader would take so many chunks. */
int pack_chunk(struct pack *p, unsigned worker, uint64_t index, const uint8_t *data, size_t size,
               struct err *e) __attribute__((warn_unused_result));

/* When all chunks are there: moves table, hashes and order to image, whose
 * archive_offset are those in the target. */
void pack_finish(struct pack *p, struct image *image);

#endif
