/* SPDX-License-Identifier: MIT */
/* odd-clock: a library to preload, which gives a program the clocks and the times of files
 * of an odd machine.
 *
 *     ODD_CLOCK=SECONDS[,SECONDS...]   added to the wall clock: the first time it is looked
 *                                      at the first of them, then the next, and round again
 *     ODD_UPTIME=SECONDS               added to the time since the boot
 *     ODD_BOOT=FILE                    in place of the kernel's boot id
 *     ODD_GRAIN=SECONDS                to a multiple of which modification times are rounded
 *     ODD_LATEST=SECONDS               the latest of them that can be kept
 */
#undef _FORTIFY_SOURCE /* its openat is a macro */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

static long long number(const char *name, long long otherwise)
{
    const char *text = getenv(name);

    return text ? strtoll(text, NULL, 10) : otherwise;
}

/* What is to be added at this look. */
static long long jump(void)
{
    static atomic_uint looks;
    const char *text = getenv("ODD_CLOCK"), *comma;
    unsigned count = 1, n;

    if (!text)
        return 0;
    for (comma = text; (comma = strchr(comma, ',')); comma++)
        count++;
    for (n = atomic_fetch_add(&looks, 1) % count; n > 0; n--)
        text = strchr(text, ',') + 1;
    return strtoll(text, NULL, 10);
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    int (*real)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int r = real(clock, t);

    if (clock == CLOCK_REALTIME)
        t->tv_sec += jump();
    if (clock == CLOCK_BOOTTIME)
        t->tv_sec += number("ODD_UPTIME", 0);
    return r;
}

time_t time(time_t *t)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (t)
        *t = now.tv_sec;
    return now.tv_sec;
}

static void keep(struct timespec *t)
{
    long long grain = number("ODD_GRAIN", 0), latest = number("ODD_LATEST", 0);

    if (grain > 0)
        *t = (struct timespec){.tv_sec = t->tv_sec - t->tv_sec % grain};
    if (latest > 0 && t->tv_sec > latest)
        *t = (struct timespec){.tv_sec = latest};
}

int futimens(int fd, const struct timespec times[2])
{
    int (*real)(int, const struct timespec *) =
        (int (*)(int, const struct timespec *))dlsym(RTLD_NEXT, "futimens");
    struct timespec kept[2] = {times[0], times[1]};

    keep(&kept[0]);
    keep(&kept[1]);
    return real(fd, kept);
}

static int open_at(int dirfd, const char *path, int flags, mode_t mode)
{
    int (*real)(int, const char *, int, ...) =
        (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat64");
    const char *boot = getenv("ODD_BOOT");

    if (boot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0)
        path = boot;
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
