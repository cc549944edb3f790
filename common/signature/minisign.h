/* SPDX-License-Identifier: MIT */
/* minisign: signatures as text, in the form of the program of that name (version 0.6 and later).
 *
 *     untrusted comment: whatever
 *     base64 of "ED", the key's id (8 bytes) and the signature (64)
 *     trusted comment: whatever
 *     base64 of the global signature (64): of the signature and the trusted comment
 *
 * "ED" means that the signature is one of the BLAKE2b-512 of a file. If the file is an archive's
 * header without its checksum, that is the header checksum. "Ed", a signature of the file itself,
 * is refused.
 *
 * A text has any number of signatures, one after the other, as `cat` makes it. Lines may end with
 * CR LF, the last may lack its end, and there may be empty lines before and behind each signature.
 * From the first NUL on all must be zeros, such as those that fill the space in an archive.
 *
 * The input is untrusted. Any thread may call these functions.
 */
#ifndef IHOP_SIGNATURE_MINISIGN_H
#define IHOP_SIGNATURE_MINISIGN_H

#include "base/err.h"
#include "base/limits.h"
#include "signature/ed25519.h"
#include "signature/public_key.h"

#include <stddef.h>
#include <stdint.h>

/* One signature. The texts point into what was parsed, have no NUL and no end of a line. */
struct minisign_signature {
    uint8_t id[PUBLIC_KEY_ID_SIZE]; /* of the key, as the signature claims */
    uint8_t signature[ED25519_SIGNATURE_SIZE];
    uint8_t global[ED25519_SIGNATURE_SIZE];
    const char *comment; /* the trusted one */
    size_t comment_size;
    const char *lines; /* all four */
    size_t lines_size;
};

struct minisign_text {
    size_t count;
    struct minisign_signature signatures[LIMIT_SIGNATURES];
};

/* Parses a text; no bytes, zeros or empty lines alone are one without signatures. ERR_ARCHIVE when
 * it is anything else, or has more than LIMIT_SIGNATURE_TEXT bytes, LIMIT_SIGNATURES or a comment
 * of more than LIMIT_SIGNATURE_COMMENT bytes: then none of it counts. Takes time in proportion to
 * size. The message says which line is wrong, and does not name the file or archive. */
int minisign_parse(const void *text, size_t size, struct minisign_text *parsed, struct err *e)
    __attribute__((warn_unused_result));

#endif
