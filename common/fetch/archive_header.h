/* SPDX-License-Identifier: MIT */
/* archive_header: reading an archive's header through a reader. Errors name the archive. */
#ifndef IHOP_FETCH_ARCHIVE_HEADER_H
#define IHOP_FETCH_ARCHIVE_HEADER_H

#include "base/err.h"
#include "reader/reader.h"
#include "fetch/trust.h"
#include "format/archive.h"

#include <stdbool.h>
#include <stdint.h>

/* Step one: the first bytes, which tell the header's size. Afterwards the
 * reader's size is known, too. */
struct archive_header_start {
    uint8_t prefix[ARCHIVE_PREFIX_SIZE];
    uint64_t size; /* of the header */
};
int archive_header_read_start(struct reader *r, struct archive_header_start *start, struct err *e)
    __attribute__((warn_unused_result));

/* Step two, either only the checksum at the header's end: whether this is the archive
 * that image came from; */
int archive_header_is_of(struct reader *r, const struct archive_header_start *start,
                         const struct image *image, bool *same, struct err *e)
    __attribute__((warn_unused_result));

/* or all the rest, parsed, if trust accepts it. From then on the reader notices when the archive
 * changes. The caller frees *image. */
int archive_header_read(struct reader *r, const struct archive_header_start *start,
                        const struct trust *trust, struct image *image, struct err *e)
    __attribute__((warn_unused_result));

/* Arms the reader with the header checksum of an image that is known already. */
void archive_header_arm(struct reader *r, const struct image *image);

#endif
