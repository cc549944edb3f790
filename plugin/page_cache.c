/* SPDX-License-Identifier: MIT */
#include "plugin/page_cache.h"

#include "base/checked.h"
#include "base/limits.h"

#include <fcntl.h>
#include <sys/uio.h>

/* The kernel reads only so much for one piece of advice, depending on the device: 128 KiB and
 * more. */
#define PART_SIZE ((uint64_t)(128 * KIB))

bool page_cache_has(int fd, uint64_t offset)
{
    char byte;
    struct iovec to = {&byte, 1};

    return preadv2(fd, &to, 1, (off_t)offset, RWF_NOWAIT) == 1;
}

void page_cache_fill(int fd, uint64_t offset, uint64_t size)
{
    for (uint64_t end = offset + size; offset < end; offset += PART_SIZE)
        posix_fadvise(fd, (off_t)offset, (off_t)min_u64(end - offset, PART_SIZE),
                      POSIX_FADV_WILLNEED);
}

void page_cache_drop(int fd, uint64_t offset, uint64_t size)
{
    posix_fadvise(fd, (off_t)offset, (off_t)size, POSIX_FADV_DONTNEED);
}
