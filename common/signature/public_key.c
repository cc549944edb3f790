/* SPDX-License-Identifier: MIT */
#include "signature/public_key.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "format/chunk_hash.h"
#include "signature/base64.h"
#include "signature/ed25519.h"
#include "signature/lines.h"
#include "signature/pem.h"

#include <stdio.h>

/* A minisign key file: its second line has "Ed", the id and the key. Its other files have the same
 * looks. */
#define MINISIGN_KEY_SIZE       (2 + PUBLIC_KEY_ID_SIZE + PUBLIC_KEY_SIZE)
#define MINISIGN_SECRET_TEXT    212 /* characters of the second line of a secret key */
#define MINISIGN_SIGNATURE_TEXT 100

/* The DER of SubjectPublicKeyInfo for Ed25519, up to the key (RFC 8410): a SEQUENCE of the
 * SEQUENCE with the OID 1.3.101.112, and of a BIT STRING. DER has no other encoding of it. */
static const uint8_t spki_start[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                     0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

static int not_a_key(const char *why, struct err *e)
{
    return err_set(e, ERR_DAMAGED, "%s", why);
}

int public_key_set_id(struct public_key *key, struct err *e)
{
    CLEANUP(chunk_hasher_cleanup) struct chunk_hasher *h = chunk_hasher_new(e);
    uint8_t hash[CHUNK_HASH_SIZE];

    if (!h || chunk_hash(h, key->bytes, sizeof key->bytes, hash, e) < 0)
        return -1;
    memcpy(key->id, hash, sizeof key->id);
    return 0;
}

const char *public_key_id_text(const uint8_t id[PUBLIC_KEY_ID_SIZE], char out[PUBLIC_KEY_ID_TEXT])
{
    snprintf(out, PUBLIC_KEY_ID_TEXT, "%016llX", (unsigned long long)text_get_le64(id));
    return out;
}

/* ---- minisign ---- */

static int wrong_minisign(const struct lines *l, struct err *e)
{
    if (l->size == MINISIGN_SECRET_TEXT)
        return not_a_key("it is a secret key of minisign: give its public key (minisign -R makes "
                         "it again)",
                         e);
    if (l->size == MINISIGN_SIGNATURE_TEXT)
        return not_a_key("it is a signature of minisign, no key", e);
    return not_a_key("its second line is no public key of minisign", e);
}

static int parse_minisign(const uint8_t *text, size_t size, struct public_key *key, struct err *e)
{
    struct lines l = lines_of(text, size);
    uint8_t bytes[MINISIGN_KEY_SIZE];

    if (!lines_next(&l) || !lines_next(&l))
        return not_a_key("it is cut short", e);
    if (base64_decode(l.line, l.size, bytes, sizeof bytes) != (ssize_t)sizeof bytes ||
        memcmp(bytes, "Ed", 2) != 0)
        return wrong_minisign(&l, e);
    while (lines_next(&l))
        if (l.size > 0)
            return not_a_key("behind the public key there is something else: give each key a "
                             "file",
                             e);
    memcpy(key->id, bytes + 2, sizeof key->id);
    memcpy(key->bytes, bytes + 2 + sizeof key->id, sizeof key->bytes);
    return 0;
}

/* ---- PEM ---- */

static int wrong_label(const char *label, struct err *e)
{
    char text[PEM_LABEL_SIZE];

    if (strstr(label, "PRIVATE KEY"))
        return not_a_key("it is a secret key: give its public key (openssl pkey -pubout makes it)",
                         e);
    if (strstr(label, "CERTIFICATE"))
        return not_a_key("it is a certificate: give the key in it (openssl x509 -pubkey -noout)",
                         e);
    snprintf(text, sizeof text, "%s", label);
    text_make_printable(text);
    return err_set(e, ERR_DAMAGED, "it is PEM of another kind, '%s'", text);
}

static int parse_pem_key(const uint8_t *text, size_t size, struct public_key *key, struct err *e)
{
    struct pem pem;

    if (pem_parse(text, size, &pem, e) < 0)
        return -1;
    if (strcmp(pem.label, "PUBLIC KEY") != 0)
        return wrong_label(pem.label, e);
    if (pem.size != sizeof spki_start + PUBLIC_KEY_SIZE ||
        memcmp(pem.bytes, spki_start, sizeof spki_start) != 0)
        return not_a_key("it is no Ed25519 key (openssl genpkey -algorithm ed25519 makes one), or "
                         "damaged",
                         e);
    memcpy(key->bytes, pem.bytes + sizeof spki_start, sizeof key->bytes);
    return public_key_set_id(key, e);
}

int public_key_parse(const uint8_t *text, size_t size, struct public_key *key, struct err *e)
{
    struct lines l = lines_of(text, size);
    struct public_key parsed;
    int r;

    if (size == 0)
        return not_a_key("it is empty", e);
    if (lines_next(&l) && lines_begins(&l, "untrusted comment:"))
        r = parse_minisign(text, size, &parsed, e);
    else if (pem_is(text, size))
        r = parse_pem_key(text, size, &parsed, e);
    else
        r = not_a_key("it is no public key, neither of minisign nor in PEM", e);
    if (r < 0)
        return -1;
    if (!ed25519_is_key(parsed.bytes))
        return not_a_key("its key is one that anybody can sign for, or not canonical", e);
    *key = parsed;
    return 0;
}
