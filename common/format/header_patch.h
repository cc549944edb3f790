/* SPDX-License-Identifier: MIT */
/* header_patch: the header of an archive as what differs from the chunk table of an older image.
 *
 * docs/formats.md has the columns: for each chunk a reference to the old table or a new hash with
 * its size, stored sizes and places as differences to what is expected, the order likewise, and the
 * small fields as they are. Patches are not trusted: making a header costs no more than
 * reading one, and the result either has the checksum or is refused.
 *
 * What is given and taken here is not compressed: format/ knows no codec. Errors have the kind
 * ERR_ARCHIVE or ERR_MEMORY. Any thread may call these functions.
 */
#ifndef IHOP_FORMAT_HEADER_PATCH_H
#define IHOP_FORMAT_HEADER_PATCH_H

#include "base/err.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Makes the patch that gives new's header from old's table. *works is false, and there is no patch,
 * when applying it does not give the header byte for byte, as with a header by another writer. The
 * caller frees *patch. */
int header_patch_make(const struct image *old, const struct image *new, uint8_t **patch,
                      size_t *size, bool *works, struct err *e) __attribute__((warn_unused_result));

/* Which header a patch is to give. */
struct header_patch_wanted {
    const uint8_t *checksum; /* CHUNK_HASH_SIZE bytes: those at its end */
    uint64_t header_size, archive_size;
};

/* Makes the header; ERR_ARCHIVE when it does not come out with that size and checksum, perhaps
 * because old came from another archive of the same image. The caller frees *header, which
 * has header_size bytes and is for archive_parse: its contents are as little checked as those of
 * an archive. */
int header_patch_apply(const struct image *old, const uint8_t *patch, size_t size,
                       const struct header_patch_wanted *wanted, uint8_t **header, struct err *e)
    __attribute__((warn_unused_result));

#endif
