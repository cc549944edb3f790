/* SPDX-License-Identifier: MIT */
/* chunk_writer: inserts many chunks into a store, so that a power cut leaves no bad one.
 *
 * Each is staged; batches of them are committed by a thread while the callers stage the
 * next ones (staging.h says why a chunk is whole once it has its name).
 *
 *     workers   add  add  add | add  add  add | add ...
 *     committer                 syncfs renames  syncfs renames
 *
 * A batch is committed at the first of the limits BATCH_*.
 */
#ifndef IHOP_STORE_CHUNK_WRITER_H
#define IHOP_STORE_CHUNK_WRITER_H

#include "base/err.h"
#include "base/limits.h"
#include "store/adopt.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

#define BATCH_BYTES   (64 * MIB)
#define BATCH_CHUNKS  1024
#define BATCH_SECONDS 20

struct store_writer;

/* Adopts what was left behind (adopt.h), so call it before looking for missing chunks;
 * starts the committer. The store must be open for writing and outlive the writer. */
int store_writer_open(const struct store *store, struct store_writer **writer,
                      struct store_adopted *adopted, struct err *e)
    __attribute__((warn_unused_result));

/* Stages one chunk, whose hash the caller has verified. data NULL: size zero bytes,
 * stored as a hole. Thread-safe; waits while two batches are pending.
 * Fails also with the committer's error. Kinds: ERR_SPACE, ERR_IO, ERR_MEMORY. */
int store_writer_add(struct store_writer *w, const uint8_t *hash, size_t hash_length,
                     const uint8_t *data, size_t size, struct err *e)
    __attribute__((warn_unused_result));

/* Commits what is staged and ends the committer. To be called once, from one
 * thread, when no add is under way; also after a failure elsewhere, so that what
 * was fetched is kept. */
int store_writer_finish(struct store_writer *w, struct err *e) __attribute__((warn_unused_result));

/* Bytes of chunk data written so far, holes not counted. Thread-safe. */
uint64_t store_writer_bytes(struct store_writer *w);

/* Frees the writer; what was staged and not committed is removed. */
void store_writer_close(struct store_writer *w);
void store_writer_cleanup(struct store_writer **w);

#endif
