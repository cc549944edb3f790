/* SPDX-License-Identifier: MIT */
/* test_record: the records of keepers, good ones and broken ones; their jobs; locks; who a process
 * is. */
#include "support.h"

#include "attach/job.h"
#include "attach/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct record example(void)
{
    return (struct record){
        .keeper = {.pid = 12, .started = 345},
        .server = {.pid = 4194304, .started = UINT64_MAX},
        .nbdkit = "/usr/sbin/nbdkit",
        .plugin = "ihop",
        .parameters = "verify=first\nmaxfds=7\n",
        .store = "/var/lib/a store",
        .release = "v 1",
        .id = "00ff",
        .size = UINT64_C(1) << 40,
        .connections = 2,
        .timeout_s = 10,
        .dead_timeout_s = 3600,
        .restarts = 7,
        .switch_ms = 5,
        .suspended = "253:0\n253:17\n",
    };
}

static void write_example(const char *directory)
{
    struct record r = example();
    struct err e = ERR_INIT;

    assert_ok(record_write(directory, 3, &r, &e), e);
}

static void what_is_written_is_read(void **state)
{
    struct record r = {.restarts = 0}, expected = example();

    assert_false(record_read(*state, 3, &r));
    write_example(*state);
    assert_true(record_read(*state, 3, &r));
    assert_false(record_read(*state, 4, &r));
    assert_int_equal(r.keeper.pid, 12);
    assert_int_equal(r.keeper.started, 345);
    assert_int_equal(r.server.pid, 4194304);
    assert_true(r.server.started == UINT64_MAX);
    assert_string_equal(r.store, expected.store);
    assert_string_equal(r.release, expected.release);
    assert_string_equal(r.id, expected.id);
    assert_int_equal(r.connections, 2);
    assert_int_equal(r.timeout_s, 10);
    assert_int_equal(r.dead_timeout_s, 3600);
    assert_int_equal(r.restarts, 7);
    assert_int_equal(r.switch_ms, 5);
    assert_string_equal(r.nbdkit, expected.nbdkit);
    assert_string_equal(r.plugin, expected.plugin);
    assert_string_equal(r.parameters, expected.parameters);
    assert_string_equal(r.suspended, expected.suspended);
    assert_true(r.size == expected.size);
}

static void the_longest_values_fit(void **state)
{
    struct record r = example(), back;
    struct err e = ERR_INIT;

    memset(r.store, 's', sizeof r.store - 1);
    memset(r.release, 'r', sizeof r.release - 1);
    memset(r.nbdkit, 'n', sizeof r.nbdkit - 1);
    memset(r.plugin, 'p', sizeof r.plugin - 1);
    memset(r.parameters, 'v', sizeof r.parameters - 1);
    r.parameters[sizeof r.parameters - 2] = '\n';
    for (size_t i = 0; i < 16; i++)
        strcat(r.suspended, "4095:1048575\n");
    memset(r.id, 'f', sizeof r.id - 1);
    assert_ok(record_write(*state, 3, &r, &e), e);
    assert_true(record_read(*state, 3, &back));
    assert_string_equal(back.store, r.store);
    assert_string_equal(back.release, r.release);
    assert_string_equal(back.plugin, r.plugin);
    assert_string_equal(back.parameters, r.parameters);
    assert_string_equal(back.suspended, r.suspended);
}

static bool is_end_of(const uint8_t *data, size_t size, const char *row)
{
    size_t n = strlen(row);

    return size > n && data[size - 1] == '\n' && memcmp(data + size - 1 - n, row, n) == 0;
}

/* Any record that was cut short or has a NUL is like none; but lists may have any length, so what
 * is cut at the end of a line of one is no fault. */
static void broken_records_are_none(void **state)
{
    const char *path = support_path(*state, "nbd3");
    struct record r;
    uint8_t *data;
    size_t size;

    write_example(*state);
    data = support_read_file(path, &size);
    for (size_t i = 0; i < size - 1; i++) {
        support_write_file(path, data, i);
        if (!is_end_of(data, i, "restarts 7") && !is_end_of(data, i, "switch-ms 5") &&
            !is_end_of(data, i, "suspended 253:0"))
            assert_false(record_read(*state, 3, &r));
    }
    for (size_t i = 0; i < size; i++) {
        uint8_t kept = data[i];

        data[i] = '\0';
        support_write_file(path, data, size);
        assert_false(record_read(*state, 3, &r));
        data[i] = kept;
    }
    free(data);
}

