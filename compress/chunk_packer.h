/* SPDX-License-Identifier: MIT */
/* chunk_packer: makes an image's chunk table and its chunk data, both in the order of first
 * occurrence, from chunks that come in any order from several threads.
 *
 * Each chunk is hashed once and looked up. The thread that sees a content first compresses it.
 * The thread that finishes the content whose turn it is writes it, together with all contents
 * after it that are ready. So the result depends on nothing but the chunks. Contents that are
 * ready before their turn wait in memory, up to CHUNK_PACKER_WAITING bytes; beyond that their
 * threads wait.
 *
 * Several threads may call chunk_packer_chunk, each with a worker number of its own. The other
 * functions are for one thread.
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
    unsigned jobs; /* number of workers */
    enum image_compression compression;
    uint32_t level;
    size_t hash_length;
};

/* output must outlive the packer. ERR_MEMORY, ERR_IO. */
struct chunk_packer *chunk_packer_new(const struct chunk_packer_options *options,
                                      struct output_file *output, struct err *e)
    __attribute__((warn_unused_result));
void chunk_packer_free(struct chunk_packer *p);

/* Takes the chunk of the image with this index, counted from 0; each index occurs once. The call
 * may wait for chunks of lower indices, until they are there or a call fails. ERR_USAGE when no
 * reader would accept so many chunks, ERR_MEMORY, and the kinds of output_file_write. */
int chunk_packer_chunk(struct chunk_packer *p, unsigned worker, uint64_t index, const uint8_t *data,
                       size_t size, struct err *e) __attribute__((warn_unused_result));

/* Moves chunk table and order to image, after all chunks were taken. The archive_offset of each
 * chunk counts from the start of the output. */
void chunk_packer_finish(struct chunk_packer *p, struct image *image);

#endif
