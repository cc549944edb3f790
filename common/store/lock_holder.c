/* SPDX-License-Identifier: MIT */
#include "store/lock_holder.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define NAMED_MAX 3
#define COMM_SIZE 17

static bool read_link(int dirfd, const char *name, char path[PATH_MAX])
{
    ssize_t n = readlinkat(dirfd, name, path, PATH_MAX - 1);

    path[n < 0 ? 0 : n] = '\0';
    return n > 0;
}

/* Whether process has the file of this path open. Links are compared as text: to follow
 * them would touch file systems that may hang. */
static bool has_open(int proc, const char *process, const char *wanted)
{
    char path[NAME_MAX + sizeof "/fd"], found[PATH_MAX];
    CLEANUP_FD int fds = -1;
    CLEANUP_DIR DIR *dir = NULL;
    struct dirent *entry;

    snprintf(path, sizeof path, "%s/fd", process);
    fds = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    dir = fds >= 0 ? io_opendirat(fds) : NULL;
    while (dir && (entry = io_readdir(dir)))
        if (read_link(fds, entry->d_name, found) && strcmp(found, wanted) == 0)
            return true;
    return false;
}

static void add_process(int proc, const char *process, char text[LOCK_HOLDER_SIZE])
{
    char path[NAME_MAX + sizeof "/comm"], comm[COMM_SIZE] = "";
    CLEANUP_FD int fd = -1;
    size_t used = strlen(text);

    snprintf(path, sizeof path, "%s/comm", process);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && io_read_full(fd, comm, sizeof comm - 1) < 0)
        comm[0] = '\0';
    comm[strcspn(comm, "\n")] = '\0';
    text_make_printable(comm);
    snprintf(text + used, LOCK_HOLDER_SIZE - used, "%sprocess %.10s (%s)", used ? ", " : "",
             process, comm);
}

void lock_holder_name(int fd, char text[LOCK_HOLDER_SIZE])
{
    CLEANUP_FD int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEANUP_DIR DIR *dir = proc >= 0 ? io_opendirat(proc) : NULL;
    char path[PATH_MAX], own[sizeof "self/fd/" + 12], self[24];
    struct dirent *entry;
    int named = 0;

    text[0] = '\0';
    snprintf(own, sizeof own, "self/fd/%d", fd);
    snprintf(self, sizeof self, "%ld", (long)getpid());
    while (dir && named < NAMED_MAX && read_link(proc, own, path) && (entry = io_readdir(dir)))
        if (strspn(entry->d_name, "0123456789") == strlen(entry->d_name) &&
            strcmp(entry->d_name, self) != 0 && has_open(proc, entry->d_name, path)) {
            add_process(proc, entry->d_name, text);
            named++;
        }
    if (named == 0)
        snprintf(text, LOCK_HOLDER_SIZE, "a process that this user cannot see");
}
