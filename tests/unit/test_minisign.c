/* SPDX-License-Identifier: MIT */
/* test_minisign: the texts of signatures, as minisign writes them and as nobody should. */
#include "support.h"

#include "signature_support.h"

#include "base/io.h"
#include "base/limits.h"
#include "signature/base64.h"
#include "signature/minisign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By minisign 0.11, of a file with the text "hello". */
static const char by_minisign[] =
    "untrusted comment: signature from minisign secret key\n"
    "RUQ2WNwiYJYqZge66qMCqqDSXcLmaDZojcvCZ2yRRc8AWMr5SzSsPR1vE92Q1kWXWHo7jUPsETGLuqQinIOh3jG9UrlH"
    "XprNoQI=\n"
    "trusted comment: timestamp:1795850204\tfile:f\thashed\n"
    "3t2PuOtjsVm1jQMT13myGrxV4C9m9Kn6CYpVlBkFkHY9XoVqBa49W/vkXHGDCUhs0JUYKedRvaftV+Kl2LtcAQ==\n";

static size_t parsed_count(const char *text)
{
    struct minisign_text parsed;
    struct err e = ERR_INIT;

    assert_ok(minisign_parse(text, strlen(text), &parsed, &e), e);
    return parsed.count;
}

static void refused(const char *text, const char *why)
{
    struct minisign_text parsed;
    struct err e = ERR_INIT;

    assert_fails(minisign_parse(text, strlen(text), &parsed, &e), e, ERR_ARCHIVE, why);
}

