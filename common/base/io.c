/* SPDX-License-Identifier: MIT */
#include "base/io.h"

#include "base/cleanup.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* offset NULL: reads from the present position. */
static ssize_t read_full(int fd, uint8_t *at, size_t size, const uint64_t *offset)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = offset ? pread(fd, at + done, size - done, (off_t)(*offset + done))
                           : read(fd, at + done, size - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static int write_full(int fd, const uint8_t *at, size_t size, const uint64_t *offset)
{
    size_t done = 0;

    while (done < size) {
        ssize_t n = offset ? pwrite(fd, at + done, size - done, (off_t)(*offset + done))
                           : write(fd, at + done, size - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0) /* no file does that, but a driver might, for ever */
            errno = EIO;
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return 0;
}

ssize_t io_pread_full(int fd, void *buf, size_t size, uint64_t offset)
{
    return read_full(fd, buf, size, &offset);
}

ssize_t io_read_full(int fd, void *buf, size_t size)
{
    return read_full(fd, buf, size, NULL);
}

int io_write_full(int fd, const void *buf, size_t size)
{
    return write_full(fd, buf, size, NULL);
}

int io_pwrite_full(int fd, const void *buf, size_t size, uint64_t offset)
{
    return write_full(fd, buf, size, &offset);
}

/* The offset of the end, or 0. Of character devices, UBI volumes and MTD devices have one. at:
 * the present position, which stays. */
static uint64_t end_offset(int fd, const struct stat *st, off_t at)
{
    uint64_t size = 0;
    off_t end;

    if (S_ISREG(st->st_mode))
        return (uint64_t)st->st_size;
    if (S_ISBLK(st->st_mode))
        return ioctl(fd, BLKGETSIZE64, &size) < 0 ? 0 : size;
    if (!S_ISCHR(st->st_mode))
        return 0;
    end = lseek(fd, 0, SEEK_END);
    return end > 0 && lseek(fd, at, SEEK_SET) == at ? (uint64_t)end : 0;
}

uint64_t io_input_size(int fd)
{
    off_t at = lseek(fd, 0, SEEK_CUR);
    struct stat st;
    uint64_t end;

    if (at < 0 || fstat(fd, &st) < 0)
        return 0;
    end = end_offset(fd, &st, at);
    return end > (uint64_t)at ? end - (uint64_t)at : 0;
}

int io_openat(int dirfd, const char *path, int flags, mode_t mode)
{
    int fd;

    flags |= O_CLOEXEC | O_NOFOLLOW;
    if ((flags & O_ACCMODE) == O_RDONLY && !(flags & O_DIRECTORY))
        flags |= O_NONBLOCK;
    do
        fd = openat(dirfd, path, flags, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int io_open_named(int dirfd, const char *path, int flags)
{
    int fd;

    do
        fd = openat(dirfd, path, flags | O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    return fd;
}

bool io_name_exists(const char *path)
{
    int saved = errno;
    struct stat st;
    bool there = lstat(path, &st) == 0;

    errno = saved;
    return there;
}

/* Opens the path without openat2, one component after the other. */
static int open_by_walk(int dirfd, const char *path, int flags)
{
    CLEANUP_FD int directory = -1;
    char part[NAME_MAX + 1];
    const char *slash;

    while ((slash = strchr(path, '/'))) {
        size_t size = (size_t)(slash - path);
        int next;

        if (size == 0 || size > NAME_MAX || (size == 2 && memcmp(path, "..", 2) == 0)) {
            errno = EXDEV;
            return -1;
        }
        memcpy(part, path, size);
        part[size] = '\0';
        next = io_openat(directory >= 0 ? directory : dirfd, part, O_PATH | O_DIRECTORY, 0);
        if (next < 0)
            return -1;
        if (directory >= 0)
            close(directory);
        directory = next;
        path = slash + 1;
    }
    if (strcmp(path, "..") == 0) {
        errno = EXDEV;
        return -1;
    }
    return io_openat(directory >= 0 ? directory : dirfd, path, flags, 0);
}

static int call_openat2(int dirfd, const char *path, int flags)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK),
        .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
    };
    int fd;

    do
        fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
    while (fd < 0 && errno == EINTR);
    return fd;
}

int io_open_beneath(int dirfd, const char *path, int flags)
{
    const int humble = flags & ~O_NOATIME;
    int fd = call_openat2(dirfd, path, flags);

    if (fd < 0 && errno == EPERM && flags != humble)
        fd = call_openat2(dirfd, path, humble);
    /* EAGAIN: the kernel could not be sure, because of a rename at the same time. */
    if (fd >= 0 || !(io_is_refused(errno) || errno == EAGAIN || errno == E2BIG))
        return fd;
    fd = open_by_walk(dirfd, path, flags);
    if (fd < 0 && errno == EPERM && flags != humble)
        fd = open_by_walk(dirfd, path, humble);
    return fd;
}

DIR *io_opendirat(int dirfd)
{
    CLEANUP_FD int fd = io_openat(dirfd, ".", O_RDONLY | O_DIRECTORY, 0);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir)
        (void)steal_fd(&fd); /* closedir closes it */
    return dir;
}

struct dirent *io_readdir(DIR *dir)
{
    struct dirent *entry;

    do {
        errno = 0;
        entry = readdir(dir);
    } while (!entry && errno == EINTR);
    return entry;
}

int io_close(int *fd)
{
    int closing = steal_fd(fd);

    /* On Linux the descriptor is released even when close says EINTR. */
    if (closing >= 0 && close(closing) < 0 && errno != EINTR)
        return -1;
    return 0;
}

bool io_is_zero(const uint8_t *data, size_t size)
{
    return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

bool io_is_directory(int dirfd, const char *name, int flags)
{
    struct stat st;

    return fstatat(dirfd, name, &st, flags) == 0 && S_ISDIR(st.st_mode);
}

int io_fsync(int fd)
{
    int r;

    do
        r = fsync(fd);
    while (r < 0 && errno == EINTR);
    return r;
}

/* Whether no page of the file is in memory. Of another user's file the kernel says that all
 * pages are. */
static bool has_no_pages(int fd, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), count = (size + page - 1) / page, cached = 0;
    CLEANUP_FREE unsigned char *states = malloc(count);
    void *map = states ? mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (map == MAP_FAILED)
        return false;
    if (mincore(map, size, states) < 0)
        cached = 1;
    for (size_t i = 0; i < count && cached == 0; i++)
        cached = states[i] & 1;
    munmap(map, size);
    return cached == 0;
}

bool io_drop_pages(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
        return false;
    return st.st_size == 0 || has_no_pages(fd, (size_t)st.st_size);
}

int io_flock(int fd, int operation)
{
    int r;

    do
        r = flock(fd, operation);
    while (r < 0 && errno == EINTR);
    return r;
}

int io_mkdirat(int dirfd, const char *name)
{
    struct stat st;

    if (mkdirat(dirfd, name, 0755) == 0)
        return 0;
    if (errno != EEXIST)
        return -1;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (!S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        return -1;
    }
    return 0;
}

int io_read_file(int fd, size_t max, const char *what, uint8_t **data, size_t *size, struct err *e)
{
    CLEANUP_FREE uint8_t *buf = NULL;
    struct stat st;
    ssize_t n;

    if (fstat(fd, &st) < 0)
        return err_sys(e, errno, "cannot examine %s", what);
    if (!S_ISREG(st.st_mode))
        return err_set(e, ERR_DAMAGED, "%s is not a regular file", what);
    if ((uint64_t)st.st_size > max)
        return err_set(e, ERR_DAMAGED, "%s is too large (%llu bytes, at most %zu)", what,
                       (unsigned long long)st.st_size, max);
    buf = malloc((size_t)st.st_size + 1);
    if (!buf)
        return err_nomem(e, "reading a file");
    n = io_pread_full(fd, buf, (size_t)st.st_size, 0);
    if (n < 0)
        return err_sys(e, errno, "cannot read %s", what);
    *data = STEAL(buf);
    *size = (size_t)n;
    return 0;
}

int io_fill_standard(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        int got;

        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        /* All lower numbers are open, so this one gets the number fd. */
        got = open("/dev/null", (fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) | O_NOCTTY);
        if (got < 0)
            got = open("/", O_PATH);
        if (got != fd)
            return -1;
    }
    return 0;
}

