/* SPDX-License-Identifier: MIT */
/* retry: how long to wait before a range is asked for again. Pure, but for
 * random(). */
#ifndef IHOP_READER_RETRY_H
#define IHOP_READER_RETRY_H

#include <stdint.h>

/* What a server's Retry-After may ask for, in seconds: five minutes. With a longer one
 * the run ends and says so: to come back earlier would be what the server did not want,
 * and whoever started the run knows better what to do with an hour. */
#define RETRY_AFTER_MAX_S 300

/* Milliseconds before retry number tries (from 1): first_ms, doubling up to a
 * minute, of which half is random, so that a fleet does not return as one. A
 * server's Retry-After (asked_s, 0: none) may make it longer. */
uint64_t retry_delay_ms(uint64_t first_ms, unsigned tries, uint64_t asked_s);

#endif
