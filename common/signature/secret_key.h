/* SPDX-License-Identifier: MIT */
/* secret_key: an Ed25519 secret key as a file has it: that of minisign, with or without a
 * password, or PKCS #8 in PEM (RFC 8410) without one. For whoever signs archives: a device does
 * not link it.
 *
 * Nothing is ever asked for: who has no terminal must not wait for one. Any thread may call these
 * functions.
 */
#ifndef IHOP_SIGNATURE_SECRET_KEY_H
#define IHOP_SIGNATURE_SECRET_KEY_H

#include "base/err.h"
#include "signature/ed25519_sign.h"
#include "signature/public_key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret_key {
    uint8_t seed[ED25519_SEED_SIZE];
    struct public_key public; /* with the id of minisign's file, or that of a PEM key */
};

/* Whether a file looks like a secret key rather than like a signature, by its form alone. */
bool secret_key_is(const uint8_t *text, size_t size);

/* Parses the content of a key file. password: NULL when there is none; one that is not needed is
 * ignored. The caller wipes *key, and text. ERR_USAGE: the key wants a password, or is one of those
 * that only other programs can open, and the text says what to do. ERR_DAMAGED: it is no secret
 * key, or the password is wrong; ERR_MEMORY: with a password, minisign takes 1 GiB. The text does
 * not name the file. */
int secret_key_parse(const uint8_t *text, size_t size, const char *password, struct secret_key *key,
                     struct err *e) __attribute__((warn_unused_result));

/* Overwrites it. */
void secret_key_wipe(struct secret_key *key);

#endif
