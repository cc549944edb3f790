/* SPDX-License-Identifier: MIT */
/* trust: which archives are accepted. This is the one door that every image from an
 * archive passes, wherever its description comes from: a header that was just read, a
 * release that recorded one, a repair, or a command that only shows what an archive
 * has. A new rule (a signature, a device type) is a member of struct trust and a check
 * in trust.c; the callers stay as they are.
 *
 * Errors are of kind ERR_ARCHIVE and do not name the archive: the caller does. Pure, so
 * any thread may call it.
 */
#ifndef IHOP_FETCH_TRUST_H
#define IHOP_FETCH_TRUST_H

#include "base/err.h"
#include "base/limits.h"
#include "format/image.h"

#include <stddef.h>
#include <stdint.h>

/* What is demanded of an archive. */
struct trust {
    size_t min_hash_length;         /* bytes of each chunk hash */
    const uint8_t *pinned_checksum; /* CHUNK_HASH_SIZE bytes that its header must have, or NULL */
};

/* For a command that takes nothing from an archive but what it says of itself. */
#define TRUST_ANY                                                                                  \
    (struct trust)                                                                                 \
    {                                                                                              \
        .min_hash_length = LIMIT_HASH_MIN                                                          \
    }

/* Whether a header that says it has this checksum is accepted. Asked before anything of it
 * is decoded; whether it does have that checksum is for archive_parse to find out. */
int trust_check_header(const struct trust *t, const uint8_t checksum[CHUNK_HASH_SIZE],
                       struct err *e) __attribute__((warn_unused_result));

/* Whether an image is accepted: its header, as trust_check_header asks, and its contents. */
int trust_check_image(const struct trust *t, const struct image *image, struct err *e)
    __attribute__((warn_unused_result));

#endif
