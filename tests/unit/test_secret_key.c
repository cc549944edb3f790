/* SPDX-License-Identifier: MIT */
/* test_secret_key: secret keys as openssl and minisign write them, and the password's cost. */
#include "support.h"

#include "signature_support.h"

#include "base/limits.h"
#include "base/text.h"
#include "signature/base64.h"
#include "signature/scrypt.h"

#include <stdio.h>
#include <string.h>

/* RFC 8410, section 10.3: the key of both examples, alone and with its public half. */
static const char pkcs8[] = "-----BEGIN PRIVATE KEY-----\n"
                            "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
                            "-----END PRIVATE KEY-----\n";
static const char public_half[] =
    "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1";

/* A key of minisign's with the password "secret", for little work: made with Python. */
static const char protected_key[] =
    "untrusted comment: minisign encrypted secret key\n"
    "RWRTY0IyZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7fH1+f4CBgoMAgAAAAAAAAAAAAAEAAAAA/3CwXDvFt2WdP8k2"
    "oIAp1GWm/cLGLxWK9f3az4rhVo7zuxLXmoQkXPs1jtaXHybuL+1aOZLroO3mIgPS6oqGbnVY2xrqSJc9ZQyoN2kk"
    "mefDq8YFaggOlKRqgDJWlxXlUWZ9iOKN6C0=\n";

static void parses(const char *text, const char *password, struct secret_key *key)
{
    struct err e = ERR_INIT;

    assert_ok(secret_key_parse((const uint8_t *)text, strlen(text), password, key, &e), e);
}

static void is_no_secret(const char *text, const char *password, enum err_kind kind,
                         const char *why)
{
    struct secret_key key;
    struct err e = ERR_INIT;

    assert_fails(secret_key_parse((const uint8_t *)text, strlen(text), password, &key, &e), e, kind,
                 why);
}

/* The text of a PEM file with the DER that follows from the seed of the RFC's example. */
static void pem_text(const uint8_t *der, size_t size, char *text)
{
    char body[BASE64_TEXT_SIZE(200)];

    base64_encode(der, size, body);
    sprintf(text, "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n", body);
}

static void pkcs8_in_pem(void **state)
{
    uint8_t der[83] = {0x30, 0x51, 2, 1,    1, 0x30, 5,           6,    3, 0x2b,
                       0x65, 0x70, 4, 0x22, 4, 0x20, [48] = 0x81, 0x21, 0};
    struct secret_key key, both;
    char text[512], hex[65];

    (void)state;
    parses(pkcs8, NULL, &key);
    text_hex(key.public.bytes, sizeof key.public.bytes, hex);
    assert_string_equal(hex, public_half);
    memcpy(der + 16, key.seed, sizeof key.seed);
    memcpy(der + 51, key.public.bytes, sizeof key.public.bytes);
    pem_text(der, sizeof der, text);
    parses(text, "a password that is not needed", &both);
    assert_memory_equal(&key, &both, sizeof key);
    der[60] ^= 1;
    pem_text(der, sizeof der, text);
    is_no_secret(text, NULL, ERR_DAMAGED, "two halves");
    pem_text(der, sizeof der - 1, text);
    is_no_secret(text, NULL, ERR_DAMAGED, "no Ed25519 key");
}

static void wrong_files(void **state)
{
    (void)state;
    is_no_secret("", NULL, ERR_DAMAGED, "no secret key");
    is_no_secret(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n", "x",
        ERR_USAGE, "openssl pkey -in KEY -out COPY");
    is_no_secret("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
                 NULL, ERR_USAGE, "OpenSSH");
    is_no_secret("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", NULL, ERR_DAMAGED,
                 "public key");
    is_no_secret("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", NULL,
                 ERR_DAMAGED, "PKCS #8");
    is_no_secret("untrusted comment: x\n", NULL, ERR_DAMAGED, "cut short");
    is_no_secret("untrusted comment: x\nRWQ\n", NULL, ERR_DAMAGED, "no secret key of minisign");
}

