/* SPDX-License-Identifier: MIT */
/* signature_support: keys and signatures for unit tests, always the same. */
#ifndef IHOP_TESTS_UNIT_SIGNATURE_SUPPORT_H
#define IHOP_TESTS_UNIT_SIGNATURE_SUPPORT_H

#include "signature/key_set.h"
#include "signature/minisign_write.h"
#include "signature/secret_key.h"

/* The message that is signed unless a test says otherwise. */
extern const uint8_t signature_message[64];

/* A key whose secret and id depend on number. */
struct secret_key signature_secret(uint8_t number);

/* Its signature of 64 bytes, with a comment. comment must live as long as the result. */
struct minisign_signature signature_by(const struct secret_key *key, const uint8_t message[64],
                                       const char *comment);

/* Appends the text of a signature of signature_message to text, which has the space. */
void signature_append(char *text, const struct secret_key *key, const char *comment);

/* Adds the public key of number to the set. */
void signature_trust(struct key_set *set, uint8_t number);

/* The content of its public key file in minisign's form, or in PEM. */
void signature_key_text(const struct public_key *key, char *text);
void signature_key_pem(const struct public_key *key, char *text);

#endif
