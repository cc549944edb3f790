/* SPDX-License-Identifier: MIT */
/* test_signed_by: who has signed, whatever ids say, and what the messages name. */
#include "support.h"

#include "signature_support.h"

#include "base/limits.h"
#include "signature/signed_by.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void find(const char *text, const struct key_set *set, struct signed_by *by)
{
    struct err e = ERR_INIT;

    assert_ok(signed_by_find(signature_message, text, strlen(text), set, by, &e), e);
}

/* One signature, and its verdict. */
static enum signature_verdict verdict_on(const struct minisign_signature *s,
                                         const struct key_set *set)
{
    struct err e = ERR_INIT;
    char *text = minisign_write(s, &e);
    struct signed_by by;

    assert_non_null(text);
    find(text, set, &by);
    assert_int_equal(by.signature_count, 1);
    assert_int_equal(by.key_count, by.signatures[0].verdict == SIGNATURE_GOOD);
    free(text);
    return by.signatures[0].verdict;
}

static void verdicts(void **state)
{
    static const uint8_t other[64] = {9};
    struct secret_key one = signature_secret(1), two = signature_secret(2);
    struct minisign_signature s = signature_by(&one, signature_message, "c");
    struct key_set set = {0};

    (void)state;
    assert_int_equal(verdict_on(&s, &set), SIGNATURE_UNTRUSTED);
    signature_trust(&set, 1);
    assert_int_equal(verdict_on(&s, &set), SIGNATURE_GOOD);
    s.comment = "d";
    assert_int_equal(verdict_on(&s, &set), SIGNATURE_COMMENT);
    s = signature_by(&one, signature_message, "c");
    s.global[0] ^= 1;
    assert_int_equal(verdict_on(&s, &set), SIGNATURE_COMMENT);
    s = signature_by(&one, other, "c");
    assert_int_equal(verdict_on(&s, &set), SIGNATURE_OTHER);
    s = signature_by(&two, signature_message, "c");
    assert_int_equal(verdict_on(&s, &set), SIGNATURE_UNTRUSTED);
    key_set_free(&set);
}

/* The global signature of a trusted key does not help the signature of another one. */
static void halves_of_two_keys(void **state)
{
    struct secret_key one = signature_secret(1), two = signature_secret(2);
    struct minisign_signature a = signature_by(&one, signature_message, "c"),
                              b = signature_by(&two, signature_message, "c"), mixed = a;
    struct key_set set = {0};

    (void)state;
    signature_trust(&set, 1);
    signature_trust(&set, 2);
    memcpy(mixed.global, b.global, sizeof mixed.global);
    assert_int_equal(verdict_on(&mixed, &set), SIGNATURE_COMMENT);
    /* Signed by the second key over the first one's signature. */
    mixed = a;
    assert_int_equal(verdict_on(&mixed, &set), SIGNATURE_GOOD);
    key_set_free(&set);
}

/* An id is a hint: that of another key, or of none, neither helps nor harms. */
static void ids_are_hints(void **state)
{
    struct secret_key one = signature_secret(1), two = signature_secret(2);
    struct minisign_signature s;
    struct key_set set = {0};

    (void)state;
    signature_trust(&set, 1);
    s = signature_by(&two, signature_message, "c");
    memcpy(s.id, one.public.id, sizeof s.id);
    assert_int_equal(verdict_on(&s, &set), SIGNATURE_OTHER);
    signature_trust(&set, 3);
    s = signature_by(&one, signature_message, "c");
    memset(s.id, 3, sizeof s.id);
    assert_int_equal(verdict_on(&s, &set), SIGNATURE_GOOD);
    memset(s.id, 99, sizeof s.id);
    assert_int_equal(verdict_on(&s, &set), SIGNATURE_GOOD);
    key_set_free(&set);
}

/* Two keys with one id: each is tried. */
static void one_id_for_two_keys(void **state)
{
    struct secret_key one = signature_secret(1), two = signature_secret(2);
    struct key_set set = {0};
    struct minisign_signature s;
    struct err e = ERR_INIT;

    (void)state;
    memcpy(two.public.id, one.public.id, sizeof two.public.id);
    assert_ok(key_set_add_key(&set, &one.public, "one", &e), e);
    assert_ok(key_set_add_key(&set, &two.public, "two", &e), e);
    s = signature_by(&one, signature_message, "");
    assert_int_equal(verdict_on(&s, &set), SIGNATURE_GOOD);
    s = signature_by(&two, signature_message, "");
    assert_int_equal(verdict_on(&s, &set), SIGNATURE_GOOD);
    key_set_free(&set);
}

