/* SPDX-License-Identifier: MIT */
/* publish: giving a release its name, atomically and durably.
 *
 * The new dictionary is written to .ihop/retired/RANDOM, made durable together
 * with all chunks, and then exchanged with the name. So at every moment the name
 * has the old or the new release in full, and the old one lives on in retired/
 * for the servers that hold its lock.
 */
#ifndef IHOP_STORE_PUBLISH_H
#define IHOP_STORE_PUBLISH_H

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* data is an encoded release. All chunks of it must be committed before. On
 * return 0 the release survives a power cut. Kinds: ERR_OTHER_IMAGE when the
 * name exists and replace is false, or is a file that is no release (foreign.h): such a
 * one is never replaced; ERR_SPACE, ERR_IO. */
int store_publish(const struct store *store, const char *name, const uint8_t *data, size_t size,
                  bool replace, struct err *e) __attribute__((warn_unused_result));

/* Makes durable what is there: for a run that finds nothing to do, after one that
 * may have been cut off before its last sync. Works on a store open for reading. */
int store_confirm(const struct store *store, struct err *e) __attribute__((warn_unused_result));

/* Whether a replacement was cut off between two steps, on a file system that takes more
 * than one: opening the store for writing finishes it. */
bool store_has_pending(const struct store *store);

/* Records in .ihop/partial/NAME what a clone is about to fetch, so that gc keeps
 * those chunks when the clone is interrupted. Durable with the first batch. */
int store_partial_write(const struct store *store, const char *name, const uint8_t *data,
                        size_t size, struct err *e) __attribute__((warn_unused_result));

/* Removes it; best effort, since gc does it after a while. */
void store_partial_remove(const struct store *store, const char *name);

#endif
