/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "signature_support.h"

#include "signature/base64.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const uint8_t signature_message[64] = {1, 2, 3};

struct secret_key signature_secret(uint8_t number)
{
    struct secret_key key = {.seed = {number, 77}};
    struct err e = ERR_INIT;

    assert_ok(ed25519_public(key.seed, key.public.bytes, &e), e);
    memset(key.public.id, number, sizeof key.public.id);
    return key;
}

struct minisign_signature signature_by(const struct secret_key *key, const uint8_t message[64],
                                       const char *comment)
{
    struct minisign_signature s = {.comment = comment, .comment_size = strlen(comment)};
    size_t size = sizeof s.signature + s.comment_size;
    uint8_t *global = malloc(size);
    struct err e = ERR_INIT;

    memcpy(s.id, key->public.id, sizeof s.id);
    assert_ok(ed25519_sign(key->seed, message, 64, s.signature, &e), e);
    assert_non_null(global);
    memcpy(global, s.signature, sizeof s.signature);
    memcpy(global + sizeof s.signature, comment, s.comment_size);
    assert_ok(ed25519_sign(key->seed, global, size, s.global, &e), e);
    free(global);
    return s;
}

void signature_append(char *text, const struct secret_key *key, const char *comment)
{
    struct minisign_signature s = signature_by(key, signature_message, comment);
    struct err e = ERR_INIT;
    char *lines = minisign_write(&s, &e);

    assert_non_null(lines);
    strcat(text, lines);
    free(lines);
}

void signature_trust(struct key_set *set, uint8_t number)
{
    struct secret_key key = signature_secret(number);
    struct err e = ERR_INIT;

    assert_ok(key_set_add_key(set, &key.public, "a key", &e), e);
}

void signature_key_text(const struct public_key *key, char *text)
{
    uint8_t bytes[42] = "Ed";
    char base64[BASE64_TEXT_SIZE(sizeof bytes)];

    memcpy(bytes + 2, key->id, sizeof key->id);
    memcpy(bytes + 10, key->bytes, sizeof key->bytes);
    base64_encode(bytes, sizeof bytes, base64);
    sprintf(text, "untrusted comment: a key\n%s\n", base64);
}

void signature_key_pem(const struct public_key *key, char *text)
{
    uint8_t der[44] = {0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0};
    char base64[BASE64_TEXT_SIZE(sizeof der)];

    memcpy(der + 12, key->bytes, sizeof key->bytes);
    base64_encode(der, sizeof der, base64);
    sprintf(text, "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n", base64);
}
