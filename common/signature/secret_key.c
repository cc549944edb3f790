/* SPDX-License-Identifier: MIT */
#include "signature/secret_key.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"
#include "signature/base64.h"
#include "signature/lines.h"
#include "signature/pem.h"
#include "signature/scrypt.h"

/* The second line of minisign's file: the kinds of signature, of the password's treatment and of
 * the checksum, salt and cost, and what the password hides. */
#define KINDS_SIZE  6
#define SECRET_SIZE (ED25519_SEED_SIZE + PUBLIC_KEY_SIZE)
#define CHECK_SIZE  32
#define HIDDEN_SIZE (PUBLIC_KEY_ID_SIZE + SECRET_SIZE + CHECK_SIZE)
#define SALT_AT     KINDS_SIZE
#define COST_AT     (SALT_AT + SCRYPT_SALT_SIZE)
#define HIDDEN_AT   (COST_AT + 16)
#define FILE_SIZE   (HIDDEN_AT + HIDDEN_SIZE)

/* The DER of PrivateKeyInfo for Ed25519 up to the seed (RFC 8410), and of OneAsymmetricKey, which
 * has the public key behind it (RFC 5958). */
static const uint8_t pkcs8_start[] = {0x30, 0x2e, 2,    1,    0, 0x30, 5, 6,
                                      3,    0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20};
static const uint8_t pkcs8_v2_start[] = {0x30, 0x51, 2,    1,    1, 0x30, 5, 6,
                                         3,    0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20};
static const uint8_t pkcs8_v2_public[] = {0x81, 0x21, 0};

void secret_key_wipe(struct secret_key *key)
{
    explicit_bzero(key, sizeof *key);
}

static int no_secret_key(const char *why, struct err *e)
{
    return err_set(e, ERR_DAMAGED, "%s", why);
}

/* Completes a key of which the seed is there. claimed: the public key that the file has, or NULL.
 */
static int finish_key(struct secret_key *key, const uint8_t *claimed, const char *otherwise,
                      struct err *e)
{
    if (ed25519_public(key->seed, key->public.bytes, e) < 0)
        return -1;
    if (claimed && memcmp(claimed, key->public.bytes, PUBLIC_KEY_SIZE) != 0)
        return no_secret_key(otherwise, e);
    return 0;
}

/* ---- minisign ---- */

/* Makes of the hidden bytes what they were before the password was applied. */
static int reveal(uint8_t file[FILE_SIZE], const char *password, struct err *e)
{
    const struct scrypt_cost cost = {.operations = text_get_le64(file + COST_AT),
                                     .memory = text_get_le64(file + COST_AT + 8)};
    uint8_t stream[HIDDEN_SIZE];
    int r;

    if (!password)
        return err_set(e, ERR_USAGE,
                       "it wants a password: give a file with it (--sign-password-file)");
    r = scrypt_run(password, file + SALT_AT, &cost, stream, sizeof stream, e);
    for (size_t i = 0; r == 0 && i < sizeof stream; i++)
        file[HIDDEN_AT + i] ^= stream[i];
    explicit_bzero(stream, sizeof stream);
    return r;
}

/* The checksum in the file is not looked at: it is a BLAKE2b of 32 bytes, which OpenSSL 3.0 does
 * not have. That the public key belongs to the seed says as much about the password. */
static int take_minisign(uint8_t file[FILE_SIZE], const char *password, struct secret_key *key,
                         struct err *e)
{
    static const uint8_t zeros[2];
    const uint8_t *hidden = file + HIDDEN_AT;
    bool protected = memcmp(file + 2, "Sc", 2) == 0;

    if (memcmp(file, "Ed", 2) != 0 || memcmp(file + 4, "B2", 2) != 0 ||
        (!protected && memcmp(file + 2, zeros, 2) != 0))
        return no_secret_key("it is a secret key of a kind that is not known here", e);
    if (protected && reveal(file, password, e) < 0)
        return -1;
    memcpy(key->public.id, hidden, PUBLIC_KEY_ID_SIZE);
    memcpy(key->seed, hidden + PUBLIC_KEY_ID_SIZE, sizeof key->seed);
    return finish_key(key, hidden + PUBLIC_KEY_ID_SIZE + ED25519_SEED_SIZE,
                      protected ? "its password is another one, or it is damaged"
                                : "it is damaged: its two halves do not belong together",
                      e);
}

