/* SPDX-License-Identifier: MIT */
#include "signature/ed25519_sign.h"

#include "base/cleanup.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

static void free_secret(EVP_PKEY **key)
{
    EVP_PKEY_free(*key); /* which overwrites it */
}

static void free_context(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
}

static EVP_PKEY *open_secret(const uint8_t seed[ED25519_SEED_SIZE], struct err *e)
{
    EVP_PKEY *key = NULL;

    /* OpenSSL 3.0 follows a NULL pointer when it has no memory for its global state. */
    if (OSSL_LIB_CTX_get0_global_default())
        key = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, ED25519_SEED_SIZE);
    if (!key)
        err_nomem(e, "preparing Ed25519 (or OpenSSL is configured to have none)");
    return key;
}

int ed25519_public(const uint8_t seed[ED25519_SEED_SIZE], uint8_t key[ED25519_KEY_SIZE],
                   struct err *e)
{
    CLEANUP(free_secret) EVP_PKEY *secret = open_secret(seed, e);
    size_t size = ED25519_KEY_SIZE;

    if (!secret)
        return -1;
    if (EVP_PKEY_get_raw_public_key(secret, key, &size) != 1 || size != ED25519_KEY_SIZE)
        return err_nomem(e, "computing a public key");
    return 0;
}

int ed25519_sign(const uint8_t seed[ED25519_SEED_SIZE], const void *message, size_t size,
                 uint8_t signature[ED25519_SIGNATURE_SIZE], struct err *e)
{
    CLEANUP(free_secret) EVP_PKEY *secret = open_secret(seed, e);
    CLEANUP(free_context) EVP_MD_CTX *context = secret ? EVP_MD_CTX_new() : NULL;
    size_t made = ED25519_SIGNATURE_SIZE;

    if (!secret)
        return -1;
    if (!context || EVP_DigestSignInit_ex(context, NULL, NULL, NULL, NULL, secret, NULL) != 1 ||
        EVP_DigestSign(context, signature, &made, message, size) != 1 ||
        made != ED25519_SIGNATURE_SIZE)
        return err_nomem(e, "signing");
    return 0;
}
