/* SPDX-License-Identifier: MIT */
/* partial_age: how old an interrupted clone is. For store/ alone; thread-safe, with one
 * process at a time for each name.
 *
 * The clock of a device may jump by decades, forward and back, while a clone runs or
 * between it and a clean-up, so the difference of two times of the wall clock says nothing.
 * Instead, each clone and each clean-up that looks at partial/NAME adds to its age and
 * writes a record to .ihop/seen/NAME: the boot id, the time since that boot
 * (CLOCK_BOOTTIME), the wall clock, and the age by then. Between two looks within one boot
 * the time since the boot tells what has passed; across boots the wall clock does, but
 * never less than nothing nor more than a day.
 *
 * No record is synced: a power cut makes a clone younger.
 */
#ifndef IHOP_STORE_PARTIAL_AGE_H
#define IHOP_STORE_PARTIAL_AGE_H

#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/* The age in seconds of the partial clone NAME, as far as it is known; 0 when it was
 * written, or written again, since the last look. With record, this look is recorded, best
 * effort. */
uint64_t partial_age_seconds(const struct store *store, const char *name, bool record);

/* Removes the record of NAME. Best effort. */
void partial_age_forget(const struct store *store, const char *name);

/* Removes the records of clones that are not there any more. Best effort. */
void partial_age_clean(const struct store *store);

#endif
