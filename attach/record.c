/* SPDX-License-Identifier: MIT */
#include "attach/record.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>

#define RECORD_MAX      (PATH_MAX + 1024) /* bytes */
#define RECORD_PATH_MAX (PATH_MAX + 64)
#define LOCK_PAUSE_US   10000
#define MAX_RESTARTS    UINT32_MAX

enum value_type { VALUE_TEXT, VALUE_NUMBER, VALUE_PID, VALUE_LONG };

/* The lines of a record. size is that of a text's array. */
static const struct line {
    const char *key;
    enum value_type type;
    size_t offset, size;
    uint64_t max;
} lines[] = {
#define AT(member) offsetof(struct record, member)
    {"keeper", VALUE_PID, AT(keeper.pid), 0, INT_MAX},
    {"keeper-started", VALUE_LONG, AT(keeper.started), 0, UINT64_MAX},
    {"server", VALUE_PID, AT(server.pid), 0, INT_MAX},
    {"server-started", VALUE_LONG, AT(server.started), 0, UINT64_MAX},
    {"release", VALUE_TEXT, AT(release), LIMIT_RELEASE_NAME + 1, 0},
    {"store", VALUE_TEXT, AT(store), PATH_MAX, 0},
    {"id", VALUE_TEXT, AT(id), CHUNK_HASH_HEX, 0},
    {"connections", VALUE_NUMBER, AT(connections), 0, LIMIT_CONNECTIONS},
    {"timeout", VALUE_NUMBER, AT(timeout_s), 0, LIMIT_WAIT_S},
    {"dead-timeout", VALUE_NUMBER, AT(dead_timeout_s), 0, LIMIT_DEAD_TIMEOUT_S},
    {"restarts", VALUE_NUMBER, AT(restarts), 0, MAX_RESTARTS},
#undef AT
};

#define LINE_COUNT (sizeof lines / sizeof *lines)

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

int process_open(const struct process *process)
{
    CLEANUP_FD int fd = process->pid > 0 ? pidfd_open(process->pid, 0) : -1;
    struct process now;

    /* The descriptor comes first: what it stands for cannot change between it and the look. */
    if (fd < 0 || !process_identify(process->pid, &now) || now.started != process->started)
        return -1;
    return steal_fd(&fd);
}

int record_lock(const char *directory, unsigned index, unsigned wait_ms, int *fd, struct err *e)
{
    uint64_t deadline = io_now_ms() + wait_ms;
    char path[RECORD_PATH_MAX];
    CLEANUP_FD int opened = -1;

    if (mkdir(directory, 0755) < 0 && errno != EEXIST)
        return err_sys(e, errno, "cannot make %s", directory);
    snprintf(path, sizeof path, "%s/nbd%u.lock", directory, index);
    opened = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (opened < 0)
        return err_sys(e, errno, "cannot open %s", path);
    while (io_flock(opened, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return err_sys(e, errno, "cannot lock %s", path);
        if (io_now_ms() >= deadline)
            return err_set(e, ERR_BUSY, "/dev/nbd%u has a keeper", index);
        usleep(LOCK_PAUSE_US);
    }
    *fd = steal_fd(&opened);
    return 0;
}

static bool set_value(const struct line *line, struct record *record, const char *value)
{
    void *target = (char *)record + line->offset;
    uint64_t n;

    if (line->type == VALUE_TEXT) {
        if (strlen(value) >= line->size)
            return false;
        memcpy(target, value, strlen(value) + 1);
        return true;
    }
    if (!text_parse_u64(value, 0, line->max, &n))
        return false;
    if (line->type == VALUE_PID)
        *(pid_t *)target = (pid_t)n;
    else if (line->type == VALUE_NUMBER)
        *(unsigned *)target = (unsigned)n;
    else
        *(uint64_t *)target = n;
    return true;
}

/* Every known line once, each with a good value; lines of later versions are skipped. */
static bool parse_record(char *text, struct record *record)
{
    unsigned seen = 0;
    char *rest = text, *row;

    while ((row = strsep(&rest, "\n")) != NULL) {
        char *value = strchr(row, ' ');

        for (size_t i = 0; value && i < LINE_COUNT; i++) {
            size_t n = strlen(lines[i].key);

            if ((size_t)(value - row) != n || memcmp(row, lines[i].key, n) != 0)
                continue;
            if (seen & (1U << i) || !set_value(&lines[i], record, value + 1))
                return false;
            seen |= 1U << i;
        }
    }
    return seen == (1U << LINE_COUNT) - 1;
}

bool record_read(const char *directory, unsigned index, struct record *record)
{
    char path[RECORD_PATH_MAX], text[RECORD_MAX + 1];
    struct record found = {.connections = 0};
    CLEANUP_FD int fd = -1;
    ssize_t n;

    snprintf(path, sizeof path, "%s/nbd%u", directory, index);
    fd = io_openat(AT_FDCWD, path, O_RDONLY, 0);
    n = fd < 0 ? -1 : io_read_full(fd, text, RECORD_MAX);
    if (n < 0 || memchr(text, '\0', (size_t)n))
        return false;
    text[n] = '\0';
    if (!parse_record(text, &found))
        return false;
    *record = found;
    return true;
}

static void print_value(FILE *f, const struct line *line, const struct record *record)
{
    const void *source = (const char *)record + line->offset;

    if (line->type == VALUE_TEXT)
        fprintf(f, "%s %s\n", line->key, (const char *)source);
    else if (line->type == VALUE_PID)
        fprintf(f, "%s %ld\n", line->key, (long)*(const pid_t *)source);
    else if (line->type == VALUE_NUMBER)
        fprintf(f, "%s %u\n", line->key, *(const unsigned *)source);
    else
        fprintf(f, "%s %llu\n", line->key, (unsigned long long)*(const uint64_t *)source);
}

/* Makes the text in memory first, so that the file gets all of it or nothing new. */
int record_write(const char *directory, unsigned index, const struct record *record, struct err *e)
{
    char path[RECORD_PATH_MAX], new[RECORD_PATH_MAX], text[RECORD_MAX];
    FILE *f = fmemopen(text, sizeof text, "w");
    CLEANUP_FD int fd = -1;
    long size;

    if (!f)
        return err_nomem(e, "writing a record");
    for (size_t i = 0; i < LINE_COUNT; i++)
        print_value(f, &lines[i], record);
    size = ftell(f);
    if (fclose(f) != 0 || size < 0)
        return err_sys(e, errno, "writing a record");
    snprintf(path, sizeof path, "%s/nbd%u", directory, index);
    snprintf(new, sizeof new, "%s/nbd%u.new", directory, index);
    fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 || io_write_full(fd, text, (size_t)size) < 0 || rename(new, path) < 0)
        return err_sys(e, errno, "cannot write %s", path);
    return 0;
}

void record_remove_sockets(const char *directory, unsigned index)
{
    CLEANUP_DIR DIR *dir = opendir(directory);
    struct dirent *entry;
    char prefix[32];

    snprintf(prefix, sizeof prefix, "nbd%u.", index);
    while (dir && (entry = io_readdir(dir)) != NULL) {
        size_t n = strlen(entry->d_name);

        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && n > 5 &&
            strcmp(entry->d_name + n - 5, ".sock") == 0)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
}

void record_remove(const char *directory, unsigned index)
{
    char path[RECORD_PATH_MAX];

    record_remove_sockets(directory, index);
    snprintf(path, sizeof path, "%s/nbd%u", directory, index);
    unlink(path);
}
