/* SPDX-License-Identifier: MIT */
/* rate: a limit on bytes a second, for all transfers that take from it together. Time in
 * which nothing was taken counts for a tenth of a second at most, so no burst follows a
 * pause. For one thread. */
#ifndef IHOP_READER_RATE_H
#define IHOP_READER_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rate {
    uint64_t limit;   /* bytes a second; 0: none */
    uint64_t next_us; /* when the next bytes may be taken; 0: none were taken yet */
};

/* Whether bytes may be taken now, however many. */
bool rate_allows(const struct rate *r);
void rate_take(struct rate *r, size_t bytes);

/* Milliseconds until bytes may be taken, at most timeout_ms; timeout_ms when they may be
 * taken now. */
int rate_wait_ms(const struct rate *r, int timeout_ms);

#endif
