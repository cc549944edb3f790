/* SPDX-License-Identifier: MIT */
/* readahead: reads the next chunks ahead of a sequential reader.
 *
 * The kernel's own readahead stops at the end of each chunk file. There is one
 * struct readahead for each connection, which begins as zeros. Its threads share it without
 * a lock: a race costs at most a needless or a missing piece of advice.
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
    atomic_uint run;   /* how many reads in a row were near one another */
    atomic_uint ahead; /* all before this place was read ahead or was in memory */
};

/* To be called for each read, before it happens. */
void readahead_note(struct readahead *r, struct export *x, uint32_t count, uint64_t offset);

#endif