static void rewrite(const char *path, const char *old, const char *new)
{
    char text[8192];
    size_t size;
    uint8_t *data = support_read_file(path, &size);
    const char *at = memmem(data, size, old, strlen(old));
    int n;

    assert_non_null(at);
    n = snprintf(text, sizeof text, "%.*s%s%.*s", (int)(at - (char *)data), (char *)data, new,
                 (int)(size - (size_t)(at - (char *)data) - strlen(old)), at + strlen(old));
    support_write_file(path, text, (size_t)n);
    free(data);
}

static void bad_values_are_refused(void **state)
{
    const struct {
        const char *old, *new;
        bool good;
    } cases[] = {
        {"keeper 12\n", "keeper -12\n", false},
        {"keeper 12\n", "keeper 12x\n", false},
        {"keeper 12\n", "keeper 99999999999\n", false},
        {"keeper 12\n", "keeper 12\nkeeper 12\n", false},
        {"keeper 12\n", "keeper\n", false},
        {"keeper 12\n", "", false},
        {"connections 2\n", "connections 17\n", false},
        {"id 00ff\n", "id 00ff\nnew line of a later version\n", true},
        {"restarts 7\n", "restarts 4294967296\n", false},
        {"switch-ms 5\n", "switch-ms 4294967296\n", false},
        {"switch-ms 5\n", "switch-ms 5\nswitch-ms 5\n", false},
        {"switch-ms 5\n", "", true}, /* of an earlier version */
        {"parameter maxfds=7\n", "", true},
        {"size 1099511627776\n", "size 4611686018427387905\n", false},
        {"timeout 10\n", "timeout -1\n", false},
        {"boot ", "boot x", false},
    };
    const char *path = support_path(*state, "nbd3");
    struct record r;

    for (size_t i = 0; i < COUNT(cases); i++) {
        write_example(*state);
        rewrite(path, cases[i].old, cases[i].new);
        assert_int_equal(record_read(*state, 3, &r), cases[i].good);
    }
    rewrite(path, "boot x", "boot ");
    rewrite(path, "switch-ms 5\n", "");
    assert_true(record_read(*state, 3, &r));
    assert_int_equal(r.switch_ms, 0);
}

static void one_keeper_has_the_lock(void **state)
{
    const char *directory = support_path(*state, "run");
    struct err e = ERR_INIT;
    int first = -1, second = -1, other = -1, turn = -1;

    assert_ok(record_lock(directory, 3, 0, &first, &e), e);
    assert_ok(record_lock(directory, 4, 0, &other, &e), e);
    assert_fails(record_lock(directory, 3, 30, &second, &e), e, ERR_BUSY, "/dev/nbd3 has a keeper");
    assert_int_equal(second, -1);
    record_remove(directory, 3);
    assert_fails(record_lock(directory, 3, 0, &second, &e), e, ERR_BUSY, "has a keeper");
    assert_ok(record_queue(directory, 0, &turn, &e), e);
    assert_fails(record_queue(directory, 30, &second, &e), e, ERR_BUSY, "another ihop-attach");
    close(turn);
    close(first);
    assert_ok(record_lock(directory, 3, 0, &second, &e), e);
    close(second);
    close(other);
}

static void removes_its_own_files_alone(void **state)
{
    const char *const names[] = {"nbd3.1.0.sock", "nbd33.pid", "nbd33", "nbd3.lock"};

    write_example(*state);
    for (size_t i = 0; i < COUNT(names); i++)
        support_write_file(support_path(*state, names[i]), "", 0);
    record_remove(*state, 3);
    assert_int_equal(access(support_path(*state, "nbd3"), F_OK), -1);
    assert_int_equal(access(support_path(*state, "nbd3.pid"), F_OK), -1);
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(access(support_path(*state, names[i]), F_OK), 0);
}

