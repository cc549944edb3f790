/* SPDX-License-Identifier: MIT */
/* write-log: an nbdkit plugin that serves a file as a disk and writes down all that
 * happens to it, so that powercut.py can make the disk of any moment, with some of
 * the writes missing that no flush had made durable.
 *
 *     nbdkit -s write-log.so disk=FILE log=FILE
 *
 * The log is a sequence of entries in the order in which the disk got them. Numbers
 * are u64 little-endian:
 *
 *     time       nanoseconds since 1970
 *     offset     on the disk, bytes
 *     size       of the data that follow; 0: a flush
 *
 * One request at a time: what is in the log before a flush arrived before it. */
#define NBDKIT_API_VERSION 2

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <nbdkit-plugin.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define THREAD_MODEL NBDKIT_THREAD_MODEL_SERIALIZE_ALL_REQUESTS

struct entry {
    uint64_t time, offset, size;
};

static char *disk_path, *log_path;
static int disk = -1, record = -1;

static int log_config(const char *key, const char *value)
{
    char **path = strcmp(key, "disk") == 0  ? &disk_path
                  : strcmp(key, "log") == 0 ? &log_path
                                            : NULL;

    if (!path) {
        nbdkit_error("unknown parameter '%s': use disk=FILE and log=FILE", key);
        return -1;
    }
    *path = nbdkit_absolute_path(value);
    return *path ? 0 : -1;
}

static int log_get_ready(void)
{
    if (!disk_path || !log_path) {
        nbdkit_error("use disk=FILE and log=FILE");
        return -1;
    }
    disk = open(disk_path, O_RDWR | O_CLOEXEC);
    record = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    if (disk >= 0 && record >= 0)
        return 0;
    nbdkit_error("cannot open %s: %m", disk < 0 ? disk_path : log_path);
    return -1;
}

static void *log_open(int readonly)
{
    (void)readonly;
    return NBDKIT_HANDLE_NOT_NEEDED;
}

static int64_t log_get_size(void *handle)
{
    struct stat st;

    (void)handle;
    if (fstat(disk, &st) == 0)
        return st.st_size;
    nbdkit_error("cannot examine %s: %m", disk_path);
    return -1;
}

static int log_can_fua(void *handle)
{
    (void)handle;
    return NBDKIT_FUA_EMULATE; /* by a flush, which is then in the log */
}

static int log_can_cache(void *handle)
{
    (void)handle;
    return NBDKIT_CACHE_NONE;
}

static int write_all(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t n = write(fd, at, size);

        if (n < 0 && errno != EINTR)
            return -1;
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

static int append(uint64_t offset, const void *data, uint32_t size)
{
    struct timespec now;
    struct entry entry;

    clock_gettime(CLOCK_REALTIME, &now);
    entry.time = htole64((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec);
    entry.offset = htole64(offset);
    entry.size = htole64(size);
    if (write_all(record, &entry, sizeof entry) == 0 && write_all(record, data, size) == 0)
        return 0;
    nbdkit_error("cannot write %s: %m", log_path);
    return -1;
}

static int log_pread(void *handle, void *data, uint32_t count, uint64_t offset, uint32_t flags)
{
    (void)handle;
    (void)flags;
    if (pread(disk, data, count, (off_t)offset) == (ssize_t)count)
        return 0;
    nbdkit_error("cannot read %s: %m", disk_path);
    return -1;
}

static int log_pwrite(void *handle, const void *data, uint32_t count, uint64_t offset,
                      uint32_t flags)
{
    (void)handle;
    (void)flags;
    if (append(offset, data, count) < 0)
        return -1;
    if (pwrite(disk, data, count, (off_t)offset) == (ssize_t)count)
        return 0;
    nbdkit_error("cannot write %s: %m", disk_path);
    return -1;
}

static int log_flush(void *handle, uint32_t flags)
{
    (void)handle;
    (void)flags;
    return append(0, NULL, 0);
}

static struct nbdkit_plugin plugin = {
    .name = "writelog",
    .config = log_config,
    .get_ready = log_get_ready,
    .open = log_open,
    .get_size = log_get_size,
    .can_fua = log_can_fua,
    .can_cache = log_can_cache,
    .pread = log_pread,
    .pwrite = log_pwrite,
    .flush = log_flush,
};

/* nbdkit's header defines this one without declaring it. */
struct nbdkit_plugin *plugin_init(void);

NBDKIT_REGISTER_PLUGIN(plugin)
