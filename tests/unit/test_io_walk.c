/* SPDX-License-Identifier: MIT */
/* test_io_walk: io_open_beneath on a kernel without openat2: this program's own syscall() refuses
 * it. */
#include "support.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static unsigned refused;

/* Replaces the C library's function; nothing else here makes system calls by number. */
long syscall(long number, ...)
{
    refused += number == SYS_openat2;
    errno = ENOSYS;
    return -1;
}

static int make_tree(const char *directory)
{
    assert_int_equal(mkdir(support_path(directory, "root"), 0755), 0);
    assert_int_equal(mkdir(support_path(directory, "root/a"), 0755), 0);
    assert_int_equal(mkdir(support_path(directory, "root/a/b"), 0755), 0);
    support_write_file(support_path(directory, "root/a/b/file"), "x", 1);
    support_write_file(support_path(directory, "outside"), "x", 1);
    assert_int_equal(symlink("a", support_path(directory, "root/link")), 0);
    assert_int_equal(symlink("../../outside", support_path(directory, "root/a/out")), 0);
    assert_int_equal(symlink("b", support_path(directory, "root/a/inside")), 0);
    return open(support_path(directory, "root"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void opens(void **state)
{
    int root = make_tree(*state), fd;
    char c = 0;

    refused = 0;
    fd = io_open_beneath(root, "a/b/file", O_RDONLY);
    assert_true(fd >= 0);
    assert_true(refused > 0);
    assert_int_equal(read(fd, &c, 1), 1);
    assert_int_equal(c, 'x');
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    assert_int_equal(io_open_beneath(root, "a/b/none", O_RDONLY), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(io_open_beneath(root, "a/none/file", O_RDONLY), -1);
    assert_int_equal(errno, ENOENT);
    close(root);
}

static void never_leaves(void **state)
{
    static const char *const bad[] = {
        "..",    "../outside",  "a/../../outside", "a/..",          "a/../a/b/file",
        "/",     "/etc/passwd", "a//b/file",       "link/b/file",   "a/inside/file",
        "a/out", "a/b/../b/..", "a/b/file/..",     "a/b/../b/file", "",
    };
    int root = make_tree(*state);
    char name[NAME_MAX + 20];

    for (size_t i = 0; i < COUNT(bad); i++)
        if (io_open_beneath(root, bad[i], O_RDONLY) >= 0)
            fail_msg("'%s' was opened", bad[i]);
    memset(name, 'x', NAME_MAX + 1);
    strcpy(name + NAME_MAX + 1, "/file");
    assert_int_equal(io_open_beneath(root, name, O_RDONLY), -1);
    close(root);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(opens),
        IN_DIRECTORY(never_leaves),
    };

    return cmocka_run_group_tests_name("io_walk", tests, NULL, NULL);
}
