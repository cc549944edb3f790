/* SPDX-License-Identifier: MIT */
#include "attach/record.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#define RECORD_PATH_MAX (PATH_MAX + 64)
#define LOCK_PAUSE_US   10000
#define MAX_RESTARTS    UINT32_MAX

const struct line record_lines[] = {
#define AT(member) offsetof(struct record, member)
    {"boot", LINE_TEXT, AT(boot), RECORD_BOOT_SIZE, 0},
    {"keeper", LINE_PID, AT(keeper.pid), 0, INT_MAX},
    {"keeper-started", LINE_LONG, AT(keeper.started), 0, UINT64_MAX},
    {"server", LINE_PID, AT(server.pid), 0, INT_MAX},
    {"server-started", LINE_LONG, AT(server.started), 0, UINT64_MAX},
    {"release", LINE_TEXT, AT(release), LIMIT_RELEASE_NAME + 1, 0},
    {"store", LINE_TEXT, AT(store), PATH_MAX, 0},
    {"id", LINE_TEXT, AT(id), CHUNK_HASH_HEX, 0},
    {"size", LINE_LONG, AT(size), 0, LIMIT_IMAGE},
    {"nbdkit", LINE_TEXT, AT(nbdkit), PATH_MAX, 0},
    {"plugin", LINE_TEXT, AT(plugin), PATH_MAX, 0},
    {"parameter", LINE_LIST, AT(parameters), RECORD_LIST_SIZE, 0},
    {"connections", LINE_NUMBER, AT(connections), 0, LIMIT_CONNECTIONS},
    {"timeout", LINE_NUMBER, AT(timeout_s), 0, LIMIT_WAIT_S},
    {"dead-timeout", LINE_NUMBER, AT(dead_timeout_s), 0, LIMIT_DEAD_TIMEOUT_S},
    {"restarts", LINE_NUMBER, AT(restarts), 0, MAX_RESTARTS},
    {"switch-ms", LINE_MAYBE, AT(switch_ms), 0, UINT32_MAX},
    {"suspended", LINE_LIST, AT(suspended), RECORD_LIST_SIZE, 0},
#undef AT
};
const size_t record_line_count = sizeof record_lines / sizeof *record_lines;

/* The text is "" where there is no /proc. */
static void read_boot(char boot[RECORD_BOOT_SIZE])
{
    CLEANUP_FD int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : io_read_full(fd, boot, RECORD_BOOT_SIZE - 1);

    boot[n > 0 ? n : 0] = '\0';
    boot[strcspn(boot, "\n")] = '\0';
}

/* Locks a file of the directory, which is made if it is not there. what: for the message when
 * somebody else has it. */
static int lock_file(const char *directory, const char *name, unsigned wait_ms, const char *what,
                     int *fd, struct err *e)
{
    uint64_t deadline = io_now_ms() + wait_ms;
    char path[RECORD_PATH_MAX];
    CLEANUP_FD int opened = -1;

    if (mkdir(directory, 0755) < 0 && errno != EEXIST)
        return err_sys(e, errno, "cannot make %s", directory);
    snprintf(path, sizeof path, "%s/%s", directory, name);
    opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (opened < 0)
        return err_sys(e, errno, "cannot open %s", path);
    while (io_flock(opened, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return err_sys(e, errno, "cannot lock %s", path);
        if (io_now_ms() >= deadline)
            return err_set(e, ERR_BUSY, "%s", what);
        usleep(LOCK_PAUSE_US);
    }
    *fd = steal_fd(&opened);
    return 0;
}

int record_lock(const char *directory, unsigned index, unsigned wait_ms, int *fd, struct err *e)
{
    char name[32], what[64];

    snprintf(name, sizeof name, "nbd%u.lock", index);
    snprintf(what, sizeof what, "/dev/nbd%u has a keeper", index);
    return lock_file(directory, name, wait_ms, what, fd, e);
}

int record_queue(const char *directory, unsigned wait_ms, int *fd, struct err *e)
{
    return lock_file(directory, "lock", wait_ms,
                     "another ihop-attach has not come to its end: try again", fd, e);
}

bool record_read(const char *directory, unsigned index, struct record *record)
{
    char path[RECORD_PATH_MAX], text[RECORD_TEXT_SIZE], boot[RECORD_BOOT_SIZE];
    struct record found;
    CLEANUP_FD int fd = -1;
    ssize_t n;

    snprintf(path, sizeof path, "%s/nbd%u", directory, index);
    fd = io_openat(AT_FDCWD, path, O_RDONLY, 0);
    n = fd < 0 ? -1 : io_read_full(fd, text, sizeof text - 1);
    if (n < 0 || memchr(text, '\0', (size_t)n))
        return false;
    text[n] = '\0';
    read_boot(boot);
    if (!lines_parse(record_lines, record_line_count, text, &found) ||
        strcmp(found.boot, boot) != 0)
        return false;
    *record = found;
    return true;
}

/* So that the name always has all of the text. */
static int replace_file(const char *directory, const char *name, const char *text, struct err *e)
{
    char path[RECORD_PATH_MAX], new[RECORD_PATH_MAX];
    CLEANUP_FD int fd = -1;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    snprintf(new, sizeof new, "%s/%s.new", directory, name);
    fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 || io_write_full(fd, text, strlen(text)) < 0 || rename(new, path) < 0)
        return err_sys(e, errno, "cannot write %s", path);
    return 0;
}

int record_write_pid(const char *directory, unsigned index, pid_t keeper, struct err *e)
{
    char name[32], text[32];

    snprintf(name, sizeof name, "nbd%u.pid", index);
    snprintf(text, sizeof text, "%ld\n", (long)keeper);
    return replace_file(directory, name, text, e);
}

int record_write(const char *directory, unsigned index, struct record *record, struct err *e)
{
    char text[RECORD_TEXT_SIZE] = "", name[32];

    read_boot(record->boot);
    snprintf(name, sizeof name, "nbd%u", index);
    if (lines_print(record_lines, record_line_count, record, text, sizeof text, e) < 0 ||
        replace_file(directory, name, text, e) < 0)
        return -1;
    return record_write_pid(directory, index, record->keeper.pid, e);
}

void record_remove(const char *directory, unsigned index)
{
    char path[RECORD_PATH_MAX];

    snprintf(path, sizeof path, "%s/nbd%u", directory, index);
    unlink(path);
    snprintf(path, sizeof path, "%s/nbd%u.pid", directory, index);
    unlink(path);
}
