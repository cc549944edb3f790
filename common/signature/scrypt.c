/* SPDX-License-Identifier: MIT */
#include "signature/scrypt.h"

#include "base/checked.h"
#include "base/limits.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#define R                8
#define BLOCK_SIZE       (128 * R) /* of memory, N of them */
#define LEAST_OPERATIONS 32768
#define MOST_RP          0x3fffffff

/* The largest power of two that is at most max, from 2 to 2^63. */
static uint64_t power_below(uint64_t max)
{
    uint64_t n = 2;

    while (n <= max / 2)
        n *= 2;
    return n;
}

struct scrypt_parameters scrypt_choose(const struct scrypt_cost *cost)
{
    uint64_t operations = max_u64(cost->operations, LEAST_OPERATIONS);
    struct scrypt_parameters s = {.r = R, .p = 1};

    if (operations < cost->memory / 32) {
        s.n = power_below(operations / (R * 4));
        return s;
    }
    s.n = power_below(cost->memory / BLOCK_SIZE);
    s.p = (uint32_t)(min_u64(operations / 4 / s.n, MOST_RP) / R);
    return s;
}

int scrypt_run(const char *password, const uint8_t salt[SCRYPT_SALT_SIZE],
               const struct scrypt_cost *cost, uint8_t *out, size_t size, struct err *e)
{
    struct scrypt_parameters s = scrypt_choose(cost);

    if (s.p == 0)
        return err_set(e, ERR_DAMAGED, "it asks for impossible work to open it");
    if (s.n > LIMIT_SCRYPT_MEMORY / BLOCK_SIZE || s.n * s.p > LIMIT_SCRYPT_WORK / R)
        return err_set(e, ERR_DAMAGED,
                       "it asks for more than %llu MiB or minutes of work to open it",
                       (unsigned long long)(LIMIT_SCRYPT_MEMORY / MIB));
    /* OpenSSL 3.0 follows a NULL pointer when it has no memory for its global state. OpenSSL counts
     * a little more than the N blocks. */
    if (!OSSL_LIB_CTX_get0_global_default() ||
        EVP_PBE_scrypt(password, strlen(password), salt, SCRYPT_SALT_SIZE, s.n, s.r, s.p,
                       LIMIT_SCRYPT_MEMORY + LIMIT_SCRYPT_WORK, out, size) != 1)
        return err_set(e, ERR_MEMORY,
                       "out of memory while opening a key with its password: that "
                       "takes %llu MiB",
                       (unsigned long long)(s.n * BLOCK_SIZE / MIB));
    return 0;
}
