/* SPDX-License-Identifier: MIT */
/* rate: a limit on bytes a second, over all that take from it. What was not used
 * is forgiven for a tenth of a second only: no burst follows a pause. One thread. */
#ifndef IHOP_READER_RATE_H
#define IHOP_READER_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rate {
    uint64_t limit;   /* bytes a second; 0: none */
    uint64_t next_us; /* when the next bytes may be taken; 0: nothing was yet */
};

bool rate_allows(const struct rate *r);
void rate_take(struct rate *r, size_t bytes);

/* How long to wait until it allows more; timeout_ms when that is shorter, or when
 * it allows more now. */
int rate_wait_ms(const struct rate *r, int timeout_ms);

#endif
