/* SPDX-License-Identifier: MIT */
/* staging: inserting chunks so that a power cut leaves no bad one.
 *
 * A verified chunk is written to .ihop/staging/RANDOM/, not to its final name.
 * A batch of them is made durable by one syncfs and then renamed to the final
 * names. So a chunk under its final name is whole, always; and it is itself
 * durable after the next syncfs, at the latest that of the publish.
 *
 *     workers   add  add  add | add  add  add | add ...
 *     committer                 syncfs renames  syncfs renames
 *
 * The staging directory is owned through a flock on it. One whose lock is free was
 * left behind: opening a writer hashes what lies there, adopts what is good and
 * removes the rest.
 */
#ifndef IHOP_STORE_STAGING_H
#define IHOP_STORE_STAGING_H

#include "base/err.h"
#include "format/chunk_hash.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_writer;

/* Gives the chunks that writers left behind their names, if their content is good
 * (*adopted of them), and removes the rest. Needs a store open for writing. */
int store_adopt_staged(const struct store *store, size_t *adopted, struct err *e)
    __attribute__((warn_unused_result));

/* Does that first, so call it before looking for missing chunks; starts the
 * committer. */
int store_writer_open(struct store *store, struct store_writer **writer, size_t *adopted,
                      struct err *e) __attribute__((warn_unused_result));

/* Stages one chunk, whose hash the caller has verified. data NULL: size zero
 * bytes, stored as a hole. Thread-safe; waits while two batches are pending.
 * Fails also with the committer's error. Kinds: ERR_SPACE, ERR_IO, ERR_MEMORY. */
int store_writer_add(struct store_writer *w, const uint8_t *hash, size_t hash_length,
                     const uint8_t *data, size_t size, struct err *e)
    __attribute__((warn_unused_result));

/* Commits what is staged and ends the committer. To be called once, from one
 * thread, when no add is under way; also after a failure elsewhere, so that what
 * was fetched is kept. */
int store_writer_finish(struct store_writer *w, struct err *e) __attribute__((warn_unused_result));

/* Bytes of chunk data written so far, holes not counted. */
uint64_t store_writer_bytes(struct store_writer *w);

/* Frees it; what was staged and not committed is removed. */
void store_writer_close(struct store_writer *w);
void store_writer_cleanup(struct store_writer **w);

#endif
