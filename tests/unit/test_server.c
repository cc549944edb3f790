/* SPDX-License-Identifier: MIT */
/* test_server: servers that are shell scripts in the place of nbdkit, and connections to a server
 * that this program plays itself. */
#include "support.h"

#include "attach/connections.h"
#include "attach/server.h"
#include "base/io.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct server_command command_of(const char *program)
{
    return (struct server_command){.nbdkit = program,
                                   .plugin = "ihop",
                                   .store = "/a store",
                                   .release = "v1",
                                   .id = "00ff",
                                   .size = 1024};
}

/* An executable script; the caller does not free its path. */
static const char *write_script(const char *directory, const char *text)
{
    const char *path = support_path(directory, "nbdkit");

    support_write_file(path, text, strlen(text));
    assert_int_equal(chmod(path, 0755), 0);
    return path;
}

static void wait_for_end(const struct server *s)
{
    struct pollfd p = {.fd = s->pidfd, .events = POLLIN};

    assert_int_equal(poll(&p, 1, 20000), 1);
}

static void read_line(const char *path, const char *key, char *line, size_t size)
{
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    do
        assert_non_null(fgets(line, (int)size, f));
    while (strncmp(line, key, strlen(key)) != 0);
    fclose(f);
}

static void passes_what_is_to_be_served(void **state)
{
    const char *script = write_script(*state, "#!/bin/sh\nfor a; do echo \"$a\" >&2; done\n");
    const char *const expected[] = {
        "--foreground", "--unix",  "/x/s",         "--filter=truncate", "ihop",  "store=/a store",
        "release=v1",   "id=00ff", "round-up=512", "verify=first",      "a=b c", ""};
    struct server_command command = command_of(script);
    struct server s = SERVER_INIT;
    struct err e = ERR_INIT;

    command.size = 1025;
    command.parameters = "verify=first\na=b c\n\n";
    assert_ok(server_start(&command, "/x/s", &s, &e), e);
    wait_for_end(&s);
    assert_true(server_ended(&s));
    for (size_t i = 0; i < COUNT(expected) - 1; i++) {
        assert_true(server_read_message(&s));
        assert_string_equal(s.last, expected[i]);
    }
    assert_false(server_read_message(&s));
    server_stop(&s);
}

