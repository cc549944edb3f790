/* SPDX-License-Identifier: MIT */
/* public_key: an Ed25519 public key as a file has it: the line that minisign writes, or PEM as
 * openssl writes it (SubjectPublicKeyInfo, RFC 8410).
 *
 * The 32 bytes are the key. The id of 8 bytes is a hint for people, which anybody can give to any
 * key: minisign chooses it at random; that of a PEM key is the first 8 bytes of the BLAKE2b-512
 * of the 32 bytes. Keys are the same when their 32 bytes are.
 *
 * Any thread may call these functions.
 */
#ifndef IHOP_SIGNATURE_PUBLIC_KEY_H
#define IHOP_SIGNATURE_PUBLIC_KEY_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define PUBLIC_KEY_SIZE    32
#define PUBLIC_KEY_ID_SIZE 8
#define PUBLIC_KEY_ID_TEXT 17 /* with NUL */

struct public_key {
    uint8_t bytes[PUBLIC_KEY_SIZE];
    uint8_t id[PUBLIC_KEY_ID_SIZE]; /* in the order of the file */
};

/* Parses the content of a key file: one key, in either form; what it is follows from the content
 * and not from a name. Lines may end with CR LF, and the last one may lack its end. Refused, with
 * ERR_DAMAGED and a text that says what it is instead: a secret key, a certificate, a key of
 * another kind, two keys, anything behind the key, base64 or DER other than the one encoding, and
 * the keys that ed25519.h refuses. The text does not name the file: the caller does. ERR_MEMORY.
 */
int public_key_parse(const uint8_t *text, size_t size, struct public_key *key, struct err *e)
    __attribute__((warn_unused_result));

/* Sets the id that a key has which was given none: see above. ERR_MEMORY, ERR_IO. */
int public_key_set_id(struct public_key *key, struct err *e) __attribute__((warn_unused_result));

/* Writes an id as minisign shows it: 16 upper-case hex digits, the last byte first. Returns out. */
const char *public_key_id_text(const uint8_t id[PUBLIC_KEY_ID_SIZE], char out[PUBLIC_KEY_ID_TEXT]);

#endif
