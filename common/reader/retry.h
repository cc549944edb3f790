/* SPDX-License-Identifier: MIT */
/* retry: how long to wait before a range is requested again. Pure, but for random(). */
#ifndef IHOP_READER_RETRY_H
#define IHOP_READER_RETRY_H

#include <stdint.h>

/* The longest Retry-After, in seconds, that a run waits for: five minutes. With a longer one
 * the run ends and reports it. To come back earlier would be against the server's wish, and
 * whoever started the run knows better what to do with an hour. */
#define RETRY_AFTER_MAX_S 300

/* Milliseconds to wait before retry number tries, which counts from 1. The pause is first_ms
 * before the first retry and doubles up to a minute; half of it is random, so that a fleet
 * does not come back all at once. A server's Retry-After (asked_s; 0: none) can make it
 * longer. */
uint64_t retry_delay_ms(uint64_t first_ms, unsigned tries, uint64_t asked_s);

#endif
