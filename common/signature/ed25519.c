/* SPDX-License-Identifier: MIT */
#include "signature/ed25519.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

/* The order L of the base point, 2^252 + 27742317777372353535851937790883648493, and the prime
 * p = 2^255 - 19 of the field, little-endian (RFC 8032, section 5.1). */
static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                  0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                  0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
static const uint8_t prime[32] = {0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};

/* The y of the eight points whose order divides 8: 0 and -1 (order 4 and 2), 1 (the neutral
 * point), and two that points of order 8 share in pairs. With either sign bit these are ten of the
 * 14 strings that decode to such a point; the other four have y + p and are not canonical. */
static const uint8_t small_order[][32] = {
    {0},
    {1},
    {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
     0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
     0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
     0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
     0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
     0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

/* Whether a < b, both little-endian. All is public here, so the time may depend on it. */
static bool is_below(const uint8_t a[32], const uint8_t b[32])
{
    for (int i = 31; i >= 0; i--)
        if (a[i] != b[i])
            return a[i] < b[i];
    return false;
}

/* Whether an encoded point is the only encoding of its point, and of no small order. */
static bool is_proper_point(const uint8_t encoded[32])
{
    uint8_t y[32];

    memcpy(y, encoded, sizeof y);
    y[31] &= 0x7f; /* The top bit is the sign of x. */
    if (!is_below(y, prime))
        return false;
    for (size_t i = 0; i < sizeof small_order / sizeof *small_order; i++)
        if (memcmp(y, small_order[i], sizeof y) == 0)
            return false;
    return true;
}

bool ed25519_is_key(const uint8_t key[ED25519_KEY_SIZE])
{
    return is_proper_point(key);
}

/* OpenSSL tells a key or signature that is wrong from memory that is missing by nothing but its
 * list of errors. */
static int ask_openssl(EVP_PKEY *key, EVP_MD_CTX *context, const void *message, size_t size,
                       const uint8_t *signature, bool *good, struct err *e)
{
    int r;

    if (!key || !context ||
        EVP_DigestVerifyInit_ex(context, NULL, NULL, NULL, NULL, key, NULL) != 1)
        return err_nomem(e, "preparing Ed25519 (or OpenSSL is configured to have none)");
    r = EVP_DigestVerify(context, signature, ED25519_SIGNATURE_SIZE, message, size);
    if (r != 1 && ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE)
        return err_nomem(e, "verifying a signature");
    *good = r == 1;
    return 0;
}

int ed25519_verify(const uint8_t key[ED25519_KEY_SIZE], const void *message, size_t size,
                   const uint8_t signature[ED25519_SIGNATURE_SIZE], bool *good, struct err *e)
{
    EVP_PKEY *openssl_key;
    EVP_MD_CTX *context;
    int r;

    if (!is_proper_point(key) || !is_proper_point(signature) || !is_below(signature + 32, order)) {
        *good = false;
        return 0;
    }
    /* OpenSSL 3.0 follows a NULL pointer when it has no memory for its global state. */
    if (!OSSL_LIB_CTX_get0_global_default())
        return err_nomem(e, "preparing Ed25519");
    ERR_clear_error();
    openssl_key = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, key, ED25519_KEY_SIZE);
    context = EVP_MD_CTX_new();
    r = ask_openssl(openssl_key, context, message, size, signature, good, e);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(openssl_key);
    /* What was noted about a bad signature would be taken for an error of this thread's next
     * TLS call. */
    ERR_clear_error();
    return r;
}
