/* SPDX-License-Identifier: MIT */
/* retry: how long to wait before a range is requested again. Pure, but for random(). */
#ifndef IHOP_READER_RETRY_H
#define IHOP_READER_RETRY_H

#include <stdint.h>

/* Milliseconds to wait before retry number tries, which counts from 1. The pause is first_ms
 * before the first retry and doubles up to a minute; half of it is random, so that a fleet
 * does not come back all at once. A server's Retry-After (asked_s; 0: none) can make it
 * longer. */
uint64_t retry_delay_ms(uint64_t first_ms, unsigned tries, uint64_t asked_s);

#endif
