/* SPDX-License-Identifier: MIT */
#include "store/partial_age.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SEEN    "seen"
#define PARTIAL "partial"
/* What the time between two boots adds to an age, at most. */
#define ACROSS_BOOTS_S UINT64_C(86400)
/* All records have one size, so that one is written over another even on a full disk. */
#define RECORD_SIZE 256
#define RECORD_NAME "ihop-seen 1 "

/* One look at a partial clone. */
struct sighting {
    char boot[IO_BOOT_ID_SIZE]; /* "-": not known */
    uint64_t since_boot;        /* seconds */
    int64_t wall;               /* seconds since 1970 */
    uint64_t age;               /* seconds */
    /* Time of change and size of the clone's file: whether it is still the same one. */
    int64_t changed, changed_ns, size;
};

static int open_seen(const struct store *store, bool make)
{
    if (store->meta_fd < 0 || (make && io_mkdirat(store->meta_fd, SEEN) < 0))
        return -1;
    return io_openat(store->meta_fd, SEEN, O_RDONLY | O_DIRECTORY, 0);
}

/* Fills *s with the present, and age 0; -1 when there is no such partial clone. */
static int look_at_partial(const struct store *store, const char *name, struct sighting *s)
{
    CLEANUP_FD int fd = io_openat(store->meta_fd, PARTIAL, O_RDONLY | O_DIRECTORY, 0);
    struct timespec now = {0};
    struct stat st;

    if (fd < 0 || fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    *s = (struct sighting){
        .changed = st.st_ctim.tv_sec, .changed_ns = st.st_ctim.tv_nsec, .size = st.st_size};
    if (!io_boot_id(s->boot))
        strcpy(s->boot, "-");
    clock_gettime(CLOCK_BOOTTIME, &now);
    s->since_boot = (uint64_t)now.tv_sec;
    clock_gettime(CLOCK_REALTIME, &now);
    s->wall = now.tv_sec;
    return 0;
}

static bool read_record(int dirfd, const char *name, struct sighting *s)
{
    CLEANUP_FD int fd = io_openat(dirfd, name, O_RDONLY, 0);
    char text[RECORD_SIZE + 1];
    ssize_t n = fd < 0 ? -1 : io_read_full(fd, text, RECORD_SIZE);

    if (n != RECORD_SIZE || text[RECORD_SIZE - 1] != '\n')
        return false;
    text[n] = '\0';
    return sscanf(text,
                  RECORD_NAME "%36s %" SCNu64 " %" SCNd64 " %" SCNu64 " %" SCNd64 " %" SCNd64
                              " %" SCNd64,
                  s->boot, &s->since_boot, &s->wall, &s->age, &s->changed, &s->changed_ns,
                  &s->size) == 7;
}

static void write_record(int dirfd, const char *name, const struct sighting *s)
{
    CLEANUP_FD int fd = io_openat(dirfd, name, O_WRONLY | O_CREAT, 0644);
    char text[RECORD_SIZE];
    int n = snprintf(text, sizeof text,
                     RECORD_NAME "%s %" PRIu64 " %" PRId64 " %" PRIu64 " %" PRId64 " %" PRId64
                                 " %" PRId64,
                     s->boot, s->since_boot, s->wall, s->age, s->changed, s->changed_ns, s->size);

    memset(text + n, ' ', sizeof text - (size_t)n);
    text[RECORD_SIZE - 1] = '\n';
    if (fd >= 0 && io_pwrite_full(fd, text, sizeof text, 0) < 0)
        errno = 0; /* the clone stays as young as it was */
}

/* Seconds between two sightings. */
static uint64_t elapsed(const struct sighting *then, const struct sighting *now)
{
    if (strcmp(then->boot, now->boot) == 0 && strcmp(now->boot, "-") != 0)
        return now->since_boot > then->since_boot ? now->since_boot - then->since_boot : 0;
    if (now->wall <= then->wall)
        return 0;
    return min_u64((uint64_t)now->wall - (uint64_t)then->wall, ACROSS_BOOTS_S);
}

static bool is_same_file(const struct sighting *a, const struct sighting *b)
{
    return a->changed == b->changed && a->changed_ns == b->changed_ns && a->size == b->size;
}

uint64_t partial_age_seconds(const struct store *store, const char *name, bool record)
{
    CLEANUP_FD int fd = open_seen(store, record);
    struct sighting then, now;

    if (fd < 0 || look_at_partial(store, name, &now) < 0)
        return 0;
    if (read_record(fd, name, &then) && is_same_file(&then, &now) &&
        !checked_add_u64(then.age, elapsed(&then, &now), &now.age))
        now.age = UINT64_MAX;
    if (record)
        write_record(fd, name, &now);
    return now.age;
}

/* Removes the record, whole or cut off; any other file of that name stays. */
static void forget_sighting(int dirfd, const char *name)
{
    CLEANUP_FD int fd = io_openat(dirfd, name, O_RDONLY, 0);
    char text[sizeof RECORD_NAME - 1];
    ssize_t n = fd < 0 ? -1 : io_read_full(fd, text, sizeof text);

    if (n == 0 || (n == (ssize_t)sizeof text && memcmp(text, RECORD_NAME, sizeof text) == 0))
        unlinkat(dirfd, name, 0);
}

void partial_age_forget(const struct store *store, const char *name)
{
    CLEANUP_FD int fd = open_seen(store, false);

    if (fd >= 0)
        forget_sighting(fd, name);
}

void partial_age_clean(const struct store *store)
{
    CLEANUP_FD int fd = open_seen(store, false);
    CLEANUP_DIR DIR *dir = fd >= 0 ? io_opendirat(fd) : NULL;
    struct dirent *entry;
    struct sighting s;

    while (dir && (entry = io_readdir(dir)))
        if (entry->d_name[0] != '.' && look_at_partial(store, entry->d_name, &s) < 0)
            forget_sighting(fd, entry->d_name);
}
