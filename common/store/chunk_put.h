/* SPDX-License-Identifier: MIT */
/* chunk_put: stores one chunk safely, for whoever has just one. */
#ifndef IHOP_STORE_CHUNK_PUT_H
#define IHOP_STORE_CHUNK_PUT_H

#include "base/err.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

/* Stores one chunk with the guarantees of a batch (staging.h): its content is durable before it
 * gets its name, so after a power cut it is whole under that name or not there at all. The name
 * itself is durable at once with STORE_SYNC_FILES, and otherwise after the next syncfs
 * (store_confirm). data NULL: size zero bytes, stored as a hole.
 *
 * The caller has verified the content: data must have this hash, and a hash_length below
 * LIMIT_HASH_TRUSTED names nothing safely. A chunk that is there already is replaced by the
 * same content in one step; who has it open keeps the old file.
 *
 * store must be open for writing. For many chunks a store_writer is faster: this takes a
 * sync for each. Thread-safe. Kinds: ERR_SPACE, ERR_IO, ERR_BUSY, ERR_MEMORY; after a
 * failure nothing is left behind. */
int store_chunk_put(const struct store *store, const uint8_t *hash, size_t hash_length,
                    const uint8_t *data, size_t size, struct err *e)
    __attribute__((warn_unused_result));

#endif
