/* SPDX-License-Identifier: MIT */
/* release_sync: making all chunks of a release durable, before the release is published. For
 * store/ alone; one thread at a time for a store. */
#ifndef IHOP_STORE_RELEASE_SYNC_H
#define IHOP_STORE_RELEASE_SYNC_H

#include "base/err.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

/* store_sync_all, and before it, where that does not reach them, the chunks of the release
 * that data encodes, one by one. Data that encode no release have no chunks. ERR_IO,
 * ERR_MEMORY. */
int store_sync_release(const struct store *store, const uint8_t *data, size_t size, struct err *e)
    __attribute__((warn_unused_result));

#endif
