/* SPDX-License-Identifier: MIT */
/* fixed: chunks of a fixed size. No byte ends a chunk before it is full. */
#include "chunker/rolling.h"

static uint32_t fixed_sum(const struct rolling *r, const uint8_t *data)
{
    (void)r;
    (void)data;
    return 0;
}

static size_t fixed_roll(const struct rolling *r, uint32_t *sum, const uint8_t *data, size_t size,
                         bool *hit)
{
    (void)r;
    (void)sum;
    (void)data;
    *hit = false;
    return size;
}

const struct rolling_ops fixed_ops = {.sum = fixed_sum, .roll = fixed_roll};
