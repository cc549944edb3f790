/* SPDX-License-Identifier: MIT */
/* header: reading an archive's header through a reader. Errors name the archive. */
#ifndef IHOP_FETCH_HEADER_H
#define IHOP_FETCH_HEADER_H

#include "base/err.h"
#include "fetch/reader.h"
#include "format/archive.h"

#include <stdint.h>

/* Step one: the first bytes, which tell the header's size. Afterwards the
 * reader's size is known, too. */
int header_read_size(struct reader *r, uint64_t *header_size, struct err *e)
    __attribute__((warn_unused_result));

/* Only the checksum at the end of a header of this size. */
int header_read_checksum(struct reader *r, uint64_t header_size, uint8_t checksum[CHUNK_HASH_SIZE],
                         struct err *e) __attribute__((warn_unused_result));

/* The whole header, parsed. From then on the reader notices when the archive
 * changes. The caller frees *image. */
int header_read(struct reader *r, uint64_t header_size, const struct archive_policy *policy,
                struct image *image, struct err *e) __attribute__((warn_unused_result));

/* Arms the reader with the header checksum of an image that is known already. */
void header_arm(struct reader *r, const struct image *image);

#endif
