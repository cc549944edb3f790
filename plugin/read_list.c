/* SPDX-License-Identifier: MIT */
#include "plugin/read_list.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <sys/mman.h>
#include <sys/uio.h>

void read_list_init(struct read_list *p, bool uring)
{
    *p = (struct read_list){.tried = !uring};
    pthread_mutex_init(&p->lock, NULL);
}

static void stop_ring(struct read_list *p)
{
    if (p->ring) {
        io_uring_queue_exit(p->ring);
        munmap(p->scratch, PREFETCH_PART_SIZE);
    }
    free(p->ring);
    p->ring = NULL;
}

void read_list_free(struct read_list *p)
{
    stop_ring(p);
    pthread_mutex_destroy(&p->lock);
}

/* Before Linux 5.9 a read that may not wait did not start the disk; the feature that is
 * asked for came with 5.12. */
static bool start_ring(struct io_uring *ring)
{
    if (io_uring_queue_init(PREFETCH_PARTS, ring, 0) < 0)
        return false;
    if (ring->features & IORING_FEAT_NATIVE_WORKERS)
        return true;
    io_uring_queue_exit(ring);
    return false;
}

static void try_ring(struct read_list *p)
{
    CLEANUP_FREE struct io_uring *ring = malloc(sizeof *ring);

    p->tried = true;
    if (!ring || !start_ring(ring))
        return;
    p->scratch = mmap(NULL, PREFETCH_PART_SIZE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p->scratch == MAP_FAILED)
        io_uring_queue_exit(ring);
    else
        p->ring = STEAL(ring);
}

/* What came of the list, which is complete as soon as it is submitted: 1 when a part has
 * to be waited for, 0 when none has, -1 when the kernel will not read so. */
static int collect_completions(struct read_list *p, size_t count)
{
    int result = 0;

    for (size_t i = 0; i < count; i++) {
        struct io_uring_cqe *cqe;

        if (io_uring_wait_cqe(p->ring, &cqe) < 0)
            return -1;
        if (cqe->res == -EAGAIN && result == 0)
            result = 1;
        else if (cqe->res == -EOPNOTSUPP || cqe->res == -EINVAL)
            result = -1; /* this file system knows no such reads */
        io_uring_cqe_seen(p->ring, cqe);
    }
    return result;
}

static int read_list(struct read_list *p, const struct prefetch_part *parts, size_t count)
{
    int submitted;

    for (size_t i = 0; i < count; i++) {
        struct io_uring_sqe *sqe = io_uring_get_sqe(p->ring);

        io_uring_prep_read(sqe, parts[i].fd, p->scratch, (unsigned)parts[i].size, parts[i].offset);
        sqe->rw_flags = RWF_NOWAIT;
    }
    do
        submitted = io_uring_submit(p->ring);
    while (submitted == -EINTR);
    return submitted == (int)count ? collect_completions(p, count) : -1;
}

static void advise(const struct prefetch_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        posix_fadvise(parts[i].fd, (off_t)parts[i].offset, (off_t)parts[i].size,
                      POSIX_FADV_WILLNEED);
}

bool read_list_read(struct read_list *p, const struct prefetch_part *parts, size_t count)
{
    int waits = -1;

    LOCK_SCOPE(&p->lock);
    if (!p->tried)
        try_ring(p);
    if (p->ring)
        waits = read_list(p, parts, count);
    if (waits >= 0)
        return waits == 1;
    stop_ring(p);
    advise(parts, count);
    return true;
}
