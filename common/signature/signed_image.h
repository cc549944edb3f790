/* SPDX-License-Identifier: MIT */
/* signed_image: whether an image is one that trusted keys have signed.
 *
 * What is signed is the header of the archive that the image came from, by the 64 bytes of its
 * checksum: they cover each chunk's hash and what the image says about itself.
 *
 * Errors do not name the archive or the release; their kinds are ERR_ARCHIVE for what is not signed
 * well enough, ERR_DAMAGED for a release that does not say what was signed, and ERR_MEMORY,
 * ERR_IO. Any thread may call these functions.
 */
#ifndef IHOP_SIGNATURE_SIGNED_IMAGE_H
#define IHOP_SIGNATURE_SIGNED_IMAGE_H

#include "base/err.h"
#include "format/image.h"
#include "signature/key_set.h"

#include <stddef.h>

/* Who must have signed. Borrowed; without keys nobody must have. */
struct signature_demand {
    const struct key_set *keys; /* NULL, or at least one */
    size_t needed;              /* different keys of those; 0 counts as 1 */
};

/* For an image whose header was read: archive_parse has found that the checksum is the header's.
 * Its chunk hashes must have LIMIT_HASH_PINNED bytes. */
int signed_image_check(const struct image *image, const struct signature_demand *demand,
                       struct err *e) __attribute__((warn_unused_result));

/* For an image out of a store, where anybody may have written: also makes sure that the release
 * says nothing but what its archive's header says, by making that header again, and, unless name
 * is NULL, that it was published under this name. What the header does not say (the archive's
 * address, the release's number) may have been changed. */
int signed_image_check_release(const struct image *image, const char *name,
                               const struct signature_demand *demand, struct err *e)
    __attribute__((warn_unused_result));

/* Keeps what it takes to check the image as a release later: its header, if that is signed and
 * cannot be made again. header has image->header_size bytes. ERR_MEMORY. */
int signed_image_keep_header(struct image *image, const uint8_t *header, struct err *e)
    __attribute__((warn_unused_result));

#endif
