/* SPDX-License-Identifier: MIT */
#include "plugin/stats.h"

#include "base/cleanup.h"

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

NBDKIT_DLL_PUBLIC int ihop_debug_stats = 0;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t totals[STATS_EVENTS]; /* by lock */

void stats_add(enum stats_event event, uint64_t amount)
{
    LOCK_SCOPE(&lock);

    totals[event] += amount;
}

void stats_print(void)
{
    static const char *const names[STATS_EVENTS] = {
        [STATS_OPENS] = "opens",
        [STATS_CACHED] = "cached descriptors",
        [STATS_BYTES] = "bytes",
        [STATS_ZERO_BYTES] = "zero bytes",
        [STATS_VERIFIED] = "verified chunks",
        [STATS_PREFETCHED] = "prefetched chunks",
        [STATS_READ_ERRORS] = "read errors",
    };

    if (!ihop_debug_stats)
        return;
    LOCK_SCOPE(&lock);
    for (int i = 0; i < STATS_EVENTS; i++)
        nbdkit_debug("stats: %s: %llu", names[i], (unsigned long long)totals[i]);
}
