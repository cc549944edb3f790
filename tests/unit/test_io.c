/* SPDX-License-Identifier: MIT */
/* test_io: reading, writing and opening below a directory. */
#include "support.h"

#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY);

    assert_true(fd >= 0);
    return fd;
}

/* directory/a/file, directory/link -> a, directory/a/escape -> .., directory/a/out -> file */
static int make_tree(const char *root)
{
    assert_int_equal(mkdir(support_path(root, "a"), 0755), 0);
    support_write_file(support_path(root, "a/file"), "hello", 5);
    support_write_file(support_path(root, "outside"), "secret", 6);
    assert_int_equal(symlink("a", support_path(root, "link")), 0);
    assert_int_equal(symlink("..", support_path(root, "a/escape")), 0);
    assert_int_equal(symlink("file", support_path(root, "a/out")), 0);
    return open_directory(root);
}

static void beneath_follows_no_link(void **state)
{
    static const char *const bad[] = {"link/file", "a/escape/outside", "a/out", "link"};
    int root = make_tree(*state), fd;

    for (size_t i = 0; i < COUNT(bad); i++) {
        fd = io_open_beneath(root, bad[i], O_RDONLY);
        if (fd >= 0 || (errno != ELOOP && errno != ENOTDIR && errno != EXDEV))
            fail_msg("%s: opened, or errno %d", bad[i], errno);
    }
    fd = io_open_beneath(root, "a/file", O_RDONLY);
    assert_true(fd >= 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    assert_int_equal(io_open_beneath(root, "a/none", O_RDONLY), -1);
    assert_int_equal(errno, ENOENT);
    close(root);
}

static void beneath_never_leaves(void **state)
{
    static const char *const bad[] = {"../outside", "a/../../x", "/etc/passwd"};
    int root = make_tree(*state), directory = open_directory(support_path(*state, "a"));

    for (size_t i = 0; i < COUNT(bad); i++)
        if (io_open_beneath(directory, bad[i], O_RDONLY) >= 0)
            fail_msg("%s was opened", bad[i]);
    close(directory);
    close(root);
}

static void fifo_does_not_block(void **state)
{
    int root = open_directory(*state), fd;

    assert_int_equal(mkfifo(support_path(*state, "fifo"), 0644), 0);
    fd = io_openat(root, "fifo", O_RDONLY, 0);
    assert_true(fd >= 0);
    close(fd);
    fd = io_open_beneath(root, "fifo", O_RDONLY);
    assert_true(fd >= 0);
    close(fd);
    close(root);
}

static void openat_follows_no_link(void **state)
{
    int root = make_tree(*state);

    assert_int_equal(io_openat(root, "link", O_RDONLY | O_DIRECTORY, 0), -1);
    assert_true(errno == ELOOP || errno == ENOTDIR);
    assert_int_equal(io_openat(root, "a/out", O_RDONLY, 0), -1);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(io_openat(root, "a/out", O_WRONLY | O_CREAT, 0644), -1);
    assert_int_equal(errno, ELOOP);
    close(root);
}

static void full_reads_and_writes(void **state)
{
    int root = open_directory(*state), fd = io_openat(root, "f", O_RDWR | O_CREAT, 0644);
    char buf[16] = "";

    assert_true(fd >= 0);
    assert_int_equal(io_write_full(fd, "hello world", 11), 0);
    assert_int_equal(io_pwrite_full(fd, "W", 1, 6), 0);
    assert_int_equal(io_pread_full(fd, buf, sizeof buf, 0), 11); /* up to the end */
    assert_string_equal(buf, "hello World");
    assert_int_equal(io_pread_full(fd, buf, 3, 8), 3);
    assert_memory_equal(buf, "rld", 3);
    assert_int_equal(io_pread_full(fd, buf, 3, 100), 0);
    assert_int_equal(io_close(&fd), 0);
    assert_int_equal(fd, -1);
    assert_int_equal(io_close(&fd), 0); /* nothing to close */
    close(root);
}

/* A pipe takes and hands out less than asked: writing and reading must go on. */
static void pipes_go_on(void **state)
{
    static uint8_t big[300000];
    uint8_t *got = malloc(400000);
    int fds[2], status;
    pid_t child;

    (void)state;
    support_fill(big, sizeof big, 1);
    assert_int_equal(pipe(fds), 0);
    child = fork();
    if (child == 0) {
        close(fds[0]);
        _exit(io_write_full(fds[1], big, sizeof big) == 0 ? 0 : 1);
    }
    close(fds[1]);
    assert_int_equal(io_read_full(fds[0], got, 200000), 200000);
    assert_int_equal(io_read_full(fds[0], got + 200000, 200000), 100000); /* up to the end */
    assert_memory_equal(got, big, sizeof big);
    assert_int_equal(io_read_full(fds[0], got, 1), 0);
    assert_int_equal(io_read_full(-1, got, 1), -1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    close(fds[0]);
    free(got);
}

static int read_whole(const char *path, size_t max, uint8_t **data, size_t *size, struct err *e)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK), r;

    assert_true(fd >= 0);
    r = io_read_file(fd, max, "the file", data, size, e);
    close(fd);
    return r;
}

static void reads_a_file(void **state)
{
    const char *path = support_path(*state, "f");
    struct err e = ERR_INIT;
    uint8_t *data = NULL;
    size_t size = 0;

    support_write_file(path, "hello", 5);
    assert_ok(read_whole(path, 5, &data, &size, &e), e);
    assert_int_equal(size, 5);
    assert_memory_equal(data, "hello", 5);
    free(data);
    data = NULL;
    assert_fails(read_whole(path, 4, &data, &size, &e), e, ERR_DAMAGED,
                 "the file is too large (5 bytes, at most 4)");
    assert_null(data);
    assert_fails(read_whole(*state, 5, &data, &size, &e), e, ERR_DAMAGED, "not a regular file");
    path = support_path(*state, "fifo");
    assert_int_equal(mkfifo(path, 0644), 0);
    assert_fails(read_whole(path, 5, &data, &size, &e), e, ERR_DAMAGED, "not a regular file");
}

static void makes_directories(void **state)
{
    int root = open_directory(*state);

    assert_int_equal(io_mkdirat(root, "d"), 0);
    assert_int_equal(io_mkdirat(root, "d"), 0); /* there already */
    support_write_file(support_path(*state, "f"), "", 0);
    assert_int_equal(io_mkdirat(root, "f"), -1);
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(symlink("d", support_path(*state, "l")), 0);
    assert_int_equal(io_mkdirat(root, "l"), -1); /* a link to a directory is none */
    assert_int_equal(errno, ENOTDIR);
    close(root);
}

static void random_names(void **state)
{
    char a[IO_RANDOM_NAME_SIZE], b[IO_RANDOM_NAME_SIZE];

    (void)state;
    assert_int_equal(io_random_name(a), 0);
    assert_int_equal(io_random_name(b), 0);
    assert_int_equal(strlen(a), IO_RANDOM_NAME_SIZE - 1);
    assert_int_equal(strspn(a, "0123456789abcdef"), IO_RANDOM_NAME_SIZE - 1);
    assert_string_not_equal(a, b);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(beneath_follows_no_link),
        IN_DIRECTORY(beneath_never_leaves),
        IN_DIRECTORY(fifo_does_not_block),
        IN_DIRECTORY(openat_follows_no_link),
        IN_DIRECTORY(full_reads_and_writes),
        cmocka_unit_test(pipes_go_on),
        IN_DIRECTORY(reads_a_file),
        IN_DIRECTORY(makes_directories),
        cmocka_unit_test(random_names),
    };

    return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}
