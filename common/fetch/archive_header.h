/* SPDX-License-Identifier: MIT */
/* archive_header: reads an archive's header through a reader, in two steps.
 *
 * First its start is read, which tells how large the header is. Then follows either the checksum
 * at its end, when the image may be known already, or all the rest. Either way the archive has
 * passed trust.h when these functions return an image or say that it is known.
 *
 * Errors name the archive and have the kinds of the reader, or are ERR_ARCHIVE. The thread that
 * calls must be the one that drives the reader.
 */
#ifndef IHOP_FETCH_ARCHIVE_HEADER_H
#define IHOP_FETCH_ARCHIVE_HEADER_H

#include "base/err.h"
#include "fetch/trust.h"
#include "format/archive.h"
#include "reader/reader.h"

#include <stdbool.h>
#include <stdint.h>

/* The first step reads the first bytes of the header. Afterwards the reader, too, knows how large
 * the archive is. */
struct archive_header_start {
    uint8_t prefix[ARCHIVE_PREFIX_SIZE];
    uint64_t size; /* of the header */
};
int archive_header_read_start(struct reader *r, struct archive_header_start *start, struct err *e)
    __attribute__((warn_unused_result));

/* A second step: reads only the checksum at the header's end, and tells whether the archive is
 * the one that image came from. If it is, trust must accept the image (ERR_ARCHIVE), and the
 * reader notices from then on when the archive changes. */
int archive_header_is_of(struct reader *r, const struct archive_header_start *start,
                         const struct trust *trust, const struct image *image, bool *same,
                         struct err *e) __attribute__((warn_unused_result));

/* The other second step: reads and parses all the rest of the header, if trust accepts it.
 * The reader notices from then on when the archive changes. The caller frees *image. */
int archive_header_read(struct reader *r, const struct archive_header_start *start,
                        const struct trust *trust, struct image *image, struct err *e)
    __attribute__((warn_unused_result));

/* In place of archive_header_read, when the header was made already, out of a delta pack: reads
 * only the checksum at its end, and signatures behind it. header has start->size bytes. *same is
 * false, and nothing else is done, when the archive has another header. */
int archive_header_confirm(struct reader *r, const struct archive_header_start *start,
                           const uint8_t *header, const struct trust *trust, bool *same,
                           struct image *image, struct err *e) __attribute__((warn_unused_result));

/* What a delta pack says of an archive that is not there. */
struct archive_header_told {
    const char *name;    /* of the pack, for messages */
    const uint8_t *data; /* size bytes; not needed by archive_header_is_told */
    uint64_t size, archive_size;
    const uint8_t *checksum; /* CHUNK_HASH_SIZE bytes */
    const uint8_t *signatures;
    size_t signatures_size;
};

/* archive_header_is_of and archive_header_read for these, without a request. */
int archive_header_is_told(const struct archive_header_told *told, const struct trust *trust,
                           const struct image *image, bool *same, struct err *e)
    __attribute__((warn_unused_result));
int archive_header_take(const struct archive_header_told *told, const struct trust *trust,
                        struct image *image, struct err *e) __attribute__((warn_unused_result));

#endif
