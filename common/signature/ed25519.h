/* SPDX-License-Identifier: MIT */
/* ed25519: verifies signatures of RFC 8032, by OpenSSL, and strictly.
 *
 * Refused before OpenSSL is asked: S that is not below the order of the group, a key or an R that
 * is not encoded canonically, and those that are points of small order, for which a signature
 * can be made that holds for many messages. So a signature has one encoding, and what one version
 * of OpenSSL accepts all do.
 *
 * Any thread may call these functions.
 */
#ifndef IHOP_SIGNATURE_ED25519_H
#define IHOP_SIGNATURE_ED25519_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ED25519_KEY_SIZE       32
#define ED25519_SIGNATURE_SIZE 64

/* Whether 32 bytes may be a public key: canonical, and of no small order. Pure. That they are a
 * point at all is found out with the first signature, which no other key verifies. */
bool ed25519_is_key(const uint8_t key[ED25519_KEY_SIZE]);

/* Sets *good: whether key signed the message. ERR_MEMORY; ERR_IO when OpenSSL has no Ed25519. */
int ed25519_verify(const uint8_t key[ED25519_KEY_SIZE], const void *message, size_t size,
                   const uint8_t signature[ED25519_SIGNATURE_SIZE], bool *good, struct err *e)
    __attribute__((warn_unused_result));

#endif
