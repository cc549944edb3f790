/* SPDX-License-Identifier: MIT */
/* publish: giving a release its name, atomically and durably.
 *
 * The new dictionary is written to .ihop/retired/RANDOM, made durable together
 * with all chunks, and then exchanged with the name. So at every moment the name
 * has the old or the new release in full, and the old one lives on in retired/
 * for the servers that hold its lock. One thread at a time.
 */
#ifndef IHOP_STORE_PUBLISH_H
#define IHOP_STORE_PUBLISH_H

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Publishes the encoded release in data, whose chunks must all be committed. On
 * return 0 the release survives a power cut. Kinds: ERR_OTHER_IMAGE when a release has the
 * name and replace is false, or when a foreign file has it, which is never replaced
 * (foreign.h); ERR_USAGE (the name), ERR_BUSY, ERR_SPACE, ERR_IO, ERR_MEMORY. */
int store_publish(const struct store *store, const char *name, const uint8_t *data, size_t size,
                  bool replace, struct err *e) __attribute__((warn_unused_result));

/* Makes durable what is there: for a run that finds nothing to do, since an earlier run
 * may have been cut off before its last sync. The store may be open for reading. ERR_IO. */
int store_confirm(const struct store *store, struct err *e) __attribute__((warn_unused_result));

/* Whether a replacement in several steps was cut off (pending.h): opening the store for writing
 * finishes it. */
bool store_has_pending(const struct store *store);

/* Records in .ihop/partial/NAME which image a clone is about to fetch, so that gc keeps
 * its chunks when the clone is interrupted. The record is durable with the first batch.
 * Kinds: as of store_publish. */
int store_partial_write(const struct store *store, const char *name, const uint8_t *data,
                        size_t size, struct err *e) __attribute__((warn_unused_result));

/* Removes that record; best effort, since gc does it after a while. */
void store_partial_remove(const struct store *store, const char *name);

#endif