/* systemd reads the file as a whole line. */
static void the_number_of_the_keeper_is_beside_it(void **state)
{
    struct err e = ERR_INIT;
    uint8_t *data;
    size_t size;

    write_example(*state);
    data = support_read_file(support_path(*state, "nbd3.pid"), &size);
    assert_int_equal(size, 3);
    assert_memory_equal(data, "12\n", 3);
    free(data);
    assert_ok(record_write_pid(*state, 3, 4711, &e), e);
    data = support_read_file(support_path(*state, "nbd3.pid"), &size);
    assert_memory_equal(data, "4711\n", 5);
    free(data);
}

static void a_job_is_handed_over(void **state)
{
    struct keeper_job job = {.index = 255, .take_over = 1, .lock = -1, .release = 7, .report = 9};
    struct keeper_job back;
    struct err e = ERR_INIT;
    int fd;

    (void)state;
    job.record = example();
    strcpy(job.identifier, "ihop v 1 00ff");
    assert_ok(job_write(&job, &fd, &e), e);
    assert_ok(job_read(fd, &back, &e), e);
    assert_int_equal(back.index, 255);
    assert_int_equal(back.take_over, 1);
    assert_int_equal(back.foreground, 0);
    assert_int_equal(back.lock, -1);
    assert_int_equal(back.release, 7);
    assert_int_equal(back.report, 9);
    assert_string_equal(back.identifier, job.identifier);
    assert_string_equal(back.record.parameters, job.record.parameters);
    assert_int_equal(back.record.timeout_s, 10);
    assert_int_equal(ftruncate(fd, 40), 0);
    assert_fails(job_read(fd, &back, &e), e, ERR_PROTOCOL, "different versions");
    close(fd);
}

/* A note, then the result. */
static void reports_come_through_the_pipe(void **state)
{
    struct keeper_job job = {.report = -1};
    struct err note = ERR_INIT;
    struct report r;
    int pipes[2];

    (void)state;
    job_report(&job, true, &note); /* to nobody */
    assert_int_equal(pipe(pipes), 0);
    job.report = pipes[1];
    (void)err_set(&note, ERR_NONE, "slow");
    job_report(&job, true, &note);
    (void)err_set(&note, ERR_BUSY, "busy");
    job_report(&job, false, &note);
    assert_int_equal(read(pipes[0], &r, sizeof r), sizeof r);
    assert_true(r.is_note);
    assert_string_equal(r.e.text, "slow");
    assert_int_equal(read(pipes[0], &r, sizeof r), sizeof r);
    assert_false(r.is_note);
    assert_int_equal(r.e.kind, ERR_BUSY);
    close(pipes[0]);
    close(pipes[1]);
}

static void a_process_is_its_number_and_its_begin(void **state)
{
    struct process me, other;
    pid_t child = fork();
    int fd;

    (void)state;
    if (child == 0) {
        pause();
        _exit(0);
    }
    assert_true(process_identify(getpid(), &me));
    assert_true(process_identify(child, &other));
    fd = process_open(&other);
    assert_true(fd >= 0);
    close(fd);
    me.started++; /* somebody else had this number before */
    assert_int_equal(process_open(&me), -1);
    assert_true(process_is_alive(&other));
    fd = process_open(&other);
    assert_true(process_kill(fd, 20000));
    close(fd);
    waitpid(child, NULL, 0);
    assert_false(process_is_alive(&other));
    assert_int_equal(process_open(&other), -1);
    assert_int_equal(process_open(&(struct process){.pid = 0}), -1);
    assert_false(process_identify(child, &other));
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read),
        TEST(the_longest_values_fit),
        TEST(broken_records_are_none),
        TEST(bad_values_are_refused),
        TEST(one_keeper_has_the_lock),
        TEST(removes_its_own_files_alone),
        TEST(the_number_of_the_keeper_is_beside_it),
        TEST(a_job_is_handed_over),
        TEST(reports_come_through_the_pipe),
        TEST(a_process_is_its_number_and_its_begin),
    };

    return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
