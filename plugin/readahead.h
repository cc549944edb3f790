/* SPDX-License-Identifier: MIT */
/* readahead: reads the next chunks ahead of a sequential reader.
 *
 * The kernel's own readahead stops at the end of each chunk file. One state for
 * each connection; its threads share it without a lock: a race costs at most a
 * needless or a missing piece of advice.
 */
#ifndef IHOP_PLUGIN_READAHEAD_H
#define IHOP_PLUGIN_READAHEAD_H

#include "plugin/export.h"

#include <stdatomic.h>
#include <stdint.h>

/* Places are in units of 64 KiB and 32 bits wide: not every machine has 64-bit
 * atomics. */
struct readahead {
    atomic_uint place; /* where the latest read ended */
    atomic_uint run;   /* reads near one another so far */
    atomic_uint ahead; /* what lies before this was read ahead or was in memory */
    atomic_bool cold;  /* the latest advice was needed */
};

/* Tells of a read that is about to happen. */
void readahead_note(struct readahead *r, struct export *x, uint32_t count, uint64_t offset);

#endif
