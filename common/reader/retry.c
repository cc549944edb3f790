/* SPDX-License-Identifier: MIT */
#include "reader/retry.h"

#include "base/checked.h"

#include <stdlib.h>

#define BACKOFF_MAX_MS 60000

uint64_t retry_delay_ms(uint64_t first_ms, unsigned tries, uint64_t asked_s)
{
    uint64_t delay = first_ms;

    for (unsigned i = 1; i < tries && delay < BACKOFF_MAX_MS; i++)
        delay *= 2;
    delay = min_u64(delay, BACKOFF_MAX_MS);
    delay = delay / 2 + (uint64_t)random() % (delay / 2 + 1);
    return max_u64(delay, asked_s * 1000);
}
