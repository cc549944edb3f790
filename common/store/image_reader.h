/* SPDX-License-Identifier: MIT */
/* image_reader: reads any bytes of a release's image out of the store's chunk files: the bases of
 * deltas. (The plugin has a way of its own, which keeps files open.)
 *
 * A chunk's file is taken at its name and size, as elsewhere (chunk_file.h); whether its content
 * is right tells image_reader_check. Thread-safe once open.
 */
#ifndef IHOP_STORE_IMAGE_READER_H
#define IHOP_STORE_IMAGE_READER_H

#include "base/err.h"
#include "format/chunk_map.h"
#include "format/image.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

struct image_reader {
    const struct store *store; /* borrowed, like the image */
    const struct image *image;
    struct chunk_map map;
};

/* ERR_MEMORY; then there is nothing to close. */
int image_reader_open(struct image_reader *r, const struct store *store, const struct image *image,
                      struct err *e) __attribute__((warn_unused_result));
void image_reader_close(struct image_reader *r);

/* Reads size bytes at offset, all of which the image has. The error names the chunk that is not
 * there (ERR_NOT_FOUND), has another size (ERR_DAMAGED) or cannot be read (ERR_IO). */
int image_reader_read(const struct image_reader *r, uint64_t offset, size_t size, uint8_t *out,
                      struct err *e) __attribute__((warn_unused_result));

/* Hashes each chunk that has some of these bytes. ERR_DAMAGED names the first one whose content is
 * wrong; other kinds as image_reader_read. */
int image_reader_check(const struct image_reader *r, uint64_t offset, uint64_t size, struct err *e)
    __attribute__((warn_unused_result));

#endif
