/* SPDX-License-Identifier: MIT */
/* test_key_set: keys from files and directories, and that what cannot be read is never no key. */
#include "support.h"

#include "signature_support.h"

#include "base/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *key_file(const char *directory, const char *name, uint8_t number, bool pem)
{
    struct secret_key key = signature_secret(number);
    const char *path = support_path(directory, name);
    char text[512];

    (pem ? signature_key_pem : signature_key_text)(&key.public, text);
    support_write_file(path, text, strlen(text));
    return (char *)path;
}

static const char *key_directory(const char *directory, const char *name)
{
    const char *path = support_path(directory, name);

    assert_int_equal(mkdir(path, 0755), 0);
    return path;
}

static void adds(const char *path, size_t count)
{
    struct key_set set = {0};
    struct err e = ERR_INIT;

    assert_ok(key_set_add(&set, path, &e), e);
    assert_int_equal(set.count, count);
    key_set_free(&set);
}

static void fails(const char *path, enum err_kind kind, const char *why)
{
    struct key_set set = {0};
    struct err e = ERR_INIT;

    assert_fails(key_set_add(&set, path, &e), e, kind, why);
    assert_non_null(strstr(e.text, path));
    key_set_free(&set);
}

/* The content is no public key, for this reason. */
static void is_no_key(const char *text, const char *why)
{
    struct public_key key;
    struct err e = ERR_INIT;

    assert_fails(public_key_parse((const uint8_t *)text, strlen(text), &key, &e), e, ERR_DAMAGED,
                 why);
}

static void forms_of_a_key(void **state)
{
    struct secret_key secret = signature_secret(1);
    struct public_key key;
    struct err e = ERR_INIT;
    char text[512], loose[600];

    (void)state;
    signature_key_text(&secret.public, text);
    assert_ok(public_key_parse((uint8_t *)text, strlen(text), &key, &e), e);
    assert_memory_equal(&key, &secret.public, sizeof key);
    snprintf(loose, sizeof loose, "%.*s\r\n\r\n", (int)strlen(text) - 1, text);
    assert_ok(public_key_parse((uint8_t *)loose, strlen(loose), &key, &e), e);
    assert_ok(public_key_parse((uint8_t *)text, strlen(text) - 1, &key, &e), e);
    signature_key_pem(&secret.public, text);
    snprintf(loose, sizeof loose, "a title\n%sand more\n", text);
    assert_ok(public_key_parse((uint8_t *)loose, strlen(loose), &key, &e), e);
    assert_memory_equal(key.bytes, secret.public.bytes, sizeof key.bytes);
}

/* The key of RFC 8410, section 10.1, as openssl prints it, and its id: BLAKE2b by Python. */
static void a_key_by_openssl(void **state)
{
    static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
                              "-----END PUBLIC KEY-----\n";
    struct public_key key;
    struct err e = ERR_INIT;
    char id[PUBLIC_KEY_ID_TEXT];

    (void)state;
    assert_ok(public_key_parse((const uint8_t *)pem, strlen(pem), &key, &e), e);
    assert_int_equal(key.bytes[0], 0x19);
    assert_int_equal(key.bytes[31], 0xe1);
    assert_string_equal(public_key_id_text(key.id, id), "CAE165AB7A824242");
}

