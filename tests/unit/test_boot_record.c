/* SPDX-License-Identifier: MIT */
/* test_boot_record: the text that says which release boots. */
#include "support.h"

#include "store/boot_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID                                                                                         \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"                             \
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Each name as long as can be. */
static struct boot_record largest(void)
{
    struct boot_record r = {.tries = 100, .armed = 100};

    for (int i = 0; i < BOOT_ROLES; i++) {
        memset(r.of[i].name, 'a' + i, LIMIT_RELEASE_NAME);
        strcpy(r.of[i].id, ID);
    }
    memset(r.boot_id, 'a', IO_BOOT_ID_SIZE - 1);
    return r;
}

static void assert_damaged(const char *text, size_t size, const char *part)
{
    struct boot_record r = {.tries = 77};
    struct err e = ERR_INIT;

    assert_fails(boot_record_parse(text, size, &r, &e), e, ERR_DAMAGED, part);
    assert_int_equal(r.tries, 77);
}

static void what_is_written_is_read(void **state)
{
    struct boot_record records[3] = {{.tries = 0}, largest(), {.tries = 2, .armed = 3}}, r;
    char text[BOOT_RECORD_SIZE];
    struct err e = ERR_INIT;

    (void)state;
    strcpy(records[2].of[BOOT_TRIAL].name, "a =\"b'\\$(c)#;~\xc3\xa9");
    for (size_t i = 0; i < COUNT(records); i++) {
        boot_record_format(&records[i], text);
        assert_int_equal(text[BOOT_RECORD_SIZE - 1], '\n');
        assert_null(memchr(text, '\0', sizeof text));
        assert_ok(boot_record_parse(text, sizeof text, &r, &e), e);
        assert_memory_equal(&r, &records[i], sizeof r);
    }
}

/* The number is that of cksum(1). */
static void as_a_script_writes_it(void **state)
{
    static const char text[] = "trial=v2\n# a remark\n\ntries=3\nbeside=this\ndefault=v1\n"
                               "check=2016885452\nwhatever";
    struct boot_record r;
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(boot_record_parse(text, sizeof text - 1, &r, &e), e);
    assert_string_equal(r.of[BOOT_DEFAULT].name, "v1");
    assert_string_equal(r.of[BOOT_TRIAL].name, "v2");
    assert_string_equal(r.of[BOOT_GOOD].name, "");
    assert_int_equal(r.tries, 3);
    assert_damaged(text, sizeof text - sizeof "whatever" - 1, "cut off");
}

static void cut_anywhere(void **state)
{
    const struct boot_record record = largest();
    char text[BOOT_RECORD_SIZE];
    size_t end;

    (void)state;
    boot_record_format(&record, text);
    end = (size_t)((char *)memmem(text, sizeof text, "\n###", 4) - text);
    assert_damaged(text, 0, "empty");
    for (size_t size = 1; size <= end; size++)
        assert_damaged(text, size, "cut off");
    memset(text, 0, sizeof text);
    assert_damaged(text, sizeof text, "cut off");
}

/* Up to the check, no bit may be another one. */
static void rotten_anywhere(void **state)
{
    const struct boot_record record = largest();
    struct boot_record r;
    char text[BOOT_RECORD_SIZE];
    struct err e = ERR_INIT;
    size_t end;

    (void)state;
    boot_record_format(&record, text);
    end = (size_t)((char *)memmem(text, sizeof text, "\n###", 4) - text);
    for (size_t bit = 0; bit < 8 * end; bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(boot_record_parse(text, sizeof text, &r, &e), -1);
        assert_int_equal(e.kind, ERR_DAMAGED);
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
}

static void sign(char *text)
{
    char command[600];
    FILE *f;
    unsigned check = 0;

    snprintf(command, sizeof command, "printf '%%s' '%.500s' | cksum", text);
    f = popen(command, "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%u", &check), 1);
    pclose(f);
    snprintf(text + strlen(text), 32, "check=%u\n", check);
}

static void odd_lines(void **state)
{
    static const struct {
        const char *lines, *part;
    } cases[] = {
        {"default=v1\ndefault=v1\n", "default is there twice"},
        {"default\n", "not KEY=VALUE"},
        {"default=.hidden\n", "default is no name"},
        {"default=a/b\n", "default is no name"},
        {"default=chunks\n", "default is no name"},
        {"trial_id=12\n", "trial_id is no BLAKE2b"},
        {"tries=101\n", "tries is no number"},
        {"tries=-1\n", "tries is no number"},
        {"tries=\n", "tries is no number"},
        {"tries=3x\n", "tries is no number"},
        {"boot_id=Z\n", "boot_id is no boot id"},
    };
    char text[1200], long_value[1100];

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        strcpy(text, cases[i].lines);
        sign(text);
        assert_damaged(text, strlen(text), cases[i].part);
    }
    memset(long_value, 'a', sizeof long_value);
    memcpy(long_value, "good=", 5);
    strcpy(long_value + 5 + LIMIT_RELEASE_NAME + 1, "\n");
    assert_damaged(long_value, strlen(long_value), "good is too long");
    memset(long_value + 5, 'a', 1000);
    strcpy(long_value + 1000, "\n");
    assert_damaged(long_value, strlen(long_value), "good is too long");
    assert_damaged("a\0b=1\n", 6, "not KEY=VALUE");
    assert_damaged("check=\n", 7, "check is wrong");
    assert_damaged("check=99999999999999999999\n", 27, "check is wrong");
    assert_damaged(text, BOOT_RECORD_MAX + 1, "larger than");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(as_a_script_writes_it),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(rotten_anywhere),
        cmocka_unit_test(odd_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
