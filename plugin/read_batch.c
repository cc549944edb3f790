/* SPDX-License-Identifier: MIT */
#include "plugin/read_batch.h"

#include "base/checked.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RINGS_MAX 16

/* A submission and a completion queue that are shared with the kernel, as io_uring_setup(2)
 * describes. The kernel moves sq_head and cq_tail, this process sq_tail and cq_head. */
struct read_ring {
    atomic_flag taken;
    int fd;
    void *queues, *entries;
    size_t queues_size, entries_size;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    atomic_uint *sq_tail, *cq_head, *cq_tail;
    unsigned sq_mask, cq_mask;
    unsigned *sq_array;
};

static void close_ring(struct read_ring *r)
{
    if (r->queues != MAP_FAILED)
        munmap(r->queues, r->queues_size);
    if (r->entries != MAP_FAILED)
        munmap(r->entries, r->entries_size);
    if (r->fd >= 0)
        close(r->fd);
}

static void *map_ring(int fd, size_t size, uint64_t what)
{
    return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)what);
}

/* Places in the queues are told by the kernel, in bytes from the start of their mapping. */
static void find_queues(struct read_ring *r, const struct io_uring_params *p)
{
    char *queues = r->queues;

    r->sqes = r->entries;
    r->cqes = (void *)(queues + p->cq_off.cqes);
    r->sq_tail = (void *)(queues + p->sq_off.tail);
    r->cq_head = (void *)(queues + p->cq_off.head);
    r->cq_tail = (void *)(queues + p->cq_off.tail);
    r->sq_mask = *(unsigned *)(void *)(queues + p->sq_off.ring_mask);
    r->cq_mask = *(unsigned *)(void *)(queues + p->cq_off.ring_mask);
    r->sq_array = (void *)(queues + p->sq_off.array);
}

/* IORING_OP_READ came with Linux 5.6, as IORING_FEAT_RW_CUR_POS did; one mapping for both queues is
 * older. */
static bool open_ring(struct read_ring *r)
{
    const unsigned needed = IORING_FEAT_SINGLE_MMAP | IORING_FEAT_RW_CUR_POS;
    struct io_uring_params p = {0};

    *r = (struct read_ring){.taken = ATOMIC_FLAG_INIT, .queues = MAP_FAILED, .entries = MAP_FAILED};
    r->fd = (int)syscall(SYS_io_uring_setup, READ_BATCH_MAX, &p);
    if (r->fd < 0 || (p.features & needed) != needed)
        goto failed;
    r->queues_size = max_u64(p.sq_off.array + p.sq_entries * sizeof(unsigned),
                             p.cq_off.cqes + p.cq_entries * sizeof *r->cqes);
    r->entries_size = p.sq_entries * sizeof *r->sqes;
    r->queues = map_ring(r->fd, r->queues_size, IORING_OFF_SQ_RING);
    r->entries = map_ring(r->fd, r->entries_size, IORING_OFF_SQES);
    if (r->queues == MAP_FAILED || r->entries == MAP_FAILED)
        goto failed;
    find_queues(r, &p);
    return true;

failed:
    close_ring(r);
    return false;
}

void read_batch_init(struct read_batch *b)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = processors < 1 ? 1 : min_size((size_t)processors, RINGS_MAX);

    *b = (struct read_batch){.rings = calloc(wanted, sizeof *b->rings)};
    while (b->rings && b->count < wanted && open_ring(&b->rings[b->count]))
        b->count++;
}

void read_batch_free(struct read_batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        close_ring(&b->rings[i]);
    free(b->rings);
    *b = (struct read_batch){0};
}

static struct read_ring *take_ring(struct read_batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (!atomic_flag_test_and_set_explicit(&b->rings[i].taken, memory_order_acquire))
            return &b->rings[i];
    return NULL;
}

static void put_reads(struct read_ring *r, const struct read_batch_item *items, size_t count)
{
    unsigned tail = atomic_load_explicit(r->sq_tail, memory_order_relaxed);

    for (size_t i = 0; i < count; i++, tail++) {
        unsigned place = tail & r->sq_mask;

        r->sqes[place] = (struct io_uring_sqe){.opcode = IORING_OP_READ,
                                               .fd = items[i].fd,
                                               .addr = (uintptr_t)items[i].buf,
                                               .len = items[i].size,
                                               .off = items[i].offset,
                                               .user_data = i};
        r->sq_array[place] = place;
    }
    atomic_store_explicit(r->sq_tail, tail, memory_order_release);
}

/* Takes what is complete; returns how many reads that were. */
static size_t take_results(struct read_ring *r, struct read_batch_item *items)
{
    unsigned head = atomic_load_explicit(r->cq_head, memory_order_relaxed);
    unsigned tail = atomic_load_explicit(r->cq_tail, memory_order_acquire);
    size_t count = tail - head;

    for (; head != tail; head++) {
        const struct io_uring_cqe *cqe = &r->cqes[head & r->cq_mask];
        struct read_batch_item *item = &items[cqe->user_data];

        item->done = cqe->res >= 0 && (uint32_t)cqe->res == item->size;
    }
    atomic_store_explicit(r->cq_head, head, memory_order_release);
    return count;
}

/* Takes back reads that the kernel did not take, for want of memory for example: it looks at the
 * tail only while it is called. */
static void take_back(struct read_ring *r, size_t count)
{
    unsigned tail = atomic_load_explicit(r->sq_tail, memory_order_relaxed);

    atomic_store_explicit(r->sq_tail, tail - (unsigned)count, memory_order_release);
}

/* Waits for all reads that the kernel took, since it may write to their buffers until then. */
static void run_reads(struct read_ring *r, struct read_batch_item *items, size_t count)
{
    size_t submitted = 0, completed = 0;

    while (submitted < count || completed < submitted) {
        unsigned left = (unsigned)(count - submitted);
        long n = syscall(SYS_io_uring_enter, r->fd, left, (unsigned)(count - completed),
                         IORING_ENTER_GETEVENTS, NULL, 0);

        if (n < 0 && errno != EINTR) {
            take_back(r, count - submitted);
            count = submitted;
        }
        submitted += n > 0 ? (size_t)n : 0;
        completed += take_results(r, items);
    }
}

void read_batch_run(struct read_batch *b, struct read_batch_item *items, size_t count)
{
    struct read_ring *r = take_ring(b);

    for (size_t i = 0; i < count; i++)
        items[i].done = false;
    if (!r)
        return;
    put_reads(r, items, count);
    run_reads(r, items, count);
    atomic_flag_clear_explicit(&r->taken, memory_order_release);
}
