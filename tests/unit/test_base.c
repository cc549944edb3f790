/* SPDX-License-Identifier: MIT */
/* test_base: checked, array and err. */
#include "support.h"

#include "base/array.h"
#include "base/checked.h"

#include <errno.h>
#include <string.h>

static void checked(void **state)
{
    uint64_t sum = 77;
    size_t product = 77;

    (void)state;
    assert_true(checked_add_u64(UINT64_MAX - 1, 1, &sum) && sum == UINT64_MAX);
    assert_false(checked_add_u64(UINT64_MAX, 1, &sum));
    assert_true(checked_mul_size(SIZE_MAX / 2, 2, &product) && product == SIZE_MAX - 1);
    assert_false(checked_mul_size(SIZE_MAX / 2 + 1, 2, &product));
    assert_true(min_u64(1, 2) == 1 && max_u64(1, 2) == 2 && min_size(3, 2) == 2);
}

static void growing(void **state)
{
    struct err e = ERR_INIT;
    uint32_t *items = NULL;
    size_t capacity = 0;

    (void)state;
    for (uint32_t i = 0; i < 1000; i++) {
        assert_ok(array_grow((void **)&items, &capacity, i, sizeof *items, &e), e);
        assert_true(capacity > i);
        items[i] = i;
    }
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(items[i], i);
    capacity = SIZE_MAX / 4;
    assert_fails(array_grow((void **)&items, &capacity, capacity, sizeof *items, &e), e, ERR_MEMORY,
                 "out of memory");
    assert_int_equal(items[999], 999); /* the old list survives */
    free(items);
}

static void err_kinds(void **state)
{
    static const struct {
        int errnum;
        enum err_kind kind;
    } kinds[] = {{ENOSPC, ERR_SPACE},  {EDQUOT, ERR_SPACE}, {EFBIG, ERR_SPACE},
                 {ENOMEM, ERR_MEMORY}, {EIO, ERR_IO},       {EACCES, ERR_IO}};
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++) {
        assert_int_equal(err_sys(&e, kinds[i].errnum, "cannot write %s", "x"), -1);
        assert_int_equal(e.kind, kinds[i].kind);
        assert_int_equal(e.sys_errno, kinds[i].errnum);
        assert_true(strncmp(e.text, "cannot write x: ", 16) == 0);
        assert_string_equal(e.text + 16, strerror(kinds[i].errnum));
    }
    err_set(&e, ERR_BUSY, "busy");
    assert_int_equal(e.sys_errno, 0); /* nothing is left of the last one */
}

static void err_contexts(void **state)
{
    struct err e = ERR_INIT;
    char longest[2 * ERR_TEXT_SIZE];

    (void)state;
    err_set(&e, ERR_DAMAGED, "its checksum is wrong");
    assert_int_equal(err_context(&e, "release %s", "v1"), -1);
    assert_string_equal(e.text, "release v1: its checksum is wrong");
    assert_int_equal(e.kind, ERR_DAMAGED);

    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    err_set(&e, ERR_IO, "%s", longest);
    assert_int_equal(strlen(e.text), ERR_TEXT_SIZE - 1);
    err_sys(&e, EIO, "%s", longest);
    assert_int_equal(strlen(e.text), ERR_TEXT_SIZE - 1);
    err_context(&e, "%s", longest);
    assert_int_equal(strlen(e.text), ERR_TEXT_SIZE - 1);
}

/* The documented codes; scripts depend on them. */
static void exit_codes(void **state)
{
    static const int codes[] = {
        [ERR_NONE] = 0,         [ERR_USAGE] = 2,  [ERR_NETWORK] = 3,    [ERR_PROTOCOL] = 4,
        [ERR_ARCHIVE] = 5,      [ERR_SPACE] = 6,  [ERR_IO] = 7,         [ERR_DAMAGED] = 7,
        [ERR_BUSY] = 8,         [ERR_MEMORY] = 9, [ERR_NOT_FOUND] = 10, [ERR_REFUSED] = 11,
        [ERR_OTHER_IMAGE] = 12,
    };

    (void)state;
    for (size_t i = 0; i < COUNT(codes); i++)
        assert_int_equal(err_exit_code((enum err_kind)i), codes[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checked),      cmocka_unit_test(growing),    cmocka_unit_test(err_kinds),
        cmocka_unit_test(err_contexts), cmocka_unit_test(exit_codes),
    };

    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
