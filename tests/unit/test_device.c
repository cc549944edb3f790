/* SPDX-License-Identifier: MIT */
/* test_device: what is read off a directory that looks like /sys/block. */
#include "support.h"

#include "attach/device.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ID                                                                                         \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"                             \
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void make_attribute(const char *root, const char *name, const char *text)
{
    support_write_file(support_path(root, name), text, strlen(text));
}

static void make_device(const char *root, const char *backend)
{
    mkdir(support_path(root, "nbd3"), 0755);
    make_attribute(root, "nbd3/size", "48000\n");
    make_attribute(root, "nbd3/pid", "733\n");
    if (backend)
        make_attribute(root, "nbd3/backend", backend);
}

static struct device look(const char *root)
{
    struct err e = ERR_INIT;
    struct device d;

    assert_ok(device_look(root, 3, &d, &e), e);
    return d;
}

static void what_is_not_there_is_free(void **state)
{
    struct device d = look(*state);

    assert_false(d.exists || d.connected || d.is_ours);
    mkdir(support_path(*state, "nbd3"), 0755);
    make_attribute(*state, "nbd3/size", "0\n");
    d = look(*state);
    assert_true(d.exists);
    assert_false(d.connected || d.is_ours);
}

static void ours_has_an_id(void **state)
{
    char identifier[DEVICE_IDENTIFIER_SIZE], line[DEVICE_IDENTIFIER_SIZE + 1];
    struct device d;

    device_identifier("a name with spaces", ID, identifier);
    snprintf(line, sizeof line, "%s\n", identifier);
    make_device(*state, line);
    d = look(*state);
    assert_true(d.exists && d.connected && d.is_ours);
    assert_int_equal(d.size, 48000 * 512);
    assert_string_equal(d.id, ID);
    assert_string_equal(d.identifier, identifier);
}

static void others_are_not_ours(void **state)
{
    const char *const backends[] = {"",
                                    "\n",
                                    "ihop\n",
                                    "ihop \n",
                                    "ihop v1\n",
                                    "ihop v1 00\n",
                                    "nbdkit " ID "\n",
                                    ID,
                                    "ihop v1 " ID "0\n"};

    make_device(*state, NULL);
    assert_false(look(*state).is_ours);
    for (size_t i = 0; i < COUNT(backends); i++) {
        make_attribute(*state, "nbd3/backend", backends[i]);
        assert_true(look(*state).connected);
        assert_false(look(*state).is_ours);
    }
}

/* The longest name that a release may have, and more than the kernel ever shows. */
static void long_identifiers_are_whole_or_foreign(void **state)
{
    char name[LIMIT_RELEASE_NAME + 1], identifier[DEVICE_IDENTIFIER_SIZE], page[5000];

    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    device_identifier(name, ID, identifier);
    make_device(*state, identifier);
    assert_string_equal(look(*state).identifier, identifier);
    assert_string_equal(look(*state).id, ID);
    memset(page, 'x', sizeof page);
    memcpy(page, "ihop ", 5);
    page[sizeof page - 1] = '\0';
    make_device(*state, page);
    assert_false(look(*state).is_ours);
}

static void idle_is_without_requests(void **state)
{
    const char *const busy[] = {"       1        0\n", "       0       10\n", "", "x\n"};

    make_device(*state, NULL);
    assert_false(device_is_idle(*state, 3)); /* not known */
    make_attribute(*state, "nbd3/inflight", "       0        0\n");
    assert_true(device_is_idle(*state, 3));
    for (size_t i = 0; i < COUNT(busy); i++) {
        make_attribute(*state, "nbd3/inflight", busy[i]);
        assert_false(device_is_idle(*state, 3));
    }
}

/* Early enough for what kernels of each clock add, but not so early that a slow server is given up.
 */
static void the_kernel_looks_early(void **state)
{
    const struct {
        unsigned hz, timeout_s, late_ms, ms;
    } cases[] = {{100, 1, 1360, 540},          {100, 2, 1360, 1540},  {100, 10, 1360, 9540},
                 {250, 2, 1280, 1620},         {300, 1, 1920, 500},   {300, 2, 1920, 1000},
                 {300, 10, 1920, 8980},        {1000, 2, 1088, 1812}, {1000, 10, 1536, 9364},
                 {1000, 86400, 1536, 86399364}};

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        assert_int_equal(device_late_ms(cases[i].hz, cases[i].timeout_s), cases[i].late_ms);
        assert_int_equal(device_request_ms(cases[i].hz, cases[i].timeout_s), cases[i].ms);
    }
}

/* In milliseconds, by the clock of this kernel. */
static void the_kernel_is_told_when(void **state)
{
    const unsigned timeouts_s[] = {0, 1, 2, 10, 86400};

    make_device(*state, NULL);
    device_set_timeout(*state, 3, 10); /* no such attribute: nothing happens */
    mkdir(support_path(*state, "nbd3/queue"), 0755);
    for (size_t i = 0; i < COUNT(timeouts_s); i++) {
        unsigned s = timeouts_s[i];
        bool found = false;
        char text[32];
        uint8_t *data;
        size_t size;

        make_attribute(*state, "nbd3/queue/io_timeout", "");
        device_set_timeout(*state, 3, s);
        data = support_read_file(support_path(*state, "nbd3/queue/io_timeout"), &size);
        snprintf(text, sizeof text, "%.*s", (int)size, (const char *)data);
        free(data);
        for (unsigned hz = 100; hz <= 2000 && s > 0; hz++)
            found = found || strtoul(text, NULL, 10) == device_request_ms(hz, s);
        assert_true(s == 0 ? strcmp(text, "30000") == 0 : found);
    }
}

static void numbers_of_devices(void **state)
{
    const char *const bad[] = {"/dev/sda", "nbd", "nbd-1", "nbd3p1", "nbd256", "/dev/nbd 1", ""};
    struct err e = ERR_INIT;
    char path[DEVICE_PATH_SIZE];
    unsigned index;

    (void)state;
    assert_ok(device_parse("/dev/nbd255", &index, &e), e);
    assert_int_equal(index, 255);
    device_path(index, path);
    assert_string_equal(path, "/dev/nbd255");
    assert_ok(device_parse("nbd0", &index, &e), e);
    assert_int_equal(index, 0);
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_fails(device_parse(bad[i], &index, &e), e, ERR_USAGE, "no NBD device");
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_there_is_free), TEST(ours_has_an_id),
        TEST(others_are_not_ours),       TEST(long_identifiers_are_whole_or_foreign),
        TEST(idle_is_without_requests),  TEST(the_kernel_looks_early),
        TEST(the_kernel_is_told_when),   TEST(numbers_of_devices),
    };

    return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
