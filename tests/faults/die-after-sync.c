/* SPDX-License-Identifier: MIT */
/* die-after-sync: a library to preload. The program dies by SIGKILL after one of its syncs has
 * failed: with DIE_AFTER_SYNC=0 at once, with DIE_AFTER_SYNC=N instead of the N-th call after
 * the failure that opens or unlinks a file.
 * DIE_TOUCH=FILE: that file is made when a release has got its name. */
#undef _FORTIFY_SOURCE /* its openat is a macro */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int left = -1; /* calls until the end; -1: no sync has failed */

static void count(void)
{
    if (atomic_load(&left) > 0 && atomic_fetch_sub(&left, 1) == 1)
        kill(getpid(), SIGKILL);
}

static int judge(int result)
{
    int failure = errno, none = -1, n = atoi(getenv("DIE_AFTER_SYNC"));

    if (result < 0 && failure != EBADF) { /* that one asks whether there is such a call */
        if (n == 0)
            kill(getpid(), SIGKILL);
        atomic_compare_exchange_strong(&left, &none, n);
    }
    errno = failure;
    return result;
}

int syncfs(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "syncfs");

    return judge(real(fd));
}

int fsync(int fd)
{
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");

    return judge(real(fd));
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags);
int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    int (*real)(int, const char *, int, const char *, unsigned) =
        (int (*)(int, const char *, int, const char *, unsigned))dlsym(RTLD_NEXT, "renameat2");
    int r = real(from, old, to, new, flags), failure = errno;
    const char *file = getenv("DIE_TOUCH");

    if (r == 0 && file)
        close(creat(file, 0644));
    errno = failure;
    return r;
}

int unlinkat(int dirfd, const char *path, int flags)
{
    int (*real)(int, const char *, int) =
        (int (*)(int, const char *, int))dlsym(RTLD_NEXT, "unlinkat");

    count();
    return real(dirfd, path, flags);
}

static int open_at(int dirfd, const char *path, int flags, mode_t mode)
{
    int (*real)(int, const char *, int, ...) =
        (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat64");

    count();
    return real(dirfd, path, flags, mode);
}

/* The one name or the other, by how the program was compiled. */
#define DEFINE_OPENAT(name)                                                                        \
    int name(int dirfd, const char *path, int flags, ...);                                         \
    int name(int dirfd, const char *path, int flags, ...)                                          \
    {                                                                                              \
        va_list ap;                                                                                \
        mode_t mode;                                                                               \
                                                                                                   \
        va_start(ap, flags);                                                                       \
        mode = va_arg(ap, mode_t);                                                                 \
        va_end(ap);                                                                                \
        return open_at(dirfd, path, flags, mode);                                                  \
    }

DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)
