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

enum list_result {
    LIST_IN_MEMORY, /* all parts were */
    LIST_STARTED,   /* the disk reads some of them */
    LIST_REFUSED,   /* the kernel does not read so, or not in this file system */
};

/* Collects what came of a list, which is complete as soon as it is submitted. */
static enum list_result collect_completions(struct read_list *p, size_t count)
{
    enum list_result result = LIST_IN_MEMORY;

    for (size_t i = 0; i < count; i++) {
        struct io_uring_cqe *cqe;

        if (io_uring_wait_cqe(p->ring, &cqe) < 0)
            return LIST_REFUSED;
        if (cqe->res == -EAGAIN && result == LIST_IN_MEMORY)
            result = LIST_STARTED;
        else if (cqe->res == -EOPNOTSUPP || cqe->res == -EINVAL)
            result = LIST_REFUSED;
        io_uring_cqe_seen(p->ring, cqe);
    }
    return result;
}

static enum list_result read_list(struct read_list *p, const struct prefetch_part *parts,
                                  size_t count)
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
    return submitted == (int)count ? collect_completions(p, count) : LIST_REFUSED;
}

static void advise(const struct prefetch_part *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        posix_fadvise(parts[i].fd, (off_t)parts[i].offset, (off_t)parts[i].size,
                      POSIX_FADV_WILLNEED);
}

bool read_list_read(struct read_list *p, const struct prefetch_part *parts, size_t count)
{
    enum list_result result = LIST_REFUSED;

    LOCK_SCOPE(&p->lock);
    if (!p->tried)
        try_ring(p);
    if (p->ring)
        result = read_list(p, parts, count);
    if (result != LIST_REFUSED)
        return result == LIST_STARTED;
    stop_ring(p);
    advise(parts, count);
    return true;
}
