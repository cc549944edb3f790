/* SPDX-License-Identifier: MIT */
#include "plugin/chunk_fds.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "plugin/stats.h"
#include "store/chunk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <time.h>

/* How many chunks may be open for a moment at a time: most of the reserve is for sockets. */
#define MOMENTARY_MAX 16
/* Descriptors for the sockets of many connections. */
#define CONNECTIONS_RESERVE 1024U
/* How many numbers below the limit on open files are never kept: two for each momentary chunk,
 * because a kernel without openat2 needs two to open one. */
#define MOMENTARY_NUMBERS 32U
/* How long a read waits when all descriptors are in use. */
#define FULL_TABLE_TRIES    500
#define FULL_TABLE_PAUSE_NS 10000000L

/* Kernel memory that an open chunk pins: file, inode, directory entry. */
#define KEPT_COST    (3 * 1024U)
#define MEMORY_SHARE 32U

/* Opening a chunk for each read makes small reads up to twice as slow, so a large
 * machine keeps every chunk of a usual image; a small one has better uses for its
 * memory. */
static unsigned affordable(void)
{
    struct sysinfo info;
    uint64_t n;

    if (sysinfo(&info) < 0)
        return FD_BUDGET_MAX / 4;
    n = (uint64_t)info.totalram * info.mem_unit / MEMORY_SHARE / KEPT_COST;
    return (unsigned)min_u64(n, FD_BUDGET_MAX);
}

int fd_budget_init(struct fd_budget *budget, unsigned max, struct err *e)
{
    const rlim_t wanted = FD_BUDGET_MAX + FD_BUDGET_RESERVE + CONNECTIONS_RESERVE;
    struct rlimit limit, raised;
    rlim_t keep;

    if (max == FD_BUDGET_AUTO)
        max = affordable();
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return err_sys(e, errno, "cannot read the limit on open files");
    raised = limit;
    raised.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (raised.rlim_cur > limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &raised) == 0)
        limit = raised;
    keep = limit.rlim_cur > FD_BUDGET_RESERVE ? limit.rlim_cur - FD_BUDGET_RESERVE : 0;
    if (keep > FD_BUDGET_MAX)
        keep = FD_BUDGET_MAX;
    if (keep > max)
        keep = max;
    atomic_init(&budget->left, (int)keep);
    budget->ceiling = limit.rlim_cur > INT_MAX ? INT_MAX : (int)limit.rlim_cur;
    budget->ceiling -= (int)min_u64(MOMENTARY_NUMBERS, (uint64_t)budget->ceiling);
    if (sem_init(&budget->momentary, 0, MOMENTARY_MAX) < 0)
        return err_sys(e, errno, "cannot prepare opening chunks");
    return 0;
}

void fd_budget_free(struct fd_budget *budget)
{
    sem_destroy(&budget->momentary);
}