static void what_is_no_key(void **state)
{
    struct secret_key secret = signature_secret(1);
    struct public_key neutral = {.bytes = {1}};
    char text[512], twice[1024];

    (void)state;
    is_no_key("", "it is empty");
    is_no_key("hello\n", "it is no public key, neither of minisign nor in PEM");
    is_no_key("untrusted comment: x", "cut short");
    is_no_key("untrusted comment: x\nRWQ2\n", "no public key of minisign");
    is_no_key("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "a secret key");
    is_no_key("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "a certificate");
    is_no_key("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no Ed25519 key");
    is_no_key("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "has no end");
    is_no_key("-----BEGIN X\nAAAA\n", "odd first line");
    is_no_key("-----BEGIN A\x1b[2J-----\nAAAA\n-----END A\x1b[2J-----\n", "'A?[2J'");
    signature_key_text(&secret.public, text);
    snprintf(twice, sizeof twice, "%s%s", text, text);
    is_no_key(twice, "give each key a file");
    memcpy(strstr(text, "\nR"), "\nS", 2);
    is_no_key(text, "no public key of minisign");
    signature_key_pem(&secret.public, text);
    snprintf(twice, sizeof twice, "%s%s", text, text);
    is_no_key(twice, "more than one PEM block");
    signature_key_text(&neutral, text);
    is_no_key(text, "anybody can sign for");
    signature_key_pem(&neutral, text);
    is_no_key(text, "anybody can sign for");
}

/* minisign's other files, told apart by the length of their second line. */
static void other_files_of_minisign(void **state)
{
    char text[512], line[256];

    (void)state;
    memset(line, 'A', sizeof line);
    snprintf(text, sizeof text, "untrusted comment: x\n%.212s\n", line);
    is_no_key(text, "a secret key of minisign");
    snprintf(text, sizeof text, "untrusted comment: x\n%.100s\n", line);
    is_no_key(text, "a signature of minisign");
}

static void files_and_directories(void **state)
{
    const char *directory = *state, *keys = key_directory(directory, "keys");
    struct key_set set = {0};
    struct err e = ERR_INIT;

    adds(key_file(directory, "one.pub", 1, false), 1);
    key_file(keys, "b", 2, false);
    key_file(keys, "a.pem", 3, true);
    key_file(keys, "c.pub", 2, true); /* the same bytes as b */
    assert_int_equal(symlink("b", support_path(keys, "d")), 0);
    adds(keys, 2);
    assert_ok(key_set_add(&set, support_path(directory, "one.pub"), &e), e);
    assert_ok(key_set_add(&set, keys, &e), e);
    assert_ok(key_set_add_default(&set, keys, &e), e);
    assert_int_equal(set.count, 3);
    assert_string_equal(set.keys[1].path, support_path(keys, "a.pem"));
    assert_string_equal(set.keys[2].path, support_path(keys, "b"));
    key_set_free(&set);
}

static void leftovers_are_no_keys(void **state)
{
    static const char *const names[] = {".hidden", "a.pub~", "a.pub.dpkg-old", "a.pub.rpmsave",
                                        "a.bak",   "a.orig", "a.ucf-dist"};
    const char *keys = key_directory(*state, "keys");
    struct key_set set = {0};
    struct err e = ERR_INIT;

    for (size_t i = 0; i < COUNT(names); i++)
        support_write_file(support_path(keys, names[i]), "x", 1);
    fails(keys, ERR_DAMAGED, "has no key");
    /* Somebody meant to have keys here: the default directory is not empty then, but broken. */
    assert_fails(key_set_add_default(&set, keys, &e), e, ERR_DAMAGED, "has no key but");
    assert_int_equal(set.count, 0);
    key_file(keys, "a.pub", 1, false);
    adds(keys, 1);
}

/* One broken entry makes the whole directory useless, the default one, too. */
static void broken_entry(const char *keys, const char *name, enum err_kind kind, const char *why)
{
    const char *path = support_path(keys, name);
    struct key_set set = {0};
    struct err e = ERR_INIT;

    assert_fails(key_set_add(&set, keys, &e), e, kind, why);
    assert_non_null(strstr(e.text, path));
    key_set_free(&set);
    assert_fails(key_set_add_default(&set, keys, &e), e, kind, why);
    key_set_free(&set);
    assert_int_equal(remove(path), 0);
}

static void broken_entries(void **state)
{
    const char *keys = key_directory(*state, "keys");
    char large[LIMIT_KEY_FILE + 1];

    key_file(keys, "good.pub", 1, false);
    support_write_file(support_path(keys, "README"), "hello\n", 6);
    broken_entry(keys, "README", ERR_DAMAGED, "no public key");
    support_write_file(support_path(keys, "empty.pub"), "", 0);
    broken_entry(keys, "empty.pub", ERR_DAMAGED, "empty");
    memset(large, '\n', sizeof large);
    support_write_file(support_path(keys, "large"), large, sizeof large);
    broken_entry(keys, "large", ERR_DAMAGED, "large");
    assert_int_equal(symlink("nowhere", support_path(keys, "link")), 0);
    broken_entry(keys, "link", ERR_NOT_FOUND, "cannot open the key");
    assert_int_equal(mkfifo(support_path(keys, "fifo"), 0600), 0);
    broken_entry(keys, "fifo", ERR_DAMAGED, "fifo");
    key_directory(keys, "directory");
    broken_entry(keys, "directory", ERR_DAMAGED, "directory");
    adds(keys, 1);
}

static void what_cannot_be_read(void **state)
{
    const char *file = key_file(*state, "one.pub", 1, false);
    const char *keys = key_directory(*state, "keys"), *missing = support_path(*state, "missing");
    struct key_set set = {0};
    struct err e = ERR_INIT;

    fails(missing, ERR_NOT_FOUND, "cannot open the key");
    fails(keys, ERR_DAMAGED, "has no key");
    assert_ok(key_set_add_default(&set, missing, &e), e);
    assert_ok(key_set_add_default(&set, keys, &e), e);
    assert_int_equal(set.count, 0);
    assert_fails(key_set_add_default(&set, file, &e), e, ERR_IO, file);
    if (geteuid() == 0)
        return; /* root reads all */
    assert_int_equal(chmod(file, 0), 0);
    assert_int_equal(chmod(keys, 0), 0);
    fails(file, ERR_IO, "Permission denied");
    fails(keys, ERR_IO, "Permission denied");
    assert_fails(key_set_add_default(&set, keys, &e), e, ERR_IO, "Permission denied");
    assert_int_equal(chmod(keys, 0700), 0);
}

static void too_many_keys(void **state)
{
    struct key_set set = {0};
    struct secret_key more = signature_secret(LIMIT_KEYS);
    struct err e = ERR_INIT;

    (void)state;
    for (uint8_t i = 0; i < LIMIT_KEYS; i++)
        signature_trust(&set, i);
    signature_trust(&set, 0);
    assert_fails(key_set_add_key(&set, &more.public, "more.pub", &e), e, ERR_DAMAGED, "more.pub");
    key_set_free(&set);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_of_a_key),    cmocka_unit_test(a_key_by_openssl),
        cmocka_unit_test(what_is_no_key),    cmocka_unit_test(other_files_of_minisign),
        IN_DIRECTORY(files_and_directories), IN_DIRECTORY(leftovers_are_no_keys),
        IN_DIRECTORY(broken_entries),        IN_DIRECTORY(what_cannot_be_read),
        cmocka_unit_test(too_many_keys),
    };

    return cmocka_run_group_tests_name("key_set", tests, NULL, NULL);
}
