/* SPDX-License-Identifier: MIT */
/* test_page_cache: what the kernel keeps in memory of a chunk's file. */
#include "support.h"

#include "base/limits.h"
#include "plugin/page_cache.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE ((size_t)(1000 * KIB))

/* A file of which nothing is in memory, or -1: some file systems keep all in memory, or know no
 * reads that do not wait. */
static int open_cold(const char *directory)
{
    static uint8_t data[FILE_SIZE];
    int fd;

    support_fill(data, sizeof data, 1);
    support_write_file(support_path(directory, "file"), data, sizeof data);
    fd = open(support_path(directory, "file"), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fsync(fd), 0);
    if (page_cache_has(fd, 0)) {
        page_cache_drop(fd, 0, 0);
        posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM); /* as chunks are opened */
        if (!page_cache_has(fd, 0) && !page_cache_has(fd, FILE_SIZE - 1))
            return fd;
    }
    close(fd);
    return -1;
}

/* Waits for a byte that was asked for. */
static void await(int fd, off_t offset)
{
    char byte;

    assert_int_equal(pread(fd, &byte, 1, offset), 1);
}

static void fills_all_that_it_is_told(void **state)
{
    int fd = open_cold(*state);

    if (fd < 0)
        skip();
    page_cache_fill(fd, 0, FILE_SIZE);
    await(fd, 0);
    await(fd, FILE_SIZE - 1);
    for (size_t at = 0; at < FILE_SIZE; at += 100000) {
        await(fd, (off_t)at);
        assert_true(page_cache_has(fd, at + 1));
    }
    close(fd);
}

/* What is read is no more than the pages in which the bytes lie. */
static void fills_nothing_else(void **state)
{
    int fd = open_cold(*state);

    if (fd < 0)
        skip();
    page_cache_fill(fd, 50000, 20000);
    await(fd, 50000);
    await(fd, 69999);
    assert_true(page_cache_has(fd, 60000));
    assert_false(page_cache_has(fd, 40000));
    assert_false(page_cache_has(fd, 80000));
    close(fd);
}

static void drops_a_part(void **state)
{
    int fd = open_cold(*state);

    if (fd < 0)
        skip();
    page_cache_fill(fd, 0, FILE_SIZE);
    for (size_t at = 0; at < FILE_SIZE; at += 4096)
        await(fd, (off_t)at);
    page_cache_drop(fd, 128 * KIB, 128 * KIB);
    assert_true(page_cache_has(fd, 100 * KIB));
    assert_false(page_cache_has(fd, 200 * KIB));
    assert_true(page_cache_has(fd, 300 * KIB));
    close(fd);
}

static void bad_descriptors_are_cold(void **state)
{
    (void)state;
    page_cache_fill(-1, 0, 1);
    page_cache_drop(-1, 0, 0);
    assert_false(page_cache_has(-1, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fills_all_that_it_is_told, support_make_directory,
                                        support_remove_directory),
        cmocka_unit_test_setup_teardown(fills_nothing_else, support_make_directory,
                                        support_remove_directory),
        cmocka_unit_test_setup_teardown(drops_a_part, support_make_directory,
                                        support_remove_directory),
        cmocka_unit_test(bad_descriptors_are_cold),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
