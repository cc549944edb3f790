/* SPDX-License-Identifier: MIT */
/* compress: from an image to an archive; the order of things. */
#ifndef IHOP_COMPRESS_COMPRESS_H
#define IHOP_COMPRESS_COMPRESS_H

#include "base/err.h"
#include "compress/options.h"
#include "format/image.h"

#include <stdint.h>

struct compress_events {
    /* bytes_total is 0 when the image comes through a pipe. Called by any thread, one
     * call at a time. */
    void (*compressing)(void *user, uint64_t bytes_done, uint64_t bytes_total);
    void (*writing)(void *user); /* the header, and to the disk */
    void *user;
};

/* Makes o->archive of o->image. *image is the archive as a reader sees it; the caller
 * frees it. Errors have the kind that decides on the exit code. */
int compress_run(const struct compress_options *o, const struct compress_events *events,
                 struct image *image, struct err *e) __attribute__((warn_unused_result));

#endif
