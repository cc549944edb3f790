/* SPDX-License-Identifier: MIT */
/* delta_support: what the tests of deltas share. Include support.h before. */
#ifndef IHOP_TESTS_UNIT_DELTA_SUPPORT_H
#define IHOP_TESTS_UNIT_DELTA_SUPPORT_H

#include "codec/delta_decoder.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline struct delta_bytes bytes_of(const void *data, size_t size)
{
    return (struct delta_bytes){data, size};
}

/* Buffers of the exact sizes, so that a sanitizer sees each byte beyond. */
static inline uint8_t *copy_bytes(struct delta_bytes b)
{
    uint8_t *copy = malloc(b.size ? b.size : 1);

    if (b.size > 0)
        memcpy(copy, b.data, b.size);
    return copy;
}

static inline int decode_exactly(struct delta_decoder *d, enum delta_codec codec,
                                 struct delta_bytes delta, struct delta_bytes base, uint8_t *out,
                                 size_t size, struct err *e)
{
    uint8_t *in = copy_bytes(delta), *old = copy_bytes(base), *exact = malloc(size);
    int r = delta_decoder_run(d, codec, bytes_of(in, delta.size), bytes_of(old, base.size), exact,
                              size, e);

    if (r == 0)
        memcpy(out, exact, size);
    free(in);
    free(old);
    free(exact);
    return r;
}

static inline double cpu_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#endif
