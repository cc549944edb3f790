/* SPDX-License-Identifier: MIT */
/* test_notify: what a service manager's socket receives. */
#include "support.h"

#include "attach/notify.h"
#include "base/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A manager's socket; a name that begins with @ is in no file system. */
static int make_manager(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    assert_true(length < sizeof address.sun_path);
    memcpy(address.sun_path, name, length);
    if (*name == '@')
        address.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static void assert_ready(int manager, const char *expected)
{
    char text[128] = "";

    assert_true(recv(manager, text, sizeof text - 1, 0) > 0);
    assert_string_equal(text, expected);
}

static void a_path_or_a_name(void **state)
{
    const char *path = support_path(*state, "socket");
    struct err e = ERR_INIT;
    char name[64];

    snprintf(name, sizeof name, "@ihop-test-notify-%ld", (long)getpid());
    {
        CLEANUP_FD int manager = make_manager(path);

        assert_ok(notify_ready(733, &e), e);
        assert_ready(manager, "MAINPID=733\nREADY=1");
    }
    {
        CLEANUP_FD int manager = make_manager(name);

        assert_ok(notify_ready(1, &e), e);
        assert_ready(manager, "MAINPID=1\nREADY=1");
    }
}

static void no_manager_no_word(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    unsetenv("NOTIFY_SOCKET");
    assert_ok(notify_ready(1, &e), e);
}

static void what_is_no_address(void **state)
{
    struct err e = ERR_INIT;
    char name[200];

    memset(name, 'x', sizeof name);
    name[0] = '/';
    name[sizeof name - 1] = '\0';
    setenv("NOTIFY_SOCKET", name, 1);
    assert_fails(notify_ready(1, &e), e, ERR_IO, "is no address");
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_fails(notify_ready(1, &e), e, ERR_IO, "is no address");
    setenv("NOTIFY_SOCKET", "@", 1);
    assert_fails(notify_ready(1, &e), e, ERR_IO, "is no address");
    setenv("NOTIFY_SOCKET", support_path(*state, "nobody"), 1);
    assert_int_equal(notify_ready(1, &e), -1);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_path_or_a_name),
        TEST(no_manager_no_word),
        TEST(what_is_no_address),
    };

    return cmocka_run_group_tests_name("notify", tests, NULL, NULL);
}