static int parse_minisign_secret(const uint8_t *text, size_t size, const char *password,
                                 struct secret_key *key, struct err *e)
{
    struct lines l = lines_of(text, size);
    uint8_t file[FILE_SIZE];
    int r;

    if (!lines_next(&l) || !lines_next(&l))
        return no_secret_key("it is cut short", e);
    if (base64_decode(l.line, l.size, file, sizeof file) != (ssize_t)sizeof file) {
        explicit_bzero(file, sizeof file);
        return no_secret_key("its second line is no secret key of minisign", e);
    }
    r = take_minisign(file, password, key, e);
    explicit_bzero(file, sizeof file);
    return r;
}

/* ---- PEM ---- */

static int wrong_secret_label(const char *label, struct err *e)
{
    if (strcmp(label, "ENCRYPTED PRIVATE KEY") == 0)
        return err_set(e, ERR_USAGE,
                       "it is PEM with a password, which only openssl can open: sign with "
                       "openssl pkeyutl as the --sign-command, or make a copy without a "
                       "password (openssl pkey -in KEY -out COPY)");
    if (strcmp(label, "OPENSSH PRIVATE KEY") == 0)
        return err_set(e, ERR_USAGE,
                       "it is a key of OpenSSH: make one with openssl genpkey "
                       "-algorithm ed25519, or with minisign -G");
    if (strcmp(label, "PUBLIC KEY") == 0)
        return no_secret_key("it is a public key: signing takes the secret one", e);
    return no_secret_key("it is no secret key in PEM (PKCS #8)", e);
}

static int take_pem(const struct pem *pem, struct secret_key *key, struct err *e)
{
    static const char damaged[] = "it is damaged: its two halves do not belong together";
    size_t start = sizeof pkcs8_start, both = start + ED25519_SEED_SIZE;
    const uint8_t *claimed = NULL;

    if (strcmp(pem->label, "PRIVATE KEY") != 0)
        return wrong_secret_label(pem->label, e);
    if (pem->size == both + sizeof pkcs8_v2_public + PUBLIC_KEY_SIZE &&
        memcmp(pem->bytes, pkcs8_v2_start, start) == 0 &&
        memcmp(pem->bytes + both, pkcs8_v2_public, sizeof pkcs8_v2_public) == 0)
        claimed = pem->bytes + both + sizeof pkcs8_v2_public;
    else if (pem->size != both || memcmp(pem->bytes, pkcs8_start, start) != 0)
        return no_secret_key("it is no Ed25519 key (openssl genpkey -algorithm ed25519 makes "
                             "one), or damaged",
                             e);
    memcpy(key->seed, pem->bytes + start, sizeof key->seed);
    if (finish_key(key, claimed, damaged, e) < 0)
        return -1;
    return public_key_set_id(&key->public, e);
}

bool secret_key_is(const uint8_t *text, size_t size)
{
    struct lines l = lines_of(text, size);

    return pem_is(text, size) ||
           (lines_next(&l) && lines_next(&l) && l.size == BASE64_TEXT_SIZE(FILE_SIZE) - 1);
}

int secret_key_parse(const uint8_t *text, size_t size, const char *password, struct secret_key *key,
                     struct err *e)
{
    struct lines l = lines_of(text, size);
    struct pem pem;
    int r;

    if (lines_next(&l) && lines_begins(&l, "untrusted comment:"))
        return parse_minisign_secret(text, size, password, key, e);
    if (!pem_is(text, size))
        return no_secret_key("it is no secret key, neither of minisign nor in PEM", e);
    r = pem_parse(text, size, &pem, e);
    if (r == 0)
        r = take_pem(&pem, key, e);
    explicit_bzero(&pem, sizeof pem);
    return r;
}
