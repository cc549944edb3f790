/* SPDX-License-Identifier: MIT */
/* adopt: keeping what abandoned staging directories hold (staging.h).
 *
 * A clone that was killed or lost its power leaves verified chunks in its staging
 * directory, whole or not. Those whose content is on the disk and is what their name says
 * get their names; the rest is removed. docs/store.md says why memory is not asked.
 */
#ifndef IHOP_STORE_ADOPT_H
#define IHOP_STORE_ADOPT_H

#include "base/err.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

/* What was adopted: how many chunks, and who wants to hear of each. */
struct store_adopted {
    size_t count;
    void (*chunk)(void *user, const uint8_t *hash, size_t hash_length); /* or NULL */
    void *user;
};

/* Looks after all directories whose owners are gone; adopted->count of their chunks have
 * names then, which are durable with the next sync. Needs a store open for writing. Kinds: ERR_IO,
 * ERR_MEMORY. Without space for what must be written anew, that is removed. */
int store_adopt_staged(const struct store *store, struct store_adopted *adopted, struct err *e)
    __attribute__((warn_unused_result));

#endif
