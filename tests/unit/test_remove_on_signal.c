/* SPDX-License-Identifier: MIT */
/* What a signal leaves of the files whose names were added: each case is a process of its own. */
#include "support.h"

#include "compress/remove_on_signal.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static int directory_fd;

static void create(const char *name)
{
    int fd = openat(directory_fd, name, O_WRONLY | O_CREAT, 0666);

    assert_true(fd >= 0);
    close(fd);
}

static bool is_there(const char *name)
{
    return faccessat(directory_fd, name, F_OK, 0) == 0;
}

static void add(const char *name)
{
    struct err e = ERR_INIT;

    assert_int_equal(remove_on_signal_add(directory_fd, name, &e), 0);
    create(name);
}

/* Runs a case in a process of its own, which ends by exit code 0 unless a signal ends it.
 * Returns the number of that signal, or 0. */
static int run_case(void (*in_child)(void))
{
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        in_child();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void end_with_two(void)
{
    add("first");
    add("second");
    add("published");
    remove_on_signal_drop("published");
    raise(SIGTERM);
}

static void all_that_are_left_are_removed(void **state)
{
    (void)state;
    assert_int_equal(run_case(end_with_two), SIGTERM);
    assert_false(is_there("first"));
    assert_false(is_there("second"));
    assert_true(is_there("published"));
}

static void ignore_and_end(void)
{
    signal(SIGHUP, SIG_IGN);
    add("ignoring");
    raise(SIGHUP);
}

static void an_ignored_signal_is_ignored(void **state)
{
    (void)state;
    assert_int_equal(run_case(ignore_and_end), 0);
    assert_true(is_there("ignoring"));
}

static void handle(int number)
{
    (void)number;
    create("handled");
    _exit(0);
}

static void handle_and_end(void)
{
    signal(SIGINT, handle);
    add("unfinished");
    raise(SIGINT);
}

static void an_earlier_handler_is_called(void **state)
{
    (void)state;
    assert_int_equal(run_case(handle_and_end), 0);
    assert_false(is_there("unfinished"));
    assert_true(is_there("handled"));
}

static void places_are_limited_and_reused(void **state)
{
    char name[] = "number-0";
    struct err e = ERR_INIT;

    (void)state;
    for (int i = 0; i < REMOVE_ON_SIGNAL_MAX; i++, name[7]++)
        assert_int_equal(remove_on_signal_add(directory_fd, name, &e), 0);
    assert_int_equal(remove_on_signal_add(directory_fd, "one more", &e), -1);
    assert_int_equal(e.kind, ERR_IO);
    remove_on_signal_drop("number-3");
    e = (struct err)ERR_INIT;
    assert_int_equal(remove_on_signal_add(directory_fd, "one more", &e), 0);
}

static int open_directory(void **state)
{
    if (support_make_directory(state) < 0)
        return -1;
    directory_fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return directory_fd < 0 ? -1 : 0;
}

static int close_directory(void **state)
{
    close(directory_fd);
    return support_remove_directory(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_are_left_are_removed),
        cmocka_unit_test(an_ignored_signal_is_ignored),
        cmocka_unit_test(an_earlier_handler_is_called),
        cmocka_unit_test(places_are_limited_and_reused),
    };

    return cmocka_run_group_tests(tests, open_directory, close_directory);
}
