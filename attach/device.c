/* SPDX-License-Identifier: MIT */
#include "attach/device.h"

#include "base/backend.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SECTOR_SIZE        512
#define ATTRIBUTE_SIZE     4096  /* the kernel's maximum: a page */
#define DEFAULT_TIMEOUT_MS 30000 /* the kernel's, of all block devices */
#define DEFAULT_HZ         300   /* of which the kernel is latest */
#define TIMER_MAX_S        5
#define ANSWER_MS          100 /* to send a request again, and for the answer */
#define NBD_NAME           "nbd"
#define DEVICE_PATH_MAX    (PATH_MAX + 64)

int device_parse(const char *path, unsigned *index, struct err *e)
{
    const char *mapped = "/dev/mapper/" DEVICE_MAPPED;
    bool is_mapped = strncmp(path, mapped, strlen(mapped)) == 0;
    CLEANUP_FREE char *real = is_mapped ? NULL : realpath(path, NULL);
    const char *name = is_mapped ? path + strlen(mapped) : real ? real : path;
    const char *slash = is_mapped ? NULL : strrchr(name, '/');
    uint64_t n;

    name = slash ? slash + 1 : name;
    /* A file of that name elsewhere is no device. */
    if (real && strncmp(real, "/dev/", strlen("/dev/")) != 0)
        name = "";
    if (strncmp(name, NBD_NAME, strlen(NBD_NAME)) != 0 ||
        !text_parse_u64(name + strlen(NBD_NAME), 0, LIMIT_NBD_DEVICE, &n))
        return err_set(e, ERR_USAGE, "%s is no NBD device: use /dev/nbd0 to /dev/nbd%u", path,
                       LIMIT_NBD_DEVICE);
    *index = (unsigned)n;
    return 0;
}

void device_path(unsigned index, char path[DEVICE_PATH_SIZE])
{
    snprintf(path, DEVICE_PATH_SIZE, "/dev/" NBD_NAME "%u", index);
}

/* Reads an attribute without its newline. One that is not there is empty, and *there is false. */
static int read_attribute(int dirfd, const char *name, char text[ATTRIBUTE_SIZE + 1], bool *there,
                          struct err *e)
{
    CLEANUP_FD int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : io_read_full(fd, text, ATTRIBUTE_SIZE);

    if ((fd < 0 && errno != ENOENT) || n < 0)
        return err_sys(e, errno, "cannot read %s in " DEVICE_SYS_BLOCK, name);
    *there = fd >= 0;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return 0;
}

static void take_identifier(const char *text, struct device *device)
{
    const char *id = backend_id(text);
    uint8_t bytes[CHUNK_HASH_SIZE];

    snprintf(device->identifier, sizeof device->identifier, "%.*s", DEVICE_IDENTIFIER_SIZE - 1,
             text);
    if (!id || text_unhex(id, bytes, sizeof bytes) != CHUNK_HASH_SIZE)
        return;
    device->is_ours = true;
    text_hex(bytes, sizeof bytes, device->id);
}

int device_look(const char *sys_block, unsigned index, struct device *device, struct err *e)
{
    char path[DEVICE_PATH_MAX], text[ATTRIBUTE_SIZE + 1];
    struct device found = {.exists = false};
    CLEANUP_FD int dirfd = -1;
    uint64_t sectors;
    bool there;

    snprintf(path, sizeof path, "%s/" NBD_NAME "%u", sys_block, index);
    dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dirfd < 0 && errno != ENOENT)
        return err_sys(e, errno, "cannot look at %s", path);
    if (dirfd >= 0) {
        found.exists = true;
        if (read_attribute(dirfd, "pid", text, &found.connected, e) < 0 ||
            read_attribute(dirfd, "size", text, &there, e) < 0)
            return -1;
        if (text_parse_u64(text, 0, LIMIT_IMAGE / SECTOR_SIZE, &sectors))
            found.size = sectors * SECTOR_SIZE;
        if (read_attribute(dirfd, "backend", text, &there, e) < 0)
            return -1;
        if (found.connected)
            take_identifier(text, &found);
    }
    *device = found;
    return 0;
}

int device_require_ours(const struct device *device, unsigned index, struct err *e)
{
    if (!device->connected)
        return err_set(e, ERR_NOT_FOUND, "/dev/nbd%u is not attached", index);
    if (!device->is_ours)
        return err_set(e, ERR_OTHER_IMAGE, "/dev/nbd%u is used by another program", index);
    return 0;
}

