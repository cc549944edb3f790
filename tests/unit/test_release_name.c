/* SPDX-License-Identifier: MIT */
/* test_release_name: which names of releases are allowed. */
#include "support.h"

#include "store/release_name.h"

#include <stdlib.h>
#include <string.h>

static void good_names(void **state)
{
    static const char *const good[] = {"v1",      "a",   "release 2.0", "r\xc3\xa9lease",
                                       "chunks2", "a.b", "-f",          "chunk"};
    char longest[201];
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_ok(release_name_check(good[i], &e), e);
    memset(longest, 'x', 200);
    longest[200] = '\0';
    assert_ok(release_name_check(longest, &e), e);
}

static void bad_names(void **state)
{
    static const struct {
        const char *name, *rule;
    } bad[] = {
        {"", "is empty"},
        {".", "begins with a dot"},
        {"..", "begins with a dot"},
        {".ihop", "begins with a dot"},
        {"a/b", "contains a slash"},
        {"chunks", "chunk directory"},
        {"Chunks", "chunk directory"},
        {"CHUNKS", "chunk directory"},
        {"a\nb", "control character"},
        {"a\x7f", "control character"},
        {"a\x1f", "control character"},
        {"a\xc2\x80", "control character"},
        {"a\xc2\x9f", "control character"},
        {"a\xff", "not valid UTF-8"},
        {"a\xc3", "not valid UTF-8"},
    };
    char longest[202];
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_fails(release_name_check(bad[i].name, &e), e, ERR_USAGE, bad[i].rule);
    memset(longest, 'x', 201);
    longest[201] = '\0';
    assert_fails(release_name_check(longest, &e), e, ERR_USAGE, "longer than 200 bytes");
}

static void splits(void **state)
{
    static const struct {
        const char *path, *store, *name;
    } good[] = {{"s/v1", "s", "v1"},   {"/var/lib/ihop/v1", "/var/lib/ihop", "v1"},
                {"/v1", "/", "v1"},    {"./v1", ".", "v1"},
                {"../v1", "..", "v1"}, {"s//v1", "s/", "v1"}};
    static const char *const bad[] = {"v1", "s/", "s/v1/", "s/..", "s/.x", "s/chunks", ""};
    struct err e = ERR_INIT;
    const char *name;
    char *store;

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        assert_ok(release_name_split(good[i].path, &store, &name, &e), e);
        assert_string_equal(store, good[i].store);
        assert_string_equal(name, good[i].name);
        free(store);
    }
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_fails(release_name_split(bad[i], &store, &name, &e), e, ERR_USAGE, "");
    assert_fails(release_name_split("v1", &store, &name, &e), e, ERR_USAGE, "use STORE/RELEASE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_names),
        cmocka_unit_test(bad_names),
        cmocka_unit_test(splits),
    };

    return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
