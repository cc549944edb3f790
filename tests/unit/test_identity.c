/* SPDX-License-Identifier: MIT */
/* test_identity: when an entity tag is reason to doubt that it is still the same archive. */
#include "support.h"

#include "reader/identity.h"

#include <stdio.h>
#include <string.h>

static const uint8_t checksum[IDENTITY_CHECKSUM_SIZE] = {1, 2, 3};

/* An archive whose header came with this tag. */
static struct identity known_by(const char *tag)
{
    struct identity i = {0};

    identity_add_tag(&i, tag);
    identity_set(&i, 4711, checksum);
    return i;
}

static void knows_what_was_added(void **state)
{
    struct identity i = known_by("\"a\"");

    (void)state;
    identity_add_tag(&i, "\"b\"");
    assert_false(identity_doubts(&i, "\"a\""));
    assert_false(identity_doubts(&i, "\"b\""));
    assert_true(identity_doubts(&i, "\"A\""));
    assert_true(identity_doubts(&i, "\"a"));
    assert_true(identity_doubts(&i, "W/\"a\""));
    identity_forget_tags(&i);
    assert_true(identity_doubts(&i, "\"a\""));
}

static void no_tag_is_none(void **state)
{
    struct identity i = known_by("");

    (void)state;
    assert_int_equal(i.tag_count, 0);
    assert_false(identity_doubts(&i, ""));
}

/* Without the header checksum there is nothing to compare. */
static void nothing_is_doubted_before(void **state)
{
    struct identity i = {0};

    (void)state;
    identity_add_tag(&i, "\"a\"");
    assert_false(identity_doubts(&i, "\"b\""));
}

static void none_twice(void **state)
{
    struct identity i = {0};

    (void)state;
    for (int n = 0; n < 3; n++)
        identity_add_tag(&i, "\"a\"");
    assert_int_equal(i.tag_count, 1);
    assert_int_equal(i.harmless_tags, 0);
}

static void forgets_the_oldest(void **state)
{
    struct {
        struct identity i;
        char behind[16];
    } guarded = {.i = known_by(""), .behind = "not to be seen"};
    char tag[16];

    (void)state;
    for (unsigned n = 0; n < IDENTITY_TAGS + 3; n++) {
        snprintf(tag, sizeof tag, "\"%u\"", n);
        identity_add_tag(&guarded.i, tag);
    }
    assert_int_equal(guarded.i.tag_count, IDENTITY_TAGS);
    assert_string_equal(guarded.behind, "not to be seen");
    for (unsigned n = 0; n < IDENTITY_TAGS + 3; n++) {
        snprintf(tag, sizeof tag, "\"%u\"", n);
        assert_int_equal(identity_doubts(&guarded.i, tag), n < 3);
    }
}

static void long_ones_are_cut(void **state)
{
    char tag[2 * IDENTITY_TAG_SIZE];
    struct identity i;

    (void)state;
    memset(tag, 'x', sizeof tag - 1);
    tag[sizeof tag - 1] = '\0';
    i = known_by(tag);
    assert_int_equal(strlen(i.tags[0]), IDENTITY_TAG_SIZE - 1);
}

/* A farm of servers with a tag each: after the second one no more is compared. */
static void harmless_tags_end_the_doubt(void **state)
{
    struct identity i = known_by("\"a\"");

    (void)state;
    assert_true(identity_doubts(&i, "\"b\""));
    identity_accept_tag(&i, "\"b\"");
    assert_true(identity_doubts(&i, "\"c\""));
    identity_accept_tag(&i, ""); /* a mirror was looked at: that says nothing about tags */
    assert_true(identity_doubts(&i, "\"c\""));
    identity_accept_tag(&i, "\"c\"");
    assert_false(identity_doubts(&i, "\"d\""));
    identity_forget_tags(&i);
    assert_true(identity_doubts(&i, "\"d\""));
}

static void compares(void **state)
{
    struct identity i = known_by("");
    uint8_t other[IDENTITY_CHECKSUM_SIZE];
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(identity_check(&i, checksum, "a.cba", false, &e), 0);
    memcpy(other, checksum, sizeof other);
    other[sizeof other - 1] ^= 1;
    assert_int_equal(identity_check(&i, other, "a.cba", false, &e), -1);
    assert_int_equal(e.kind, ERR_PROTOCOL);
    assert_non_null(strstr(e.text, "changed"));
    assert_int_equal(identity_check(&i, other, "a.cba", true, &e), -1);
    assert_int_equal(e.kind, ERR_PROTOCOL);
    assert_non_null(strstr(e.text, "mirror"));
    assert_int_equal(identity_check_size(0, 7, &e), 0);
    assert_int_equal(identity_check_size(7, 7, &e), 0);
    assert_int_equal(identity_check_size(7, 8, &e), -1);
    assert_int_equal(e.kind, ERR_PROTOCOL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_was_added),        cmocka_unit_test(no_tag_is_none),
        cmocka_unit_test(nothing_is_doubted_before),   cmocka_unit_test(none_twice),
        cmocka_unit_test(forgets_the_oldest),          cmocka_unit_test(long_ones_are_cut),
        cmocka_unit_test(harmless_tags_end_the_doubt), cmocka_unit_test(compares),
    };

    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
