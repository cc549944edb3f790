/* SPDX-License-Identifier: MIT */
/* trust: which archives are accepted. This is the one door that every image from an
 * archive passes, wherever its description comes from: a header that was just read, a
 * release that recorded one, a repair, or a command that only shows what an archive
 * has. A new rule (a signature, a device type) is a member of struct trust and a check
 * in trust.c; the callers stay as they are.
 *
 * Errors have the kind ERR_ARCHIVE and do not name the archive: the caller adds its name.
 * Nothing here changes any state, so any thread may call it.
 */
#ifndef IHOP_FETCH_TRUST_H
#define IHOP_FETCH_TRUST_H

#include "base/err.h"
#include "base/limits.h"
#include "format/image.h"
#include "signature/signed_image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is demanded of an archive. What it points to is borrowed. Without any, and with the rest of
 * the members zero, what an image says about itself (format/facts.h) must still be well-formed. */
struct trust {
    bool any;                       /* nothing but min_hash_length is demanded */
    size_t min_hash_length;         /* bytes of each chunk hash */
    const uint8_t *pinned_checksum; /* CHUNK_HASH_SIZE bytes that its header must have, or NULL */

    struct signature_demand signed_by; /* who must have signed the header */

    const char *compatible;     /* the type of this device, which the image must be for, or NULL */
    uint64_t minimum;           /* the store takes no lower version (store/floor.h) */
    uint64_t newest;            /* a lower version than this is a downgrade; 0: none is */
    const char *newest_release; /* the release that has it */
    bool allow_downgrade;
    /* CHUNK_HASH_SIZE bytes: an image with this header is no downgrade, as it is the one that has
     * the name already; or NULL. */
    const uint8_t *installed_checksum;
};

/* Accepts every archive: for a command that only shows what an archive says of itself. */
#define TRUST_ANY                                                                                  \
    (struct trust)                                                                                 \
    {                                                                                              \
        .any = true, .min_hash_length = LIMIT_HASH_MIN                                             \
    }

/* Whether a header that claims to have this checksum is accepted. This is asked before anything of
 * the header is decoded; archive_parse finds out whether the claim is true. */
int trust_check_header(const struct trust *t, const uint8_t checksum[CHUNK_HASH_SIZE],
                       struct err *e) __attribute__((warn_unused_result));

/* Whether an image whose header was read is accepted: its header, as trust_check_header asks, its
 * signatures and its contents. */
int trust_check_image(const struct trust *t, const struct image *image, struct err *e)
    __attribute__((warn_unused_result));

/* The same for an image out of a release, in place of its header, in two steps, as one without
 * signatures that suffice may still be read anew: whether it is signed, which takes as long as
 * making and parsing its header; and, if it is, all the rest. */
bool trust_is_signed_release(const struct trust *t, const struct image *image)
    __attribute__((warn_unused_result));
int trust_check_release(const struct trust *t, const struct image *image, struct err *e)
    __attribute__((warn_unused_result));

#endif
