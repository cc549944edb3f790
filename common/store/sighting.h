/* SPDX-License-Identifier: MIT */
/* sighting: how old an interrupted clone is. For store/ alone.
 *
 * The clock of a device may jump by decades, forward and back, while a clone runs or
 * between it and a clean-up: two times that different clocks have told say nothing. So the
 * age is counted by what looks after the store. .ihop/seen/NAME has, of the last time when
 * partial/NAME was looked at, the boot, the clock that runs since then (CLOCK_BOOTTIME),
 * the wall clock, and the age up to then. Within one boot the former tells what has
 * passed; across boots the latter does, but never less than nothing nor more than a day.
 *
 * Nothing here is synced: what a power cut takes makes a clone younger.
 */
#ifndef IHOP_STORE_SIGHTING_H
#define IHOP_STORE_SIGHTING_H

#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/* Seconds that the partial clone NAME is known to be old; 0 when it was (re)written since
 * it was last looked at. record: writes down that it was looked at, best effort. */
uint64_t store_sighting(const struct store *store, const char *name, bool record);

/* Forgets it. Best effort. */
void store_sighting_forget(const struct store *store, const char *name);

/* Forgets those of clones that are no more. Best effort. */
void store_sighting_clean(const struct store *store);

#endif
