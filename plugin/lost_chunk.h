/* SPDX-License-Identifier: MIT */
/* lost_chunk: what becomes of a read whose chunk is missing or damaged.
 *
 * Today such a read fails, and the message says how to get the chunk back. Whatever could
 * bring a chunk back while the server runs (a helper process that fetches it) belongs
 * behind lost_chunk_recover. Thread-safe.
 */
#ifndef IHOP_PLUGIN_LOST_CHUNK_H
#define IHOP_PLUGIN_LOST_CHUNK_H

#include "base/err.h"

#include <stddef.h>

struct export;

/* Asked after a read of this chunk has failed with *e. Returns 0 when the chunk is in the
 * store now, so that the read may be tried once more; nothing does that yet. Otherwise -1,
 * with the remedy added to the message if there is one. */
int lost_chunk_recover(const struct export *x, size_t chunk, struct err *e)
    __attribute__((warn_unused_result));

/* Adds to the message how to get missing chunks of the release back; returns -1. */
int lost_chunk_add_remedy(const struct export *x, struct err *e)
    __attribute__((warn_unused_result));

#endif
