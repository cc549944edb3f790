/* SPDX-License-Identifier: MIT */
#include "format/chunk_hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct chunk_hasher {
    EVP_MD *md; /* fetched once, because a fetch takes longer than hashing a small chunk */
    EVP_MD_CTX *running;
    EVP_MD_CTX *copy;
};

struct chunk_hasher *chunk_hasher_new(struct err *e)
{
    struct chunk_hasher *h = NULL;

    /* OpenSSL 3.0 follows a NULL pointer when it has no memory for its global state. */
    if (OSSL_LIB_CTX_get0_global_default())
        h = calloc(1, sizeof *h);
    if (h) {
        h->md = EVP_MD_fetch(NULL, "BLAKE2B-512", NULL);
        h->running = EVP_MD_CTX_new();
        h->copy = EVP_MD_CTX_new();
    }
    if (!h || !h->md || !h->running || !h->copy) {
        /* OpenSSL's own errors do not say which of the two it was. */
        if (h && !h->md && EVP_default_properties_is_fips_enabled(NULL))
            err_set(e, ERR_IO, "this OpenSSL has no BLAKE2b (it is configured for FIPS)");
        else
            err_nomem(e, "preparing BLAKE2b (or OpenSSL is configured to have none)");
        chunk_hasher_free(h);
        return NULL;
    }
    return h;
}

void chunk_hasher_free(struct chunk_hasher *h)
{
    if (!h)
        return;
    EVP_MD_CTX_free(h->copy);
    EVP_MD_CTX_free(h->running);
    EVP_MD_free(h->md);
    free(h);
}

void chunk_hasher_cleanup(struct chunk_hasher **h)
{
    chunk_hasher_free(*h);
}

static int check_digest(int ok, struct err *e)
{
    return ok ? 0 : err_nomem(e, "computing BLAKE2b");
}

int chunk_hash_begin(struct chunk_hasher *h, struct err *e)
{
    return check_digest(EVP_DigestInit_ex2(h->running, h->md, NULL), e);
}

int chunk_hash_update(struct chunk_hasher *h, const void *data, size_t size, struct err *e)
{
    return check_digest(EVP_DigestUpdate(h->running, data, size), e);
}

int chunk_hash_end(struct chunk_hasher *h, uint8_t out[CHUNK_HASH_SIZE], struct err *e)
{
    return check_digest(EVP_DigestFinal_ex(h->running, out, NULL), e);
}

int chunk_hash_peek(struct chunk_hasher *h, uint8_t out[CHUNK_HASH_SIZE], struct err *e)
{
    return check_digest(
        EVP_MD_CTX_copy_ex(h->copy, h->running) && EVP_DigestFinal_ex(h->copy, out, NULL), e);
}

int chunk_hash(struct chunk_hasher *h, const void *data, size_t size, uint8_t out[CHUNK_HASH_SIZE],
               struct err *e)
{
    if (chunk_hash_begin(h, e) < 0 || chunk_hash_update(h, data, size, e) < 0)
        return -1;
    return chunk_hash_end(h, out, e);
}