/* Replaces the first occurrence of old; the caller frees the text. */
static char *replaced(const char *text, const char *old, const char *new)
{
    const char *at = strstr(text, old);
    char *made = malloc(strlen(text) + strlen(new) + 1);

    assert_non_null(at);
    assert_non_null(made);
    sprintf(made, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    return made;
}

static void refused_with(const char *old, const char *new, const char *why)
{
    char *text = replaced(by_minisign, old, new);

    refused(text, why);
    free(text);
}

static void what_minisign_writes(void **state)
{
    struct minisign_text parsed;
    char id[PUBLIC_KEY_ID_TEXT];
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(minisign_parse(by_minisign, strlen(by_minisign), &parsed, &e), e);
    assert_int_equal(parsed.count, 1);
    assert_string_equal(public_key_id_text(parsed.signatures[0].id, id), "662A966022DC5836");
    assert_int_equal(parsed.signatures[0].comment_size, 34);
    assert_memory_equal(parsed.signatures[0].comment, "timestamp:1795850204\tfile:f\thashed", 34);
    assert_ptr_equal(parsed.signatures[0].lines, by_minisign);
    assert_int_equal(parsed.signatures[0].lines_size, strlen(by_minisign) - 1);
    assert_int_equal(parsed.signatures[0].signature[0], 0x07);
    assert_int_equal(parsed.signatures[0].global[0], 0xde);
}

static void no_signatures(void **state)
{
    static const char zeros[5000];
    struct minisign_text parsed = {.count = 7};
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(minisign_parse(NULL, 0, &parsed, &e), e);
    assert_int_equal(parsed.count, 0);
    assert_ok(minisign_parse(zeros, sizeof zeros, &parsed, &e), e);
    assert_int_equal(parsed.count, 0);
    assert_int_equal(parsed_count("\n\r\n"), 0);
}

/* Line ends, empty lines, and zeros behind. */
static void loose_ends(void **state)
{
    char text[2048];
    struct minisign_text parsed;
    struct err e = ERR_INIT;
    char *crlf = NULL;

    (void)state;
    snprintf(text, sizeof text, "%.*s", (int)strlen(by_minisign) - 1, by_minisign);
    assert_int_equal(parsed_count(text), 1);
    snprintf(text, sizeof text, "\n%s\n\n%s\n", by_minisign, by_minisign);
    assert_int_equal(parsed_count(text), 2);
    crlf = replaced(by_minisign, "hashed\n", "hashed\r\n");
    assert_ok(minisign_parse(crlf, strlen(crlf), &parsed, &e), e);
    assert_int_equal(parsed.signatures[0].comment_size, 34);
    free(crlf);
    memset(text, 0, sizeof text);
    strcpy(text, by_minisign);
    assert_ok(minisign_parse(text, sizeof text, &parsed, &e), e);
    assert_int_equal(parsed.count, 1);
    text[sizeof text - 1] = 'x';
    assert_fails(minisign_parse(text, sizeof text, &parsed, &e), e, ERR_ARCHIVE, "something else");
}

static void cut_short(void **state)
{
    struct minisign_text parsed;
    struct err e = ERR_INIT;
    size_t size = strlen(by_minisign) - 1; /* The last end of a line may lack. */

    (void)state;
    for (size_t i = 1; i < size; i++) {
        char *exact = malloc(i);

        assert_non_null(exact);
        memcpy(exact, by_minisign, i);
        assert_fails(minisign_parse(exact, i, &parsed, &e), e, ERR_ARCHIVE, "its signatures");
        free(exact);
    }
}

static void wrong_lines(void **state)
{
    (void)state;
    refused_with("untrusted", "Untrusted", "line 1 of its signatures is wrong");
    refused_with("\ntrusted comment: ", "\ntrusted comment:", "line 3 of its signatures is wrong");
    refused_with("RUQ2", "RUQ*", "line 2 of its signatures is wrong: it is not the base64");
    refused_with("oQI=", "oQJ=", "line 2"); /* bits that are left over */
    refused_with("oQI=", "oQI", "line 2");
    refused_with("oQI=", "oQI=AAAA", "line 2");
    refused_with("oQI=", "oQI= ", "line 2");
    refused_with("AQ==", "AQ=A", "line 4");
    refused_with("RUQ2", "RWQ2", "legacy form");
    refused_with("RUQ2", "QUQ2", "unknown kind");
    refused_with("untrusted", "x\nuntrusted", "line 1");
    refused_with("hashed\n", "hashed\r\r\n",
                 "line 3 of its signatures is wrong: it has a carriage");
    refused("<!DOCTYPE html>\n<html>", "does not begin with 'untrusted comment:'");
    refused("untrusted comment: x", "cut short, after line 1");
}

static char *repeated(const char *text, size_t count)
{
    size_t size = strlen(text);
    char *many = malloc(count * size + 1);

    assert_non_null(many);
    for (size_t i = 0; i < count; i++)
        memcpy(many + i * size, text, size);
    many[count * size] = '\0';
    return many;
}

static void too_many(void **state)
{
    char *text = repeated(by_minisign, LIMIT_SIGNATURES);

    (void)state;
    assert_int_equal(parsed_count(text), LIMIT_SIGNATURES);
    free(text);
    text = repeated(by_minisign, LIMIT_SIGNATURES + 1);
    refused(text, "more than 32 signatures");
    free(text);
    text = repeated(by_minisign, 1000);
    refused(text, "more than 65536 bytes");
    free(text);
}

/* Takes a comment of size bytes in place of the one that old begins. */
static void with_comment(const char *old, size_t size, const char *why)
{
    char *comment = repeated("c", size), *text = replaced(by_minisign, old, comment);

    if (why)
        refused(text, why);
    else
        assert_int_equal(parsed_count(text), 1);
    free(text);
    free(comment);
}

static void long_comments(void **state)
{
    static const char trusted[] = "timestamp:1795850204\tfile:f\thashed";

    (void)state;
    with_comment(trusted, 0, NULL);
    with_comment(trusted, LIMIT_SIGNATURE_COMMENT, NULL);
    with_comment(trusted, LIMIT_SIGNATURE_COMMENT + 1, "line 3 of its signatures has more than");
    with_comment(" signature from minisign secret key", LIMIT_SIGNATURE_COMMENT + 1, "line 1");
    with_comment(trusted, 1 * MIB, "more than 65536 bytes");
}

/* What is refused takes as long as the text is long: 16 MiB of what is most work in a moment. */
static void hostile_texts_end_soon(void **state)
{
    char *text = repeated("untrusted comment: x\r\n\r\n\n", 16 * MIB / 25 + 1);
    uint64_t begun = io_now_ms();
    struct minisign_text parsed;
    struct err e = ERR_INIT;

    (void)state;
    assert_fails(minisign_parse(text, 16 * MIB, &parsed, &e), e, ERR_ARCHIVE, "more than 65536");
    text[60000] = '\0';
    assert_fails(minisign_parse(text, 16 * MIB, &parsed, &e), e, ERR_ARCHIVE, "something else");
    assert_true(io_now_ms() - begun < 10000);
    free(text);
}

static void written_and_read(void **state)
{
    struct secret_key key = signature_secret(5);
    char text[4096] = "";
    struct minisign_text parsed;
    struct minisign_signature s = signature_by(&key, signature_message, "v 7");
    struct err e = ERR_INIT;

    (void)state;
    signature_append(text, &key, "v 7");
    signature_append(text, &key, "");
    assert_ok(minisign_parse(text, strlen(text), &parsed, &e), e);
    assert_int_equal(parsed.count, 2);
    assert_memory_equal(parsed.signatures[0].id, key.public.id, sizeof key.public.id);
    assert_memory_equal(parsed.signatures[0].signature, s.signature, sizeof s.signature);
    assert_memory_equal(parsed.signatures[0].global, s.global, sizeof s.global);
    assert_int_equal(parsed.signatures[0].comment_size, 3);
    assert_int_equal(parsed.signatures[1].comment_size, 0);
}

/* RFC 4648, section 10, and what it permits to refuse. */
static void base64(void **state)
{
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    static const char *const wrong[] = {"Z",     "Zg",   "Zg=",  "Zh==",     "Zm9=",
                                        "=m9v",  "====", "Z===", "Zg==Zg==", "Zm9v\n",
                                        "Zm 9v", "Zm-v", "Zg=v"};
    uint8_t bytes[16];
    char text[BASE64_TEXT_SIZE(16)];

    (void)state;
    for (size_t i = 0; i < COUNT(pairs); i++) {
        size_t size = strlen(pairs[i][0]);

        base64_encode((const uint8_t *)pairs[i][0], size, text);
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(base64_decode(text, strlen(text), bytes, size), size);
        assert_memory_equal(bytes, pairs[i][0], size);
        if (size > 0)
            assert_int_equal(base64_decode(text, strlen(text), bytes, size - 1), -1);
    }
    for (size_t i = 0; i < COUNT(wrong); i++)
        assert_int_equal(base64_decode(wrong[i], strlen(wrong[i]), bytes, sizeof bytes), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_minisign_writes), cmocka_unit_test(no_signatures),
        cmocka_unit_test(loose_ends),           cmocka_unit_test(cut_short),
        cmocka_unit_test(wrong_lines),          cmocka_unit_test(too_many),
        cmocka_unit_test(long_comments),        cmocka_unit_test(hostile_texts_end_soon),
        cmocka_unit_test(written_and_read),     cmocka_unit_test(base64),
    };

    return cmocka_run_group_tests_name("minisign", tests, NULL, NULL);
}
