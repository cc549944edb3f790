/* SPDX-License-Identifier: MIT */
/* chunk_packer: from chunks that come in any order from several threads to an image's chunk
 * table and its chunk data, both in the order of first occurrence.
 *
 * Each chunk is hashed once and looked up. The thread that sees a content first
 * compresses it; whoever finishes what comes next writes it, and all behind it that
 * is ready. So the result depends on the chunks only. What is ready too early waits
 * in memory, up to CHUNK_PACKER_WAITING bytes; then its thread waits.
 *
 * chunk_packer_chunk may be called by several threads, each with a worker of its own; all
 * else by one.
 */
#ifndef IHOP_COMPRESS_CHUNK_PACKER_H
#define IHOP_COMPRESS_CHUNK_PACKER_H

#include "base/err.h"
#include "base/limits.h"
#include "compress/output_file.h"
#include "format/image.h"

#include <stddef.h>
#include <stdint.h>

#define CHUNK_PACKER_WAITING (16 * MIB)

struct chunk_packer;

struct chunk_packer_options {
    unsigned jobs; /* workers */
    enum image_compression compression;
    uint32_t level;
    size_t hash_length;
};

/* output must outlive the packer. ERR_MEMORY, ERR_IO. */
struct chunk_packer *chunk_packer_new(const struct chunk_packer_options *options,
                                      struct output_file *output, struct err *e)
    __attribute__((warn_unused_result));
void chunk_packer_free(struct chunk_packer *p);
void chunk_packer_cleanup(struct chunk_packer **p);

/* Chunk number index of the image, from 0; each once. May wait for a lower index,
 * until that is there or a call fails. Besides ERR_MEMORY, and what output_file_write
 * gives: ERR_USAGE when no reader would take so many chunks. */
int chunk_packer_chunk(struct chunk_packer *p, unsigned worker, uint64_t index, const uint8_t *data,
                       size_t size, struct err *e) __attribute__((warn_unused_result));

/* When all chunks are there: moves table, hashes and order to image, whose
 * archive_offset are counts from the start of the output. */
void chunk_packer_finish(struct chunk_packer *p, struct image *image);

#endif
