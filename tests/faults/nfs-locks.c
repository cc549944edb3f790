/* SPDX-License-Identifier: MIT */
/* nfs-locks: a library to preload, which gives a program locks as on network file systems.
 * There an exclusive flock needs a descriptor that is open for writing. With NFS_LOCKS=none, files
 * outside of .ihop have no locks at all, as where the server's lock service does not run.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Directories of NFS have locks of this machine. */
static bool is_file(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static bool has_no_locks(int fd)
{
    const char *mode = getenv("NFS_LOCKS");
    char proc[64], path[4096];
    ssize_t n;

    if (!mode || strcmp(mode, "none") != 0)
        return false;
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
    n = readlink(proc, path, sizeof path - 1);
    path[n < 0 ? 0 : n] = '\0';
    return !strstr(path, "/.ihop/lock") && !strstr(path, "/.ihop/publish");
}

int flock(int fd, int operation)
{
    int (*real)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");

    if (is_file(fd) && has_no_locks(fd)) {
        errno = ENOLCK;
        return -1;
    }
    if (is_file(fd) && (operation & LOCK_EX) && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY) {
        errno = EBADF;
        return -1;
    }
    return real(fd, operation);
}

static int control(const char *name, int fd, int command, void *argument)
{
    int (*real)(int, int, ...) = (int (*)(int, int, ...))dlsym(RTLD_NEXT, name);

    if ((command == F_OFD_SETLK || command == F_OFD_GETLK) && is_file(fd) && has_no_locks(fd)) {
        errno = ENOLCK;
        return -1;
    }
    return real(fd, command, argument);
}

/* Programs call the one or the other. */
#define CONTROL(name)                                                                              \
    int name(int fd, int command, ...)                                                             \
    {                                                                                              \
        void *argument;                                                                            \
        va_list ap;                                                                                \
                                                                                                   \
        va_start(ap, command);                                                                     \
        argument = va_arg(ap, void *);                                                             \
        va_end(ap);                                                                                \
        return control(#name, fd, command, argument);                                              \
    }
CONTROL(fcntl)
CONTROL(fcntl64)
