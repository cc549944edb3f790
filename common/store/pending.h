/* SPDX-License-Identifier: MIT */
/* pending: replacing a release where a file system can neither exchange two files nor
 * link one (exFAT, FAT). For store/ alone.
 *
 *     retired/NEW -> pending/NAME | NAME -> retired/OLD | pending/NAME -> NAME
 *
 * Each arrow is a rename, and durable before the next one. Where there is no NAME,
 * readers take pending/NAME for it, so at each moment the name leads to the old or the new
 * release. Whoever opens the store for writing finishes what was cut off.
 */
#ifndef IHOP_STORE_PENDING_H
#define IHOP_STORE_PENDING_H

#include "base/err.h"
#include "store/release_load.h"
#include "store/store.h"

/* Gives NAME to the durable release retired/temporary and moves the old release to retired/.
 * Needs the publish lock. After a failure the old release has its name, or will get it. */
int store_pending_replace(const struct store *store, const char *temporary, const char *name,
                          struct err *e) __attribute__((warn_unused_result));

/* Finishes or undoes a replacement that was cut off. If there is one, this takes the publish
 * lock. */
int store_pending_finish(const struct store *store, struct err *e)
    __attribute__((warn_unused_result));

/* Opens the release NAME, in STORE or in pending/; -1 with errno. */
int store_pending_open(const struct store *store, const char *name)
    __attribute__((warn_unused_result));

/* Adds the names that are in pending/ and not in list. */
int store_pending_names(const struct store *store, struct store_names *list, struct err *e)
    __attribute__((warn_unused_result));

#endif
