/* SPDX-License-Identifier: MIT */
/* scrypt: makes a key of a password (RFC 7914), by OpenSSL, with the two limits that libsodium's
 * callers give instead of N, r and p. Any thread may call it. */
#ifndef IHOP_SIGNATURE_SCRYPT_H
#define IHOP_SIGNATURE_SCRYPT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SCRYPT_SALT_SIZE 32

struct scrypt_cost {
    uint64_t operations, memory; /* in bytes */
};

struct scrypt_parameters {
    uint64_t n;
    uint32_t r, p;
};

/* What libsodium's crypto_pwhash_scryptsalsa208sha256 takes for a cost: r is 8, and N and p are as
 * large as the two limits permit. Pure. */
struct scrypt_parameters scrypt_choose(const struct scrypt_cost *cost);

/* Fills out with what the password gives. ERR_DAMAGED when the cost exceeds LIMIT_SCRYPT_MEMORY or
 * LIMIT_SCRYPT_WORK, before anything is allocated; ERR_MEMORY. */
int scrypt_run(const char *password, const uint8_t salt[SCRYPT_SALT_SIZE],
               const struct scrypt_cost *cost, uint8_t *out, size_t size, struct err *e)
    __attribute__((warn_unused_result));

#endif