int device_check(const char *sys_block, unsigned index, const char *identifier, struct err *e)
{
    struct device d;

    if (device_look(sys_block, index, &d, e) < 0)
        return -1;
    if (!d.connected)
        return err_set(e, ERR_NOT_FOUND, "/dev/nbd%u is not attached", index);
    if (strcmp(d.identifier, identifier) != 0)
        return err_set(e, ERR_OTHER_IMAGE,
                       "/dev/nbd%u is used by another program, or is another image", index);
    return 0;
}

void device_identifier(const char *release, const char *id, char text[DEVICE_IDENTIFIER_SIZE])
{
    backend_write(release, id, text, DEVICE_IDENTIFIER_SIZE);
}

bool device_is_idle(const char *sys_block, unsigned index)
{
    char path[DEVICE_PATH_MAX], text[ATTRIBUTE_SIZE + 1];
    CLEANUP_FD int fd = -1;
    ssize_t n;

    snprintf(path, sizeof path, "%s/" NBD_NAME "%u/inflight", sys_block, index);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd < 0 ? 0 : io_read_full(fd, text, ATTRIBUTE_SIZE);
    text[n > 0 ? n : 0] = '\0';
    return n > 0 && text[strspn(text, " 0\n")] == '\0'; /* reads, writes */
}

/* Ticks of the kernel's clock in a second (CONFIG_HZ), which the coarse clocks show: their
 * resolution is one tick. */
static unsigned ticks_per_second(void)
{
    struct timespec tick;

    if (clock_getres(CLOCK_MONOTONIC_COARSE, &tick) < 0 || tick.tv_sec > 0 || tick.tv_nsec <= 0)
        return 0;
    return (unsigned)((1000000000L + tick.tv_nsec / 2) / tick.tv_nsec);
}

/* The kernel looks after a request when its time is over, plus so many ticks as are in a second,
 * rounded up to a power of two (blk_round_jiffies), plus what a timer may be late, which grows with
 * how far away it is: 8 ticks below 512, 64 below 4,096, then 512 (kernel/time/timer.c). A timer of
 * the block layer is at most 5 s away. */
unsigned device_late_ms(unsigned hz, unsigned timeout_s)
{
    unsigned round = 1, away, late;

    while (round < hz)
        round *= 2;
    away = (timeout_s < TIMER_MAX_S ? timeout_s : TIMER_MAX_S) * hz + round;
    if (away > TIMER_MAX_S * hz)
        away = TIMER_MAX_S * hz;
    late = away < 512 ? 8 : away < 4096 ? 64 : 512;
    return (1000 * (round + late) + hz - 1) / hz;
}

/* How long a request may take, in milliseconds, so that one whose connection has died is sent again
 * and answered at most a second after the timeout. Not less than half of it, since a server that
 * is slow is given up after that; so with a timeout of 1 s it is late by up to 0.4 s more at 300
 * ticks a second. */
unsigned device_request_ms(unsigned hz, unsigned timeout_s)
{
    unsigned late_ms = device_late_ms(hz, timeout_s) + ANSWER_MS;
    unsigned early_ms = late_ms > 1000 ? late_ms - 1000 : 0;

    return 1000 * timeout_s - (early_ms < 500 * timeout_s ? early_ms : 500 * timeout_s);
}

/* In milliseconds, which the NBD client's own setting of whole seconds does not allow. */
void device_set_timeout(const char *sys_block, unsigned index, unsigned timeout_s)
{
    char path[DEVICE_PATH_MAX], text[32];
    CLEANUP_FD int fd = -1;
    unsigned hz = ticks_per_second();
    unsigned ms = timeout_s == 0 ? DEFAULT_TIMEOUT_MS
                                 : device_request_ms(hz > 0 ? hz : DEFAULT_HZ, timeout_s);

    snprintf(path, sizeof path, "%s/" NBD_NAME "%u/queue/io_timeout", sys_block, index);
    snprintf(text, sizeof text, "%u", ms);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd >= 0)
        (void)!write(fd, text, strlen(text));
}

void device_scan(unsigned index)
{
    char path[DEVICE_PATH_SIZE];
    CLEANUP_FD int fd = -1;

    device_path(index, path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
}

int device_claim(const char *path, int *fd, struct err *e)
{
    int opened = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);

    if (opened < 0 && errno == EBUSY)
        return err_set(e, ERR_BUSY,
                       "%s is in use: unmount it and take away the devices on it (lsblk %s)", path,
                       path);
    if (opened < 0)
        return err_sys(e, errno, "cannot open %s", path);
    *fd = opened;
    return 0;
}
