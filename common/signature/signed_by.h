/* SPDX-License-Identifier: MIT */
/* signed_by: which keys of a set have signed 64 bytes, such as an archive's header checksum.
 *
 * The signatures are text in minisign's form (minisign.h), one or several. A key has signed when
 * its signature is one of exactly these 64 bytes, and its global signature one of that signature
 * and its trusted comment. Key ids are hints: keys with the id of a signature are tried first,
 * then all others. Two signatures by one key count once. The work is bounded by
 * LIMIT_SIGNATURES x LIMIT_KEYS verifications.
 *
 * Any thread may call these functions.
 */
#ifndef IHOP_SIGNATURE_SIGNED_BY_H
#define IHOP_SIGNATURE_SIGNED_BY_H

#include "base/err.h"
#include "base/limits.h"
#include "signature/key_set.h"

#include <stddef.h>
#include <stdint.h>

#define SIGNED_BY_MESSAGE_SIZE 64

enum signature_verdict {
    SIGNATURE_GOOD,      /* a key of the set signed the message and the trusted comment */
    SIGNATURE_COMMENT,   /* a key of the set signed the message, but not this trusted comment */
    SIGNATURE_OTHER,     /* a key of the set has this id, but none of the set signed the message */
    SIGNATURE_UNTRUSTED, /* no key of the set has this id, and none signed the message */
};

struct signed_by_signature {
    enum signature_verdict verdict;
    uint8_t id[PUBLIC_KEY_ID_SIZE]; /* that the signature claims */
    const struct trusted_key *key;  /* with the first two verdicts; it belongs to the set */
    const char *comment;            /* the trusted one: points into the text, without a NUL */
    size_t comment_size;
};

struct signed_by {
    size_t key_count; /* different keys of the set with a good signature */
    size_t signature_count;
    struct signed_by_signature signatures[LIMIT_SIGNATURES]; /* in the order of the text */
};

/* Finds out who signed message. text may be the bytes of an archive between its header and its
 * chunk data: zeros behind the signatures are ignored, and zeros alone, or no bytes, are no
 * signatures. That no key has signed is no error here. ERR_ARCHIVE when the text is anything else
 * than signatures, or exceeds a limit: then nobody has signed, whatever is in it. The text does
 * not name the archive: the caller does. ERR_MEMORY. */
int signed_by_find(const uint8_t message[SIGNED_BY_MESSAGE_SIZE], const void *text, size_t size,
                   const struct key_set *set, struct signed_by *by, struct err *e)
    __attribute__((warn_unused_result));

/* Whether at least needed different keys of the set have signed; needed of 0 counts as 1.
 * ERR_ARCHIVE with a text that names the ids that signed and those that are trusted, and does not
 * name the archive. A set that has fewer keys than needed is ERR_USAGE. */
int signed_by_demand(const struct signed_by *by, const struct key_set *set, size_t needed,
                     struct err *e) __attribute__((warn_unused_result));

#endif
