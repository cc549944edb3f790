/* SPDX-License-Identifier: MIT */
#include "attach/process.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

bool process_identify(pid_t pid, struct process *process)
{
    char path[64], text[1024];
    CLEANUP_FD int fd = -1;
    char *at;
    ssize_t n;
    uint64_t started;

    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? -1 : io_read_full(fd, text, sizeof text - 1);
    if (n <= 0)
        return false;
    text[n] = '\0';
    /* Field 22; field 2 is a name in parentheses that may contain anything. */
    at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return false;
    at++;
    at[strcspn(at, " ")] = '\0';
    if (!text_parse_u64(at, 0, UINT64_MAX, &started))
        return false;
    *process = (struct process){.pid = pid, .started = started};
    return true;
}

/* The descriptor comes first: what it stands for cannot change between it and the look. One that
 * has ended keeps its number until its parent has asked for it, which some never do. */
int process_open(const struct process *process)
{
    CLEANUP_FD int fd = process->pid > 0 ? pidfd_open(process->pid, 0) : -1;
    struct pollfd ended = {.fd = fd, .events = POLLIN};
    struct process now;

    if (fd < 0 || !process_identify(process->pid, &now) || now.started != process->started ||
        poll(&ended, 1, 0) > 0)
        return -1;
    return steal_fd(&fd);
}

bool process_is_alive(const struct process *process)
{
    CLEANUP_FD int fd = process_open(process);

    return fd >= 0;
}

bool process_kill(int pidfd, int wait_ms)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    int r;

    pidfd_send_signal(pidfd, SIGKILL, NULL, 0);
    while ((r = poll(&p, 1, wait_ms)) < 0 && errno == EINTR)
        ;
    return r > 0;
}