/* A process that listens on a path, as a server does; returns when it does. */
static pid_t start_listener(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int pipes[2];
    char byte;
    pid_t pid;

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(pipe(pipes), 0);
    pid = fork();
    if (pid == 0) {
        if (listen(fd, 4) < 0 || write(pipes[1], "", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    close(fd);
    close(pipes[0]);
    close(pipes[1]);
    return pid;
}

static bool has_ended(pid_t pid)
{
    return waitpid(pid, NULL, WNOHANG) == pid;
}

/* Those of another device stay, so does the one that is excepted, and a socket that nobody listens
 * on any more goes. */
static void others_of_the_device_are_ended(void **state)
{
    const char *const names[] = {"nbd3.10.0.sock", "nbd3.11.1.sock", "nbd33.10.0.sock",
                                 "nbd3.other", "nbd3.12.0.sock"};
    char paths[COUNT(names)][128];
    pid_t pids[COUNT(names)];

    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(paths[i], sizeof paths[i], "%s", support_path(*state, names[i]));
        pids[i] = start_listener(paths[i]);
    }
    kill(pids[4], SIGKILL);
    waitpid(pids[4], NULL, 0);
    server_stop_others(*state, 3, paths[1]);
    assert_true(has_ended(pids[0]));
    for (size_t i = 1; i < 4; i++)
        assert_false(has_ended(pids[i]));
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(access(paths[i], F_OK), i == 0 || i == 4 ? -1 : 0);
    server_stop_others(*state, 3, NULL);
    assert_true(has_ended(pids[1]));
    for (size_t i = 2; i < 4; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
}

/* One that hangs, and whose connections wait, is not taken for one that has ended. */
static void one_that_takes_no_connection_stays(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = support_path(*state, "nbd3.10.0.sock");
    pid_t pid = start_listener(path);
    int fds[16], last = 0;

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    for (size_t i = 0; i < COUNT(fds); i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        last = connect(fds[i], (struct sockaddr *)&address, sizeof address);
    }
    assert_int_equal(last, -1);
    server_stop_others(*state, 3, NULL);
    assert_int_equal(access(path, F_OK), 0);
    for (size_t i = 0; i < COUNT(fds); i++)
        close(fds[i]);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    server_stop_others(*state, 3, NULL);
    assert_int_equal(access(path, F_OK), -1);
}

/* A parent whose death would end it, or a signal that nbdkit takes for its end, must not reach it.
 */
static void is_an_orphan_that_only_sigkill_ends(void **state)
{
    const char *script = write_script(*state, "#!/bin/sh\necho here >&2\nexec sleep 600\n");
    struct server_command command = command_of(script);
    struct server s = SERVER_INIT;
    struct err e = ERR_INIT;
    char path[64], line[256];
    unsigned long long blocked;
    long parent;

    assert_ok(server_start(&command, "/x/s", &s, &e), e);
    while (!server_read_message(&s))
        usleep(1000);
    snprintf(path, sizeof path, "/proc/%ld/status", (long)s.process.pid);
    read_line(path, "PPid:", line, sizeof line);
    assert_int_equal(sscanf(line, "PPid: %ld", &parent), 1);
    assert_int_not_equal(parent, getpid());
    read_line(path, "SigBlk:", line, sizeof line);
    assert_int_equal(sscanf(line, "SigBlk: %llx", &blocked), 1);
    for (size_t i = 0; i < 4; i++) {
        const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

        assert_true(blocked & (1ULL << (signals[i] - 1)));
        kill(s.process.pid, signals[i]);
    }
    assert_false(server_ended(&s));
    server_stop(&s);
    assert_int_equal(s.process.pid, 0);
    assert_int_equal(s.pidfd, -1);
}

static void what_it_said_last_is_in_the_error(void **state)
{
    const char *script = write_script(*state, "#!/bin/sh\necho 'one' >&2\necho 'error: no "
                                              "\033[1mstore' >&2\necho 'see --help' >&2\nexit 1\n");
    struct server_command command = command_of(script);
    struct server s = SERVER_INIT;
    struct err e = ERR_INIT;
    int fd = -1;

    assert_ok(server_start(&command, support_path(*state, "socket"), &s, &e), e);
    assert_fails(server_connect(&s, (struct nbd_patience){io_now_ms() + 20000, -1}, &fd, &e), e,
                 ERR_IO, "the server ended: error: no ?[1mstore");
    assert_int_equal(fd, -1);
    server_stop(&s);
}

static void one_that_never_listens_is_given_up(void **state)
{
    const char *script = write_script(*state, "#!/bin/sh\nexec sleep 600\n");
    struct server_command command = command_of(script);
    struct server s = SERVER_INIT;
    struct err e = ERR_INIT;
    int fd = -1;

    assert_ok(server_start(&command, support_path(*state, "socket"), &s, &e), e);
    assert_fails(server_connect(&s, (struct nbd_patience){io_now_ms() + 50, -1}, &fd, &e), e,
                 ERR_IO, "does not listen");
    server_stop(&s);
}

/* Somebody asks to end, before the server listens and while it says nothing. */
static void a_signal_ends_the_wait(void **state)
{
    const char *script = write_script(*state, "#!/bin/sh\nexec sleep 600\n");
    struct server_command command = command_of(script);
    struct server s = SERVER_INIT;
    struct nbd_patience patience = {io_now_ms() + 600000, -1};
    struct err e = ERR_INIT;
    int fd = -1, stop[2];

    assert_int_equal(pipe(stop), 0);
    assert_int_equal(write(stop[1], "", 1), 1);
    patience.stop = stop[0];
    assert_ok(server_start(&command, support_path(*state, "socket"), &s, &e), e);
    assert_fails(server_connect(&s, patience, &fd, &e), e, ERR_IO, "a signal ended the wait");
    server_stop(&s);
    close(stop[0]);
    close(stop[1]);
}

static void a_missing_program_is_told(void **state)
{
    struct server_command command = command_of("/nonexistent/nbdkit");
    struct server s = SERVER_INIT;
    struct err e = ERR_INIT;
    char long_path[200];

    (void)state;
    assert_fails(server_start(&command, "/x/s", &s, &e), e, ERR_NOT_FOUND, "/nonexistent/nbdkit");
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    assert_fails(server_start(&command, long_path, &s, &e), e, ERR_USAGE, "too long");
    assert_int_equal(s.pidfd, -1);
}

/* ---- connections ---- */

/* Plays a server: answers so many connections with the handshake of an export. */
struct player {
    int listener;
    unsigned answers;
    uint8_t size[8], flags[2];
    int accepted[LIMIT_CONNECTIONS];
    pthread_t thread;
};

static void *play(void *user)
{
    struct player *p = user;
    uint8_t bytes[18 + 20 + 12 + 20] =
        "NBDMAGICIHAVEOPT\0\3\0\3\xe8\x89\x04\x55\x65\xa9\0\0\0\7\0\0\0\3\0\0\0\x0c\0\0";

    memcpy(bytes + 40, p->size, 8);
    memcpy(bytes + 48, p->flags, 2);
    memcpy(bytes + 50, "\0\3\xe8\x89\x04\x55\x65\xa9\0\0\0\7\0\0\0\1\0\0\0\0", 20);
    for (unsigned i = 0; i < p->answers; i++) {
        p->accepted[i] = accept(p->listener, NULL, NULL);
        assert_int_equal(write(p->accepted[i], bytes, sizeof bytes), sizeof bytes);
    }
    return NULL;
}

static void start_player(struct player *p, const char *directory, struct server *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    *s = (struct server)SERVER_INIT;
    snprintf(s->socket, sizeof s->socket, "%s", support_path(directory, "socket"));
    memcpy(address.sun_path, s->socket, sizeof address.sun_path);
    p->listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(p->listener, 8), 0);
    p->size[6] = 4; /* 1,024 bytes */
    pthread_create(&p->thread, NULL, play, p);
}

static void end_player(struct player *p)
{
    pthread_join(p->thread, NULL);
    close(p->listener);
}

static void all_places_are_filled_and_deaths_seen(void **state)
{
    struct player p = {.answers = 4, .flags = {1, 3}};
    struct nbd_export export;
    struct connections c;
    struct err e = ERR_INIT;
    struct server s;
    int kept;

    start_player(&p, *state, &s);
    connections_init(&c, 3);
    assert_ok(
        connections_make(&c, &s, 1024, (struct nbd_patience){io_now_ms() + 20000, -1}, &export, &e),
        e);
    assert_int_equal(export.flags, 0x103);
    assert_int_equal(connections_drop_dead(&c), 0);
    /* What a server sends is no death; its end is. */
    assert_int_equal(write(p.accepted[0], "x", 1), 1);
    assert_int_equal(connections_drop_dead(&c), 0);
    kept = c.fds[0];
    close(p.accepted[1]);
    assert_int_equal(connections_drop_dead(&c), 1);
    assert_int_equal(c.fds[1], -1);
    /* The empty place alone is filled again. */
    assert_ok(
        connections_make(&c, &s, 1024, (struct nbd_patience){io_now_ms() + 20000, -1}, &export, &e),
        e);
    assert_int_equal(c.fds[0], kept);
    assert_int_equal(connections_drop_dead(&c), 0);
    connections_end(&c);
    assert_int_equal(connections_drop_dead(&c), 3);
    end_player(&p);
}

static void other_exports_are_refused(void **state)
{
    const struct {
        uint64_t size;
        uint8_t flags[2];
        enum err_kind kind;
        const char *text;
    } cases[] = {
        {1536, {1, 3}, ERR_OTHER_IMAGE, "1024 bytes, not 1536"},
        {1024, {1, 1}, ERR_PROTOCOL, "not read-only"},
        {1024, {0, 3}, ERR_PROTOCOL, "one connection"},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct player p = {.answers = 1};
        struct nbd_export export;
        struct connections c;
        struct err e = ERR_INIT;
        struct server s;

        memcpy(p.flags, cases[i].flags, 2);
        start_player(&p, *state, &s);
        connections_init(&c, 2);
        assert_fails(connections_make(&c, &s, cases[i].size,
                                      (struct nbd_patience){io_now_ms() + 20000, -1}, &export, &e),
                     e, cases[i].kind, cases[i].text);
        assert_int_equal(c.fds[0], -1);
        end_player(&p);
        unlink(s.socket);
    }
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(passes_what_is_to_be_served),
        TEST(is_an_orphan_that_only_sigkill_ends),
        TEST(what_it_said_last_is_in_the_error),
        TEST(one_that_never_listens_is_given_up),
        TEST(a_signal_ends_the_wait),
        TEST(one_that_takes_no_connection_stays),
        TEST(a_missing_program_is_told),
        TEST(all_places_are_filled_and_deaths_seen),
        TEST(other_exports_are_refused),
        TEST(others_of_the_device_are_ended),
    };

    return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