/* minisign's file for a key, without a password. */
static void minisign_file(const struct secret_key *key, uint8_t file[158])
{
    memset(file, 0, 158);
    memcpy(file, "Ed\0\0B2", 6);
    memcpy(file + 54, key->public.id, 8);
    memcpy(file + 62, key->seed, 32);
    memcpy(file + 94, key->public.bytes, 32);
}

static void minisign_text_of(const uint8_t file[158], char *text)
{
    char base64[BASE64_TEXT_SIZE(158)];

    base64_encode(file, 158, base64);
    sprintf(text, "untrusted comment: x\n%s\n", base64);
}

static void minisign_without_password(void **state)
{
    struct secret_key made = signature_secret(3), key;
    uint8_t file[158];
    char text[512];

    (void)state;
    minisign_file(&made, file);
    minisign_text_of(file, text);
    parses(text, NULL, &key);
    assert_memory_equal(&key, &made, sizeof key);
    file[100] ^= 1;
    minisign_text_of(file, text);
    is_no_secret(text, NULL, ERR_DAMAGED, "two halves");
    for (int at = 0; at < 6; at++) {
        minisign_file(&made, file);
        file[at] ^= 1;
        minisign_text_of(file, text);
        is_no_secret(text, NULL, ERR_DAMAGED, "of a kind that is not known");
    }
}

static void minisign_with_password(void **state)
{
    struct secret_key key;
    char id[PUBLIC_KEY_ID_TEXT];

    (void)state;
    is_no_secret(protected_key, NULL, ERR_USAGE, "it wants a password");
    parses(protected_key, "secret", &key);
    assert_string_equal(public_key_id_text(key.public.id, id), "0102030405060708");
    is_no_secret(protected_key, "Secret", ERR_DAMAGED, "its password is another one");
}

/* A password that a file makes too dear is refused before it costs anything. */
static void dear_passwords(void **state)
{
    static const uint64_t costs[][2] = {{UINT64_C(1) << 26, UINT64_C(1) << 31},
                                        {UINT64_MAX, UINT64_MAX},
                                        {UINT64_MAX, 0},
                                        {UINT64_C(1) << 40, UINT64_C(1) << 20}};
    struct secret_key made = signature_secret(3);
    uint8_t file[158];
    char text[512];

    (void)state;
    for (size_t i = 0; i < COUNT(costs); i++) {
        minisign_file(&made, file);
        memcpy(file + 2, "Sc", 2);
        text_put_le64(file + 38, costs[i][0]);
        text_put_le64(file + 46, costs[i][1]);
        minisign_text_of(file, text);
        is_no_secret(text, "x", ERR_DAMAGED, "it asks for more than 1024 MiB");
    }
}

/* What libsodium takes for its two usual pairs of limits, and for the least. */
static void parameters(void **state)
{
    static const struct {
        uint64_t operations, memory, n;
        uint32_t p;
    } rows[] = {
        {524288, 16777216, 1 << 14, 1},     /* INTERACTIVE */
        {33554432, 1073741824, 1 << 20, 1}, /* SENSITIVE */
        {16777216, 1073741824, 1 << 19, 1}, /* fewer operations than the memory permits */
        {33554432, 16777216, 1 << 14, 64},  /* less memory */
        {0, 16777216, 1 << 10, 1},          /* counts as 32768 */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct scrypt_cost cost = {rows[i].operations, rows[i].memory};
        struct scrypt_parameters s = scrypt_choose(&cost);

        assert_int_equal(s.n, rows[i].n);
        assert_int_equal(s.r, 8);
        assert_int_equal(s.p, rows[i].p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pkcs8_in_pem),
        cmocka_unit_test(wrong_files),
        cmocka_unit_test(minisign_without_password),
        cmocka_unit_test(minisign_with_password),
        cmocka_unit_test(dear_passwords),
        cmocka_unit_test(parameters),
    };

    return cmocka_run_group_tests_name("secret_key", tests, NULL, NULL);
}