uint64_t io_now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

bool io_is_random_name(const char *name)
{
    return strlen(name) == IO_RANDOM_NAME_SIZE - 1 &&
           strspn(name, "0123456789abcdef") == IO_RANDOM_NAME_SIZE - 1;
}

/* For systems that refuse getrandom. */
static bool read_urandom(uint8_t *buf, size_t size)
{
    CLEANUP_FD int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);

    return fd >= 0 && io_read_full(fd, buf, size) == (ssize_t)size;
}

int io_random_name(char buf[IO_RANDOM_NAME_SIZE])
{
    uint8_t random[8];
    ssize_t n;

    do
        n = getrandom(random, sizeof random, 0);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof random && !read_urandom(random, sizeof random))
        return -1;
    text_hex(random, sizeof random, buf);
    return 0;
}

bool io_is_refused(int errnum)
{
    return errnum == ENOSYS || errnum == EPERM || errnum == EINVAL || errnum == EOPNOTSUPP;
}

bool io_boot_id(char id[IO_BOOT_ID_SIZE])
{
    CLEANUP_FD int fd = io_openat(AT_FDCWD, "/proc/sys/kernel/random/boot_id", O_RDONLY, 0);
    size_t size = IO_BOOT_ID_SIZE - 1;

    if (fd >= 0 && io_read_full(fd, id, size) == (ssize_t)size) {
        id[size] = '\0';
        if (strspn(id, "0123456789abcdef-") == size)
            return true;
    }
    id[0] = '\0';
    return false;
}
