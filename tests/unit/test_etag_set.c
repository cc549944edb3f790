/* SPDX-License-Identifier: MIT */
#include "support.h"

#include "reader/etag_set.h"

#include <stdio.h>
#include <string.h>

static void knows_what_was_added(void **state)
{
    struct etag_set set = {.count = 0};

    (void)state;
    assert_false(etag_set_has(&set, "\"a\""));
    etag_set_add(&set, "\"a\"");
    etag_set_add(&set, "\"b\"");
    assert_true(etag_set_has(&set, "\"a\""));
    assert_true(etag_set_has(&set, "\"b\""));
    assert_false(etag_set_has(&set, "\"A\""));
    assert_false(etag_set_has(&set, "\"a"));
    assert_false(etag_set_has(&set, "W/\"a\""));
}

static void no_tag_is_none(void **state)
{
    struct etag_set set = {.count = 0};

    (void)state;
    etag_set_add(&set, "");
    assert_int_equal(set.count, 0);
    assert_false(etag_set_has(&set, ""));
}

static void none_twice(void **state)
{
    struct etag_set set = {.count = 0};

    (void)state;
    for (int i = 0; i < 3; i++)
        etag_set_add(&set, "\"a\"");
    assert_int_equal(set.count, 1);
}

static void forgets_the_oldest(void **state)
{
    struct {
        struct etag_set set;
        char behind[16];
    } guarded = {.behind = "not to be seen"};
    char tag[16];

    (void)state;
    for (unsigned i = 0; i < ETAG_SET_MAX + 3; i++) {
        snprintf(tag, sizeof tag, "\"%u\"", i);
        etag_set_add(&guarded.set, tag);
    }
    assert_int_equal(guarded.set.count, ETAG_SET_MAX);
    assert_string_equal(guarded.behind, "not to be seen");
    for (unsigned i = 0; i < ETAG_SET_MAX + 3; i++) {
        snprintf(tag, sizeof tag, "\"%u\"", i);
        assert_int_equal(etag_set_has(&guarded.set, tag), i >= 3);
    }
}

static void long_ones_are_cut(void **state)
{
    struct etag_set set = {.count = 0};
    char tag[2 * HTTP_ETAG_SIZE];

    (void)state;
    memset(tag, 'x', sizeof tag - 1);
    tag[sizeof tag - 1] = '\0';
    etag_set_add(&set, tag);
    assert_int_equal(strlen(set.tags[0]), HTTP_ETAG_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(knows_what_was_added), cmocka_unit_test(no_tag_is_none),
        cmocka_unit_test(none_twice),           cmocka_unit_test(forgets_the_oldest),
        cmocka_unit_test(long_ones_are_cut),
    };

    return cmocka_run_group_tests_name("etag_set", tests, NULL, NULL);
}
