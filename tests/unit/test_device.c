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

/* In milliseconds, and early enough for what the kernel adds. */
static void the_kernel_looks_early(void **state)
{
    const struct {
        unsigned timeout_s;
        const char *text;
    } cases[] = {{0, "30000"}, {1, "600"}, {2, "1500"}, {10, "9500"}, {86400, "86399500"}};

    make_device(*state, NULL);
    device_set_timeout(*state, 3, 10); /* no such attribute: nothing happens */
    mkdir(support_path(*state, "nbd3/queue"), 0755);
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint8_t *data;
        size_t size;

        make_attribute(*state, "nbd3/queue/io_timeout", "");
        device_set_timeout(*state, 3, cases[i].timeout_s);
        data = support_read_file(support_path(*state, "nbd3/queue/io_timeout"), &size);
        assert_int_equal(size, strlen(cases[i].text));
        assert_memory_equal(data, cases[i].text, size);
        free(data);
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
        TEST(numbers_of_devices),
    };

    return cmocka_run_group_tests_name("device", tests, NULL, NULL);
}
