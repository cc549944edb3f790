/* SPDX-License-Identifier: MIT */
#include "attach/launch.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEEPER_NAME  "ihop-attach-keeper"
#define NUMBER_SIZE  16
#define EXIT_NOT_RUN 127
#define MESSAGE_SIZE 1024

/* The keeper that lies beside this program, as in a build directory or an initramfs, or else the
 * installed one. */
static void find_keeper(char path[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - sizeof KEEPER_NAME - 1);
    char *slash;

    path[n > 0 ? n : 0] = '\0';
    slash = strrchr(path, '/');
    if (slash) {
        strcpy(slash + 1, KEEPER_NAME);
        if (access(path, X_OK) == 0)
            return;
    }
    snprintf(path, PATH_MAX, "%s", KEEPER_DIRECTORY "/" KEEPER_NAME);
}

/* ---- can it be started? ---- */

/* Starts nbdkit, which tells about the plugin on stdout and ends. *errors: what it writes to
 * stderr. */
static int start_dump(const struct record *r, pid_t *pid, int *errors, struct err *e)
{
    char *const argv[] = {(char *)"nbdkit", (char *)"--dump-plugin", (char *)r->plugin, NULL};
    posix_spawn_file_actions_t actions;
    int pipes[2], errnum;

    if (pipe2(pipes, O_CLOEXEC) < 0)
        return err_sys(e, errno, "cannot look whether nbdkit runs");
    errnum = posix_spawn_file_actions_init(&actions);
    if (errnum == 0) {
        errnum = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
        if (errnum == 0)
            errnum = posix_spawn_file_actions_adddup2(&actions, pipes[1], 2);
        if (errnum == 0)
            errnum = posix_spawnp(pid, r->nbdkit, &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    close(pipes[1]);
    if (errnum == 0) {
        *errors = pipes[0];
        return 0;
    }
    close(pipes[0]);
    err_sys(e, errnum, "cannot start %s", r->nbdkit);
    if (errnum != ENOENT)
        return -1;
    e->kind = ERR_NOT_FOUND;
    return err_context(e, "nbdkit is missing");
}

/* The last error in what nbdkit wrote, or else its last line, printable. */
static const char *find_reason(char *text)
{
    const char *reason = "";
    bool is_error = false;
    char *line;

    for (char *rest = text; (line = strsep(&rest, "\n")) != NULL;) {
        bool here = strstr(line, "error:") != NULL;

        if (*line && here >= is_error) {
            text_make_printable(line);
            reason = line;
            is_error = here;
        }
    }
    return reason;
}

static int check_server(const struct record *r, struct err *e)
{
    CLEANUP_FD int errors = -1;
    const char *reason;
    char text[MESSAGE_SIZE];
    int status = 0;
    ssize_t n;
    pid_t pid;

    if (start_dump(r, &pid, &errors, e) < 0)
        return -1;
    n = io_read_full(errors, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    close(steal_fd(&errors)); /* if it writes more, it need not wait */
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, errno, "cannot look whether nbdkit runs");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    reason = find_reason(text);
    return err_set(e, ERR_IO, "%s cannot load the plugin %s%s%s", r->nbdkit, r->plugin,
                   *reason ? ": " : "", reason);
}

int launch_check(const struct keeper_job *job, struct err *e)
{
    char keeper[PATH_MAX];

    find_keeper(keeper);
    if (access(keeper, X_OK) < 0) {
        err_sys(e, errno, "cannot start %s", keeper);
        e->kind = ERR_NOT_FOUND;
        return -1;
    }
    return check_server(&job->record, e);
}

/* ---- starting it ---- */

/* Descriptors of whoever called ihop-attach, a pipe to a shell for example, would stay open as long
 * as the keeper lives. */
static void inherit_only(const struct keeper_job *job, int job_fd)
{
    const int fds[] = {job->lock, job->release, job->report, job_fd};

    (void)syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            (void)fcntl(fds[i], F_SETFD, 0);
}

/* argv[0] begins with @: systemd leaves such processes alone when it shuts down, since the device
 * may be what everything runs from. argv[1] is for people who look at a list of processes. */
static void become_keeper(const struct keeper_job *job, int job_fd)
{
    char path[PATH_MAX], number[NUMBER_SIZE], device[DEVICE_PATH_SIZE];
    char *const argv[] = {(char *)"@" KEEPER_NAME, device, number, NULL};
    struct err e = ERR_INIT;

    find_keeper(path);
    device_path(job->index, device);
    snprintf(number, sizeof number, "%d", job_fd);
    inherit_only(job, job_fd);
    execv(path, argv);
    err_sys(&e, errno, "cannot start %s", path);
    e.kind = ERR_NOT_FOUND;
    job_report(job, false, &e);
    _exit(EXIT_NOT_RUN);
}

/* In the process that goes on: it is no child of the keeper, who would have to wait for its end. */
static int leave_parent(struct err *e)
{
    pid_t pid = fork();

    if (pid < 0)
        return err_sys(e, errno, "cannot start the keeper");
    if (pid > 0)
        _exit(0);
    return 0;
}

/* Returns in the process that goes on. */
static int split_process(const struct keeper_job *job, int job_fd, struct err *e)
{
    pid_t pid = fork();

    if (pid < 0)
        return err_sys(e, errno, "cannot start the keeper");
    if (job->foreground && pid > 0) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        become_keeper(job, job_fd);
    }
    if (job->foreground)
        return leave_parent(e);
    if (pid == 0) {
        setsid();
        become_keeper(job, job_fd);
    }
    return 0;
}

static int wait_for_report(int fd, struct output *out, struct err *e)
{
    struct report r;

    while (io_read_full(fd, &r, sizeof r) == sizeof r) {
        r.e.text[sizeof r.e.text - 1] = '\0';
        if (r.is_note) {
            if (out)
                output_note(out, "%s", r.e.text);
            continue;
        }
        if (r.e.kind == ERR_NONE)
            return 0;
        *e = r.e;
        return -1;
    }
    return err_set(e, ERR_IO, "the keeper ended before the device could be used");
}

int launch_keeper(struct keeper_job *job, struct output *out, struct err *e)
{
    CLEANUP_FD int reports = -1;
    CLEANUP_FD int job_fd = -1;
    int pipes[2];
    int r;

    if (pipe2(pipes, O_CLOEXEC) < 0)
        return err_sys(e, errno, "cannot start the keeper");
    reports = pipes[0];
    job->report = pipes[1];
    r = job_write(job, &job_fd, e);
    if (r == 0)
        r = split_process(job, job_fd, e);
    close(steal_fd(&job->report));
    if (r == 0)
        r = wait_for_report(reports, out, e);
    if (job->foreground)
        (void)steal_fd(&reports); /* its end, with this process, tells that all is printed */
    return r;
}
