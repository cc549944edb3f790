/* SPDX-License-Identifier: MIT */
#include "prefetcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Lists that may be under way at a time, in as many threads. */
#define LISTS_MAX 16

void prefetcher_init(struct prefetcher *p)
{
    aio_context_t context = 0;

    void *scratch;

    *p = (struct prefetcher){0};
    if (syscall(SYS_io_setup, LISTS_MAX * PREFETCH_PARTS, &context) < 0)
        return;
    p->context = (unsigned long)context;
    scratch = mmap(NULL, PREFETCH_PART_SIZE, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (scratch == MAP_FAILED)
        return;
    p->scratch = scratch;
    atomic_init(&p->usable, true);
}

void prefetcher_free(struct prefetcher *p)
{
    if (p->context)
        syscall(SYS_io_destroy, p->context);
    if (p->scratch)
        munmap(p->scratch, PREFETCH_PART_SIZE);
}

/* Submits as many as the kernel takes: the result. */
static size_t submit(struct prefetcher *p, const struct prefetch_part *parts, size_t count)
{
    struct iocb calls[PREFETCH_PARTS], *list[PREFETCH_PARTS];
    size_t done = 0;

    for (size_t i = 0; i < count; i++) {
        calls[i] = (struct iocb){.aio_lio_opcode = IOCB_CMD_PREAD,
                                 .aio_rw_flags = RWF_NOWAIT,
                                 .aio_fildes = (uint32_t)parts[i].fd,
                                 .aio_buf = (uint64_t)(uintptr_t)p->scratch,
                                 .aio_nbytes = parts[i].size,
                                 .aio_offset = (int64_t)parts[i].offset};
        list[i] = &calls[i];
    }
    while (done < count) {
        long n = syscall(SYS_io_submit, p->context, (long)(count - done), list + done);

        if (n < 0 && errno != EAGAIN) /* no RWF_NOWAIT on this file system, or no io_submit */
            atomic_store_explicit(&p->usable, false, memory_order_relaxed);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    return done;
}

/* They are complete as soon as they are submitted. With other threads at it, some of
 * what comes is theirs: no matter, all is only advice. */
static bool collect(struct prefetcher *p, size_t count)
{
    struct io_event events[PREFETCH_PARTS];
    struct timespec now = {0};
    long n = syscall(SYS_io_getevents, p->context, 0L, (long)count, events, &now);
    bool waits = false;

    for (long i = 0; i < n; i++)
        waits |= events[i].res == -EAGAIN;
    return waits;
}

bool prefetcher_read(struct prefetcher *p, const struct prefetch_part *parts, size_t count)
{
    size_t done = 0;
    bool cold = false;

    if (atomic_load_explicit(&p->usable, memory_order_relaxed)) {
        done = submit(p, parts, count);
        cold = collect(p, done);
    }
    for (size_t i = done; i < count; i++) {
        posix_fadvise(parts[i].fd, (off_t)parts[i].offset, (off_t)parts[i].size,
                      POSIX_FADV_WILLNEED);
        cold = true;
    }
    return cold;
}
