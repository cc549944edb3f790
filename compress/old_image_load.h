/* SPDX-License-Identifier: MIT */
/* old_image_load: reads, verifies and indexes the content of an old image (old_image.h). */
#ifndef IHOP_COMPRESS_OLD_IMAGE_LOAD_H
#define IHOP_COMPRESS_OLD_IMAGE_LOAD_H

#include "base/err.h"
#include "compress/old_image.h"

#include <stdint.h>

struct old_image_load {
    unsigned jobs; /* threads, started and joined inside */
    /* Called by any of them, one call at a time; bytes of the archive or of the store. */
    void (*progress)(void *user, uint64_t bytes_done, uint64_t bytes_total);
    void *user;
};

/* The error names a chunk that is wrong (ERR_ARCHIVE, ERR_DAMAGED) or is not there (ERR_NOT_FOUND);
 * ERR_SPACE when $TMPDIR is full, ERR_IO, ERR_MEMORY, and the kinds of a reader. */
int old_image_load(struct old_image *old, const struct old_image_load *load, struct err *e)
    __attribute__((warn_unused_result));

#endif
