/* SPDX-License-Identifier: MIT */
/* signature_area: finds what signs an archive: text in minisign's form between its header and its
 * chunk data, or, where there is none, in a file beside it that is called like the archive with
 * ".minisig" appended. Nothing is verified here: see signature/signed_image.h.
 *
 * The thread that calls must be the one that drives the reader.
 */
#ifndef IHOP_FETCH_SIGNATURE_AREA_H
#define IHOP_FETCH_SIGNATURE_AREA_H

#include "base/err.h"
#include "format/image.h"
#include "reader/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* So many bytes behind the header are read with it, if any are: what a dozen signatures take, so
 * that they cost no request of their own. */
#define SIGNATURE_AREA_AHEAD 4096

/* What was read with a header, from the header's end. */
struct signature_area {
    const uint8_t *data;
    size_t size;
};

/* Whether text begins as signatures do; anything else does not count as some. */
bool signature_area_begins(const uint8_t *text, size_t size);

/* Sets the image's signatures. area_size: bytes from the end of its header to its chunk data.
 * With demanded, a file beside the archive is looked for if nothing is there, by two more
 * requests, and it is an error when there is none or it cannot be had. Without, what is too
 * long or no signature does not count. Errors name the archive. Kinds: ERR_ARCHIVE, and those of
 * the reader. */
int signature_area_read(struct reader *r, const struct signature_area *area, uint64_t area_size,
                        bool demanded, struct image *image, struct err *e)
    __attribute__((warn_unused_result));

#endif