static bool budget_take(struct fd_budget *budget)
{
    int left = atomic_load_explicit(&budget->left, memory_order_relaxed);

    while (left > 0)
        if (atomic_compare_exchange_weak_explicit(&budget->left, &left, left - 1,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    return false;
}

static void budget_return(struct fd_budget *budget)
{
    atomic_fetch_add_explicit(&budget->left, 1, memory_order_relaxed);
}

int chunk_fds_init(struct chunk_fds *c, const struct store *store, const struct image *image,
                   struct fd_budget *budget, struct err *e)
{
    *c = (struct chunk_fds){.store = store, .image = image, .budget = budget};
    c->fds = calloc(image->chunks.count + 1, sizeof *c->fds);
    if (!c->fds)
        return err_nomem(e, "preparing the chunk descriptors");
    for (size_t i = 0; i < image->chunks.count; i++)
        atomic_init(&c->fds[i], -1);
    return 0;
}

void chunk_fds_reserve(const struct chunk_fds *c, int any_fd)
{
    uint64_t kept = min_u64((uint64_t)atomic_load(&c->budget->left), c->image->chunks.count);
    int highest = (int)min_u64(kept + FD_BUDGET_RESERVE, (uint64_t)c->budget->ceiling);
    int fd = fcntl(any_fd, F_DUPFD_CLOEXEC, highest);

    if (fd >= 0) /* a failure costs time later, and nothing else */
        close(fd);
}

void chunk_fds_free(struct chunk_fds *c)
{
    for (size_t i = 0; c->fds && i < c->image->chunks.count; i++) {
        int fd = atomic_load(&c->fds[i]);

        if (fd >= 0) {
            close(fd);
            budget_return(c->budget);
        }
    }
    free(c->fds);
    c->fds = NULL;
}

static int open_chunk_file(const struct chunk_fds *c, size_t chunk, struct err *e)
{
    int fd = store_chunk_open(c->store, chunk_table_hash(&c->image->chunks, chunk),
                              c->image->chunks.hash_length,
                              c->image->chunks.items[chunk].source_size, e);

    if (fd < 0)
        return -1;
    /* The kernel's readahead gives a random reader of a chunk's first page 64 KiB, and a
     * sequential reader nothing beyond the chunk. readahead.c does better. */
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    stats_count(STATS_OPENS, 1);
    return fd;
}

static bool is_table_full(const struct err *e)
{
    return e->sys_errno == EMFILE || e->sys_errno == ENFILE;
}

/* More connections than the limit on open files allows must make a read slow; it must not
 * fail. */
int chunk_fds_open(struct chunk_fds *c, size_t chunk, struct chunk_lease *lease, struct err *e)
{
    const struct timespec pause = {.tv_nsec = FULL_TABLE_PAUSE_NS};
    int fd = -1;

    while (sem_wait(&c->budget->momentary) < 0)
        ; /* EINTR */
    for (int tries = 0; tries < FULL_TABLE_TRIES; tries++) {
        fd = open_chunk_file(c, chunk, e);
        if (fd >= 0 || !is_table_full(e))
            break;
        nanosleep(&pause, NULL);
    }
    if (fd < 0) {
        sem_post(&c->budget->momentary);
        return -1;
    }
    *lease = (struct chunk_lease){.fd = fd, .kept = false};
    return 0;
}

/* The kernel gives the lowest free number, so a high one means that the table is
 * nearly full of sockets: the numbers that are left must stay free for momentary opens, as a
 * kept descriptor is never closed. The caller does not return this one to the budget, which
 * so becomes smaller. */
static bool leaves_enough(const struct fd_budget *budget, int fd)
{
    return fd < budget->ceiling;
}

/* Opens the chunk and keeps its descriptor for all. Of two threads that do so at once the
 * second one closes its own, which no other thread has seen. */
static int open_and_keep(struct chunk_fds *c, size_t chunk, struct chunk_lease *lease,
                         struct err *e)
{
    int none = -1, fd = open_chunk_file(c, chunk, e);

    if (fd < 0 && !is_table_full(e)) {
        budget_return(c->budget);
        return -1;
    }
    if (fd < 0 || !leaves_enough(c->budget, fd)) {
        if (fd >= 0)
            close(fd);
        return chunk_fds_open(c, chunk, lease, e);
    }
    if (atomic_compare_exchange_strong_explicit(&c->fds[chunk], &none, fd, memory_order_acq_rel,
                                                memory_order_acquire)) {
        stats_count(STATS_CACHED, 1);
    } else {
        close(fd);
        budget_return(c->budget);
        fd = none; /* the one of the other thread */
    }
    *lease = (struct chunk_lease){.fd = fd, .kept = true};
    return 0;
}

int chunk_fds_kept(const struct chunk_fds *c, size_t chunk)
{
    return atomic_load_explicit(&c->fds[chunk], memory_order_acquire);
}

int chunk_fds_get(struct chunk_fds *c, size_t chunk, struct chunk_lease *lease, struct err *e)
{
    int fd = chunk_fds_kept(c, chunk);

    if (fd >= 0) {
        *lease = (struct chunk_lease){.fd = fd, .kept = true};
        return 0;
    }
    if (budget_take(c->budget))
        return open_and_keep(c, chunk, lease, e);
    return chunk_fds_open(c, chunk, lease, e);
}

void chunk_fds_put(struct chunk_fds *c, struct chunk_lease *lease)
{
    if (lease->kept)
        return;
    close(lease->fd);
    sem_post(&c->budget->momentary);
}

bool chunk_fds_replace(const struct chunk_lease *kept, const struct chunk_lease *fresh)
{
    /* After a failure the next read tries again. */
    return dup3(fresh->fd, kept->fd, O_CLOEXEC) >= 0;
}
