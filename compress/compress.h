/* SPDX-License-Identifier: MIT */
/* compress: the steps of ihop-compress, from an image to an archive. One thread calls;
 * compress_run starts and joins threads of its own. */
#ifndef IHOP_COMPRESS_COMPRESS_H
#define IHOP_COMPRESS_COMPRESS_H

#include "base/err.h"
#include "compress/options.h"
#include "format/image.h"

#include <stdint.h>

struct compress_events {
    void (*hashing)(void *user); /* with --verity: before the hash tree is made */
    /* Called by any thread, one call at a time. bytes_total is 0 when the image comes through a
     * pipe. */
    void (*compressing)(void *user, uint64_t bytes_done, uint64_t bytes_total);
    void (*signing)(void *user); /* a command may ask for a PIN on the terminal */
    void (*writing)(void *user); /* the header is written, and all is made durable */
    void *user;
};

/* Makes the archive o->archive of the image o->image. With o->verity the hash tree is appended, and
 * what is to be known of it added to the options' metadata. *image is what a reader of the archive
 * finds; the caller frees it. The kind of an error decides on the exit code. */
int compress_run(struct compress_options *o, const struct compress_events *events,
                 struct image *image, struct err *e) __attribute__((warn_unused_result));

#endif
