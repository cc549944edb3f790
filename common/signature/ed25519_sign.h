/* SPDX-License-Identifier: MIT */
/* ed25519_sign: makes signatures of RFC 8032, by OpenSSL. For whoever signs archives: a device
 * does not link it. Any thread may call these functions. */
#ifndef IHOP_SIGNATURE_ED25519_SIGN_H
#define IHOP_SIGNATURE_ED25519_SIGN_H

#include "base/err.h"
#include "signature/ed25519.h"

#include <stddef.h>
#include <stdint.h>

#define ED25519_SEED_SIZE 32 /* the secret from which all else follows */

/* The public key of a secret one. ERR_MEMORY, or ERR_IO when OpenSSL has no Ed25519. */
int ed25519_public(const uint8_t seed[ED25519_SEED_SIZE], uint8_t key[ED25519_KEY_SIZE],
                   struct err *e) __attribute__((warn_unused_result));

/* Signs a message; the same message gives the same signature. ERR_MEMORY, ERR_IO. */
int ed25519_sign(const uint8_t seed[ED25519_SEED_SIZE], const void *message, size_t size,
                 uint8_t signature[ED25519_SIGNATURE_SIZE], struct err *e)
    __attribute__((warn_unused_result));

#endif
