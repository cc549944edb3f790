/* SPDX-License-Identifier: MIT */
/* test_dm: what lies on a device, read off a directory that looks like /sys/block; and, in a
 * virtual machine that sets IHOP_TEST_DM to the number of a block device, devices of the kernel's
 * device mapper, with the modules dm-mod and dm-delay. */
#include "support.h"

#include "attach/dm.h"
#include "base/io.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "ihop-test"
#define PATH "/dev/mapper/" NAME

static void make_holder(const char *root, const char *directory, const char *name,
                        const char *number)
{
    char path[256];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    mkdir(support_path(root, path), 0755);
    snprintf(path, sizeof path, "%s/%s/dev", directory, name);
    support_write_file(support_path(root, path), number, strlen(number));
    snprintf(path, sizeof path, "%s/%s/dm", directory, name);
    if (strncmp(name, "dm-", 3) == 0)
        mkdir(support_path(root, path), 0755);
}

static void holders_are_counted_once(void **state)
{
    const char *root = *state;
    const char *dirs[] = {"nbd3", "nbd3/holders", "nbd3/nbd3p1", "nbd3/nbd3p1/holders"};
    struct dm_number numbers[2] = {{0}};
    struct err e = ERR_INIT;
    size_t count, others;

    assert_ok(dm_find_holders(root, 3, numbers, 2, &count, &others, &e), e);
    assert_int_equal(count + others, 0);
    for (size_t i = 0; i < 4; i++)
        mkdir(support_path(root, dirs[i]), 0755);
    make_holder(root, "nbd3/holders", "dm-4", "253:4\n");
    make_holder(root, "nbd3/holders", "md0", "9:0\n");
    make_holder(root, "nbd3/nbd3p1/holders", "dm-4", "253:4\n");
    make_holder(root, "nbd3/nbd3p1/holders", "dm-17", "253:17\n");
    assert_ok(dm_find_holders(root, 3, numbers, 2, &count, &others, &e), e);
    assert_int_equal(count, 2);
    assert_int_equal(others, 1);
    assert_int_equal(numbers[0].major, 253);
    assert_int_equal(numbers[0].minor + numbers[1].minor, 21);
    assert_ok(dm_find_holders(root, 3, numbers, 1, &count, &others, &e), e);
    assert_true(count >= 1 && numbers[1].minor > 0);
}

/* ---- in a machine of its own ---- */

static int open_or_skip(void)
{
    struct err e = ERR_INIT;
    int control;

    if (!getenv("IHOP_TEST_DM"))
        skip();
    assert_ok(dm_open(&control, &e), e);
    return control;
}

static struct dm_state look_at(int control)
{
    struct dm_state s;
    struct err e = ERR_INIT;

    assert_ok(dm_look(control, NAME, &s, &e), e);
    return s;
}

static void devices_come_and_go(void **state)
{
    const struct dm_target target = {"error", "", 8}, none = {"no-such", "", 8};
    int control = open_or_skip(), fd;
    char type[DM_TYPE_SIZE], text[DM_TABLE_SIZE];
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(dm_require(control, "linear", "CONFIG_X", &e), e);
    assert_int_equal(dm_require(control, "no-such", "CONFIG_X", &e), -1);
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_false(look_at(control).exists);
    assert_int_equal(dm_create(control, NAME, "uuid", &none, &e), -1);
    assert_int_equal(e.kind, ERR_USAGE);
    assert_false(look_at(control).exists);
    assert_ok(dm_create(control, NAME, "uuid", &target, &e), e);
    assert_true(look_at(control).is_active && look_at(control).is_readonly);
    assert_string_equal(look_at(control).uuid, "uuid");
    assert_int_equal(dm_create(control, NAME, "uuid", &target, &e), -1);
    assert_int_equal(e.kind, ERR_BUSY);
    assert_ok(dm_read_target(control, NAME, false, type, text, &e), e);
    assert_string_equal(type, "error");
    fd = open(PATH, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(dm_remove(control, NAME, 30, &e), -1);
    assert_int_equal(e.kind, ERR_BUSY);
    close(fd);
    assert_ok(dm_remove(control, NAME, 1000, &e), e);
    assert_false(look_at(control).exists);
    assert_int_equal(access(PATH, F_OK), -1);
    assert_int_equal(dm_remove(control, NAME, 0, &e), -1);
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    close(control);
}

static void *read_slowly(void *fd)
{
    char block[512];

    return io_pread_full(*(int *)fd, block, sizeof block, 0) == sizeof block ? fd : NULL;
}

/* Waits until the kernel counts a read that is not answered yet. */
static void wait_for_read(struct dm_number number)
{
    char path[64];
    int reads = 0;

    snprintf(path, sizeof path, "/sys/dev/block/%u:%u/inflight", number.major, number.minor);
    while (reads == 0) {
        FILE *f = fopen(path, "r");

        assert_non_null(f);
        assert_int_equal(fscanf(f, "%d", &reads), 1);
        fclose(f);
        usleep(1000);
    }
}

static void reads_are_held_back(void **state)
{
    int control = open_or_skip(), fd;
    struct dm_target target = {"linear", NULL, 8};
    char device[16], parameters[64];
    struct dm_number number;
    struct err e = ERR_INIT;
    pthread_t thread;
    bool suspended;
    void *result;
    int server;

    (void)state;
    assert_int_equal(sscanf(getenv("IHOP_TEST_DM"), "%15s %d", device, &server), 2);
    snprintf(parameters, sizeof parameters, "%s 0", device);
    target.parameters = parameters;
    assert_ok(dm_create(control, NAME, "uuid", &target, &e), e);
    number = look_at(control).number;
    fd = open(PATH, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    kill(server, SIGSTOP);
    assert_int_equal(pthread_create(&thread, NULL, read_slowly, &fd), 0);
    wait_for_read(number);
    assert_int_equal(dm_suspend(control, number, 200, &suspended, &e),
                     -1); /* a read is under way */
    assert_int_equal(e.kind, ERR_BUSY);
    assert_false(suspended || look_at(control).is_suspended);
    kill(server, SIGCONT);
    pthread_join(thread, &result);
    assert_ptr_equal(result, &fd);
    assert_ok(dm_suspend(control, number, 200, &suspended, &e), e);
    assert_true(suspended && look_at(control).is_suspended);
    assert_ok(dm_suspend(control, number, 200, &suspended, &e), e);
    assert_false(suspended); /* not by this one */
    assert_ok(dm_resume(control, number, &e), e);
    assert_false(look_at(control).is_suspended);
    close(fd);
    assert_ok(dm_remove(control, NAME, 1000, &e), e);
    close(control);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(holders_are_counted_once, support_make_directory,
                                        support_remove_directory),
        cmocka_unit_test(devices_come_and_go),
        cmocka_unit_test(reads_are_held_back),
    };

    return cmocka_run_group_tests_name("dm", tests, NULL, NULL);
}
