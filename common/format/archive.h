/* SPDX-License-Identifier: MIT */
/* archive: the header of a bita archive (.cba).
 *
 *     0        6  magic "BITA1\0", or "\0BITA1" by bita 0.1.x
 *     6        8  n, u64 little-endian
 *     14       n  dictionary (ArchiveDictionary)
 *     14 + n   8  chunk data offset, u64 little-endian, absolute
 *     22 + n  64  BLAKE2b-512 of all bytes before
 *
 * The input is untrusted. Errors have the kind ERR_ARCHIVE or ERR_MEMORY and do not name
 * the archive: the caller adds its name. Any thread may call these functions.
 */
#ifndef IHOP_FORMAT_ARCHIVE_H
#define IHOP_FORMAT_ARCHIVE_H

#include "base/err.h"
#include "format/frame.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARCHIVE_PREFIX_SIZE FRAME_PREFIX_SIZE
#define ARCHIVE_OVERHEAD    (ARCHIVE_PREFIX_SIZE + 8 + CHUNK_HASH_SIZE) /* all but the dictionary */

/* Tells from the first ARCHIVE_PREFIX_SIZE bytes of an archive how many bytes its header has.
 * ERR_ARCHIVE when they begin no archive, or the header is larger than any may be. */
int archive_parse_prefix(const uint8_t *prefix, uint64_t *header_size, struct err *e)
    __attribute__((warn_unused_result));

/* Parses a header of size bytes (prefix included), which has the checksum at its end or is
 * refused. archive_size is the size of the whole archive, which all chunks must lie in. The
 * caller frees *image. Whether it is an archive to be trusted is another question:
 * fetch/trust.h. */
int archive_parse(const uint8_t *header, size_t size, uint64_t archive_size, struct image *image,
                  struct err *e) __attribute__((warn_unused_result));

/* Makes the header of an archive, byte for byte as bita 0.15 does. The archive_offset of each
 * chunk counts from the start of the chunk data here, because the place of that start depends
 * on the size of the header. The chunk data is to begin at *data_offset, the first multiple of
 * alignment that leaves at least space bytes behind the header: for signatures, which are not
 * covered by its checksum. The caller frees *header. ERR_MEMORY; what archive_parse checks is not
 * checked here. */
struct archive_layout {
    uint64_t space, alignment;
};
int archive_encode(const struct image *image, const struct archive_layout *layout, uint8_t **header,
                   size_t *size, uint64_t *data_offset, struct err *e)
    __attribute__((warn_unused_result));

/* Makes the header of the archive that the image came from again, from what the image says.
 * *same tells whether the result is that header byte for byte, by its checksum; then *header has
 * header_size bytes, which the caller frees. It is not for archives that have a chunk twice or
 * one that nobody uses, with the magic of bita 0.1.x, or with fields of a later version.
 * ERR_MEMORY. */
int archive_rebuild_header(const struct image *image, uint8_t **header, bool *same, struct err *e)
    __attribute__((warn_unused_result));

#endif
