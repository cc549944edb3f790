/* SPDX-License-Identifier: MIT */
/* old_image: the content of the image that a pack is against: of an archive, from a file or a URL,
 * or of a release in a store.
 *
 * An archive's chunks are decoded once, into a file without a name in $TMPDIR (/tmp), in which
 * zeros are holes; of a release the store's chunk files are read. Each chunk is verified by its
 * hash. Offsets and sizes are in bytes of the image; blocks have DELTA_BLOCK bytes.
 *
 * Loading starts threads; then any thread may read.
 */
#ifndef IHOP_COMPRESS_OLD_IMAGE_H
#define IHOP_COMPRESS_OLD_IMAGE_H

#include "base/err.h"
#include "compress/chunk_places.h"
#include "compress/chunk_source.h"
#include "compress/shingle_index.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct old_image {
    const char *path; /* as given; borrowed */
    const struct image *image;
    struct chunk_source archive;
    int fd; /* what was decoded */
    struct chunk_places places;
    uint8_t *data_blocks; /* a bit for each block that is not all zeros */
    struct shingle_index *index;
};

/* Finds out what path is, and reads the header or the release. The caller calls old_image_close,
 * even after a failure. ERR_USAGE: it is too large for a pack; ERR_NOT_FOUND, ERR_ARCHIVE,
 * ERR_DAMAGED, and the kinds of a reader. */
int old_image_open(struct old_image *old, const char *path, const struct network_options *network,
                   struct err *e) __attribute__((warn_unused_result));
void old_image_close(struct old_image *old);

/* Reads, verifies and indexes all content, with so many threads. progress is called by any of them,
 * one call at a time. The error names a chunk that is wrong, ERR_ARCHIVE or ERR_DAMAGED; ERR_SPACE
 * when $TMPDIR is full. */
struct old_image_load {
    unsigned jobs;
    void (*progress)(void *user, uint64_t bytes_done, uint64_t bytes_total);
    void *user;
};
int old_image_load(struct old_image *old, const struct old_image_load *load, struct err *e)
    __attribute__((warn_unused_result));

/* Reads size bytes at offset, all of which the image has. ERR_IO, ERR_DAMAGED. */
int old_image_read(const struct old_image *old, uint64_t offset, size_t size, uint8_t *out,
                   struct err *e) __attribute__((warn_unused_result));

/* Whether the block has a byte that is not zero. */
static inline bool old_image_has_data(const struct old_image *old, uint64_t block)
{
    return old->data_blocks[block / 8] >> (block % 8) & 1;
}

/* How many blocks the image has, a last short one included. */
uint64_t old_image_blocks(const struct old_image *old);

#endif
