/* SPDX-License-Identifier: MIT */
#include "compress/sign_command.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* A file rather than a pipe: `openssl pkeyutl -rawin` asks for the size of what it signs. */
static int open_message(const void *message, size_t size, struct err *e)
{
    CLEANUP_FD int fd = memfd_create("to-sign", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    if (fd < 0 || io_pwrite_full(fd, message, size, 0) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0)
        return err_sys(e, errno, "cannot prepare what is to be signed");
    return steal_fd(&fd);
}

static int spawn_shell(const char *command, int in, int out, pid_t *pid, struct err *e)
{
    char *const arguments[] = {"sh", "-c", (char *)command, NULL};
    posix_spawn_file_actions_t actions;
    int failure = posix_spawn_file_actions_init(&actions);

    if (failure == 0) {
        failure = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
        if (failure == 0)
            failure = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
        if (failure == 0)
            failure = posix_spawn(pid, "/bin/sh", &actions, NULL, arguments, environ);
        posix_spawn_file_actions_destroy(&actions);
    }
    return failure == 0 ? 0 : err_sys(e, failure, "cannot run the --sign-command");
}

/* Waits for the end of the command. */
static int wait_for_command(pid_t pid, struct err *e)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, errno, "cannot wait for the --sign-command");
    if (WIFSIGNALED(status))
        return err_set(e, ERR_IO, "the --sign-command was killed by signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) != 0)
        return err_set(e, ERR_IO, "the --sign-command failed with exit code %d",
                       WEXITSTATUS(status));
    return 0;
}

/* Reads all that the command prints, up to one byte too many. */
static int run_with_pipe(const char *command, int message, uint8_t *printed, size_t size,
                         ssize_t *got, struct err *e)
{
    int ends[2], failure = 0, r;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) < 0)
        return err_sys(e, errno, "cannot make a pipe");
    r = spawn_shell(command, message, ends[1], &pid, e);
    close(ends[1]);
    if (r == 0) {
        *got = io_read_full(ends[0], printed, size);
        failure = errno;
    }
    close(ends[0]); /* A command that prints on gets SIGPIPE. */
    if (r < 0)
        return -1;
    r = wait_for_command(pid, e);
    if (*got < 0)
        return err_sys(e, failure, "cannot read what the --sign-command prints");
    return *got > ED25519_SIGNATURE_SIZE ? 0 : r;
}

int sign_command_run(const char *command, const void *message, size_t size,
                     uint8_t signature[ED25519_SIGNATURE_SIZE], struct err *e)
{
    uint8_t printed[ED25519_SIGNATURE_SIZE + 1];
    CLEANUP_FD int fd = open_message(message, size, e);
    ssize_t got = 0;

    if (fd < 0 || run_with_pipe(command, fd, printed, sizeof printed, &got, e) < 0)
        return -1;
    if (got != ED25519_SIGNATURE_SIZE)
        return err_set(e, ERR_IO,
                       "the --sign-command printed %s%zd bytes instead of a signature of 64",
                       got > ED25519_SIGNATURE_SIZE ? "more than " : "",
                       got > ED25519_SIGNATURE_SIZE ? (ssize_t)ED25519_SIGNATURE_SIZE : got);
    memcpy(signature, printed, ED25519_SIGNATURE_SIZE);
    return 0;
}
