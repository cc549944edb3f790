/* SPDX-License-Identifier: MIT */
/* old_image: the content of the image that a pack is against: of an archive, from a file or a URL,
 * or of a release in a store.
 *
 * An archive's chunks are decoded once, into a file without a name in $TMPDIR (/tmp), in which
 * zeros are holes; of a release the store's chunk files are read. Each chunk is verified by its
 * hash. Offsets and sizes are in bytes of the image; blocks have DELTA_BLOCK bytes.
 *
 * old_image_load.h loads it; then any thread may read.
 */
#ifndef IHOP_COMPRESS_OLD_IMAGE_H
#define IHOP_COMPRESS_OLD_IMAGE_H

#include "base/err.h"
#include "compress/chunk_places.h"
#include "compress/chunk_source.h"
#include "compress/shingle_index.h"
#include "format/image.h"
#include "store/image_reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct old_image {
    const char *path;          /* as given; borrowed */
    const struct image *image; /* of one of the two below */

    struct chunk_source archive;
    int fd; /* what was decoded of it */

    struct store *store; /* NULL: it is an archive */
    struct image release;
    int lock_fd; /* keeps gc away from the release's chunks */
    struct image_reader chunks;

    /* Once loaded: */
    struct chunk_places places;
    uint8_t *data_blocks; /* a bit for each block that is not all zeros */
    struct shingle_index *index;
};

#define OLD_IMAGE_INIT                                                                             \
    {                                                                                              \
        .fd = -1, .lock_fd = -1                                                                    \
    }

/* Finds out what path is, and reads the header or the release. The caller calls old_image_close,
 * even after a failure. ERR_USAGE: it is too large for a pack; ERR_NOT_FOUND, ERR_ARCHIVE,
 * ERR_DAMAGED, and the kinds of a reader. */
int old_image_open(struct old_image *old, const char *path, const struct network_options *network,
                   struct err *e) __attribute__((warn_unused_result));
void old_image_close(struct old_image *old);

/* Reads size bytes at offset, all of which the image has. ERR_IO, ERR_DAMAGED. */
int old_image_read(const struct old_image *old, uint64_t offset, size_t size, uint8_t *out,
                   struct err *e) __attribute__((warn_unused_result));

/* Whether the block has a byte that is not zero. */
static inline bool old_image_has_data(const struct old_image *old, uint64_t block)
{
    return old->data_blocks[block / 8] >> (block % 8) & 1;
}

/* Where the copy is kept. */
const char *old_image_directory(void);

/* That the copy cannot be written or read, for errno; returns -1. */
int old_image_cannot_keep(const struct old_image *old, struct err *e);

/* How many blocks the image has, a last short one included. */
uint64_t old_image_blocks(const struct old_image *old);

#endif
