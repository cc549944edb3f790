/* SPDX-License-Identifier: MIT */
#include "store/sparse.h"

#include "base/io.h"

#include <stdbool.h>
#include <unistd.h>

int store_write_sparse(int fd, const uint8_t *data, size_t size, uint64_t *written)
{
    size_t from = 0;

    for (size_t at = 0; at <= size; at += HOLE_MIN) {
        size_t left = size - at;
        bool hole = left >= HOLE_MIN && io_is_zero(data + at, HOLE_MIN);
        bool last = left < HOLE_MIN;
        size_t to = last ? size : at;

        if (!hole && !last)
            continue;
        if (to > from) {
            if (io_pwrite_full(fd, data + from, to - from, from) < 0)
                return -1;
            *written += to - from;
        }
        from = to + (last ? 0 : HOLE_MIN);
    }
    /* A hole at the end has no write that extends the file. */
    return io_is_zero(data + size - 1, 1) ? ftruncate(fd, (off_t)size) : 0;
}

uint64_t store_stored_bytes(const uint8_t *data, size_t size)
{
    uint64_t bytes = size;

    for (size_t at = 0; size - at >= HOLE_MIN; at += HOLE_MIN)
        if (io_is_zero(data + at, HOLE_MIN))
            bytes -= HOLE_MIN;
    return bytes;
}
