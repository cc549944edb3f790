/* SPDX-License-Identifier: MIT */
#include "reader/rate.h"

#include "base/checked.h"
#include "base/io.h"

#define UNUSED_US 100000 /* of time in which nothing was taken, so much counts */

static uint64_t now_us(void)
{
    return io_now_ms() * 1000;
}

bool rate_allows(const struct rate *r)
{
    return r->limit == 0 || now_us() >= r->next_us;
}

void rate_take(struct rate *r, size_t bytes)
{
    uint64_t now = now_us();

    if (r->limit == 0)
        return;
    if (r->next_us == 0)
        r->next_us = now;
    r->next_us = max_u64(r->next_us, now - UNUSED_US) + (uint64_t)bytes * 1000000 / r->limit;
}

int rate_wait_ms(const struct rate *r, int timeout_ms)
{
    uint64_t now = now_us();

    if (r->limit == 0 || now >= r->next_us)
        return timeout_ms;
    return (int)min_u64((uint64_t)timeout_ms, (r->next_us - now) / 1000 + 1);
}