static void different_keys_are_counted(void **state)
{
    char text[8192] = "";
    struct secret_key keys[4];
    struct key_set set = {0};
    struct signed_by by;

    (void)state;
    for (uint8_t i = 0; i < 4; i++)
        keys[i] = signature_secret(i);
    signature_trust(&set, 0);
    signature_trust(&set, 1);
    signature_trust(&set, 2);
    signature_append(text, &keys[0], "a");
    signature_append(text, &keys[0], "b");
    signature_append(text, &keys[3], "c");
    find(text, &set, &by);
    assert_int_equal(by.key_count, 1);
    assert_int_equal(by.signature_count, 3);
    signature_append(text, &keys[1], "d");
    find(text, &set, &by);
    assert_int_equal(by.key_count, 2);
    assert_ptr_equal(by.signatures[1].key, &set.keys[0]);
    assert_null(by.signatures[2].key);
    assert_ptr_equal(by.signatures[3].key, &set.keys[1]);
    assert_memory_equal(by.signatures[3].comment, "d", 1);
    key_set_free(&set);
}

/* A text with one wrong signature counts for nobody. */
static void broken_text(void **state)
{
    char text[4096] = "";
    struct secret_key one = signature_secret(1);
    struct key_set set = {0};
    struct signed_by by = {.key_count = 77};
    struct err e = ERR_INIT;

    (void)state;
    signature_trust(&set, 1);
    signature_append(text, &one, "");
    strcat(text, "untrusted comment: x\n");
    assert_fails(signed_by_find(signature_message, text, strlen(text), &set, &by, &e), e,
                 ERR_ARCHIVE, "cut short");
    assert_int_equal(by.key_count, 77);
    key_set_free(&set);
}

static void most_of_both(void **state)
{
    char *text = calloc(1, 65537);
    struct secret_key stranger = signature_secret(200), last = signature_secret(LIMIT_KEYS - 1);
    struct key_set set = {0};
    struct signed_by by;

    (void)state;
    assert_non_null(text);
    for (uint8_t i = 0; i < LIMIT_KEYS; i++)
        signature_trust(&set, i);
    for (int i = 0; i < LIMIT_SIGNATURES - 1; i++)
        signature_append(text, &stranger, "");
    signature_append(text, &last, "");
    find(text, &set, &by);
    assert_int_equal(by.key_count, 1);
    assert_int_equal(by.signatures[LIMIT_SIGNATURES - 1].verdict, SIGNATURE_GOOD);
    key_set_free(&set);
    free(text);
}

/* ---- what is demanded ---- */

static void too_few(const char *text, const struct key_set *set, size_t needed, enum err_kind kind,
                    const char *message)
{
    struct err e = ERR_INIT;
    struct signed_by by;

    find(text, set, &by);
    assert_fails(signed_by_demand(&by, set, needed, &e), e, kind, message);
}

static void demands(void **state)
{
    char text[8192] = "";
    struct secret_key keys[4];
    struct key_set set = {0};
    struct err e = ERR_INIT;
    struct signed_by by;

    (void)state;
    for (uint8_t i = 0; i < 4; i++)
        keys[i] = signature_secret(i);
    signature_trust(&set, 1);
    too_few(text, &set, 0, ERR_ARCHIVE, "it is not signed (trusted: 0101010101010101)");
    signature_append(text, &keys[3], "");
    too_few(text, &set, 1, ERR_ARCHIVE,
            "it is signed by 0303030303030303 (not trusted); trusted: "
            "0101010101010101");
    signature_append(text, &keys[1], "");
    find(text, &set, &by);
    assert_ok(signed_by_demand(&by, &set, 0, &e), e);
    assert_ok(signed_by_demand(&by, &set, 1, &e), e);
    too_few(text, &set, 2, ERR_USAGE, "only 1 trusted key");
    signature_trust(&set, 2);
    too_few(text, &set, 2, ERR_ARCHIVE, "1 of the 2 trusted signatures that it needs is there");
    signature_append(text, &keys[2], "");
    find(text, &set, &by);
    assert_ok(signed_by_demand(&by, &set, 2, &e), e);
    key_set_free(&set);
}

/* A message is one line, however much there is to name. */
static void long_lists(void **state)
{
    char *text = calloc(1, 65537);
    struct key_set set = {0};

    (void)state;
    assert_non_null(text);
    for (uint8_t i = 0; i < LIMIT_KEYS; i++)
        signature_trust(&set, i);
    for (uint8_t i = 0; i < LIMIT_SIGNATURES; i++) {
        struct secret_key key = signature_secret((uint8_t)(i + 100));

        memset(key.public.id, i, sizeof key.public.id);
        signature_append(text, &key, "");
    }
    too_few(text, &set, 1, ERR_ARCHIVE,
            "0707070707070707 (damaged, or of something else) and 24 more");
    too_few(text, &set, 1, ERR_ARCHIVE, "0707070707070707 and 56 more");
    key_set_free(&set);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts),
        cmocka_unit_test(halves_of_two_keys),
        cmocka_unit_test(ids_are_hints),
        cmocka_unit_test(one_id_for_two_keys),
        cmocka_unit_test(different_keys_are_counted),
        cmocka_unit_test(broken_text),
        cmocka_unit_test(most_of_both),
        cmocka_unit_test(demands),
        cmocka_unit_test(long_lists),
    };

    return cmocka_run_group_tests_name("signed_by", tests, NULL, NULL);
}
