/* SPDX-License-Identifier: MIT */
/* fail-malloc: a library to preload. One allocation of the program fails, counted over all
 * threads from the beginning of main on.
 *
 *     FAIL_MALLOC_AT=N      the N-th fails
 *     FAIL_MALLOC_ONWARD=1  and all after it
 *     FAIL_MALLOC_REPORT=F  the file F gets the number of allocations, at exit
 *
 * It sits before the allocator of the C library or of valgrind, whose findings stay what
 * they are. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef int main_function(int, char **, char **);

static main_function *real_main;
static atomic_long count;
static _Atomic bool counting;
static long fail_at;
static bool onward;

/* One of the functions that come after ours, found at its first use. */
static void *next(void *_Atomic *place, const char *name)
{
    void *found = atomic_load(place);

    if (!found) {
        found = dlsym(RTLD_NEXT, name);
        atomic_store(place, found);
    }
    return found;
}

static bool fails(void)
{
    long n;

    if (!atomic_load(&counting))
        return false;
    n = atomic_fetch_add(&count, 1) + 1;
    if (n != fail_at && !(onward && fail_at > 0 && n > fail_at))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    static void *_Atomic place;
    void *(*function)(size_t) = next(&place, "malloc");

    return fails() ? NULL : function(size);
}

void *calloc(size_t n, size_t size)
{
    static void *_Atomic place;
    void *(*function)(size_t, size_t) = next(&place, "calloc");

    return fails() ? NULL : function(n, size);
}

void *realloc(void *old, size_t size)
{
    static void *_Atomic place;
    void *(*function)(void *, size_t) = next(&place, "realloc");

    return size > 0 && fails() ? NULL : function(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    static void *_Atomic place;
    void *(*function)(size_t, size_t) = next(&place, "aligned_alloc");

    return fails() ? NULL : function(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    static void *_Atomic place;
    int (*function)(void **, size_t, size_t) = next(&place, "posix_memalign");

    return fails() ? ENOMEM : function(out, alignment, size);
}

static void report(void)
{
    const char *path = getenv("FAIL_MALLOC_REPORT");
    char line[32];
    int fd, size;

    atomic_store(&counting, false);
    fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
    size = snprintf(line, sizeof line, "%ld\n", atomic_load(&count));
    if (fd >= 0 && write(fd, line, (size_t)size) < 0)
        _exit(99);
    if (fd >= 0)
        close(fd);
}

static int counted_main(int argc, char **argv, char **env)
{
    int code;

    atomic_store(&counting, true);
    code = real_main(argc, argv, env);
    report();
    return code;
}

/* What calls main; the arguments are glibc's business. */
int __libc_start_main(main_function *program, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);
int __libc_start_main(main_function *program, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    const char *at = getenv("FAIL_MALLOC_AT");
    int (*start)(main_function *, int, char **, void (*)(void), void (*)(void), void (*)(void),
                 void *) = dlsym(RTLD_NEXT, "__libc_start_main");

    fail_at = at ? strtol(at, NULL, 10) : 0;
    onward = getenv("FAIL_MALLOC_ONWARD") != NULL;
    real_main = program;
    return start(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}
