/* SPDX-License-Identifier: MIT */
/* kill-at: ends a program with SIGKILL as it makes its N-th system call, counted over
 * all of its threads; the call is not made. N beyond the end: it only counts.
 *
 *     kill-at REPORT N COMMAND [ARGUMENT...]
 *
 * REPORT gets "calls KILLED-AT": how many calls there were, and the number of the one
 * (asm/unistd.h) that was to be made, or -1. The exit code is the program's, 137 when
 * it was killed.
 *
 * strace can inject a signal as well, but counts by thread, so that the calls of the
 * thread that makes few of each kind are never reached. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS (PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL)
#define CALL    (SIGTRAP | 0x80) /* what TRACESYSGOOD makes of a stop at a call */

struct run {
    pid_t program;
    long kill_at, calls, killed_call;
    int status; /* of the program, as waitpid returns it */
};

static void die(const char *what)
{
    fprintf(stderr, "kill-at: %s: %s\n", what, strerror(errno));
    exit(2);
}

/* A thread stands at the entry or the exit of a call. */
static void at_call(struct run *r, pid_t thread)
{
    struct __ptrace_syscall_info info;

    if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) < 0 ||
        info.op != PTRACE_SYSCALL_INFO_ENTRY)
        return;
    if (++r->calls != r->kill_at)
        return;
    r->killed_call = (long)info.entry.nr;
    kill(r->program, SIGKILL);
}

/* What to pass on to a thread that stopped for another reason than a call. */
static int signal_of(int status)
{
    int signal = WSTOPSIG(status);

    /* SIGSTOP: a new thread's first stop. SIGTRAP: it made one. */
    return signal == SIGSTOP || signal == SIGTRAP ? 0 : signal;
}

static void follow(struct run *r)
{
    int status;

    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        int signal = 0;

        if (thread < 0)
            return; /* no one is left */
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (thread == r->program)
                r->status = status;
            continue;
        }
        if (WSTOPSIG(status) == CALL)
            at_call(r, thread);
        else
            signal = signal_of(status);
        /* A thread that was killed in the meantime is gone. */
        if (ptrace(PTRACE_SYSCALL, thread, 0, (void *)(long)signal) < 0 && errno != ESRCH)
            die("ptrace");
    }
}

static pid_t start(char **command)
{
    pid_t pid = fork();
    int status;

    if (pid < 0)
        die("fork");
    if (pid == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0) == 0)
            execvp(command[0], command);
        die(command[0]);
    }
    /* The stop after exec. */
    if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
        ptrace(PTRACE_SETOPTIONS, pid, 0, (void *)OPTIONS) < 0 ||
        ptrace(PTRACE_SYSCALL, pid, 0, 0) < 0)
        die("cannot trace");
    return pid;
}

int main(int argc, char **argv)
{
    struct run r = {.killed_call = -1};
    FILE *report;

    if (argc < 4) {
        fprintf(stderr, "usage: kill-at REPORT N COMMAND [ARGUMENT...]\n");
        return 2;
    }
    r.kill_at = strtol(argv[2], NULL, 10);
    r.program = start(argv + 3);
    follow(&r);
    report = fopen(argv[1], "w");
    if (!report || fprintf(report, "%ld %ld\n", r.calls, r.killed_call) < 0 || fclose(report) != 0)
        die(argv[1]);
    return WIFSIGNALED(r.status) ? 128 + WTERMSIG(r.status) : WEXITSTATUS(r.status);
}
