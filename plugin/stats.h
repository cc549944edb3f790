/* SPDX-License-Identifier: MIT */
/* stats: what the plugin did, for nbdkit -D ihop.stats=1.
 *
 * When it is off, an event costs one test of a variable. When it is on, an event takes a
 * mutex: 64-bit atomics would need libatomic on small 32-bit machines. Thread-safe.
 */
#ifndef IHOP_PLUGIN_STATS_H
#define IHOP_PLUGIN_STATS_H

#include <stdint.h>

enum stats_event {
    STATS_OPENS,       /* chunk files opened */
    STATS_CACHED,      /* descriptors kept */
    STATS_BYTES,       /* bytes served, zeros included */
    STATS_ZERO_BYTES,  /* bytes of zero chunks: no file was touched */
    STATS_VERIFIED,    /* chunks hashed (verify=first) */
    STATS_PREFETCHED,  /* chunks announced to the kernel ahead of a reader */
    STATS_READ_ERRORS, /* reads that failed with EIO */
    STATS_EVENTS
};

extern int ihop_debug_stats; /* set by nbdkit before the plugin's first callback */

void stats_add(enum stats_event event, uint64_t amount);

static inline void stats_count(enum stats_event event, uint64_t amount)
{
    if (__builtin_expect(ihop_debug_stats != 0, 0))
        stats_add(event, amount);
}

/* One debug line for each event (nbdkit shows them with -v). */
void stats_print(void);

#endif
