/* SPDX-License-Identifier: MIT */
/* staging: a directory for chunks that are not durable yet. For store/ alone.
 *
 * How chunks get into a store so that a power cut leaves no bad one: a verified chunk is
 * written to .ihop/staging/RANDOM/, not to its final name (this file). A batch of them is
 * made durable by one syncfs and then renamed to the final names (batch.h). So a chunk
 * under its final name is whole, always; and it is itself durable after the next syncfs,
 * at the latest that of the publish. chunk_writer.h does that for many chunks, chunk_put.h
 * for one.
 *
 * A staging directory is owned through a flock on it. One whose lock is free was left
 * behind by a program that was killed: adopt.h looks after those.
 */
#ifndef IHOP_STORE_STAGING_H
#define IHOP_STORE_STAGING_H

#include "base/err.h"
#include "base/io.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct staging {
    const struct store *store;
    int fd; /* the directory, with the flock that owns it; -1: none */
    char name[IO_RANDOM_NAME_SIZE];
};

/* Makes a new directory, which the caller owns. Kinds: ERR_IO, ERR_SPACE; ERR_BUSY when
 * somebody locks each one that is made. */
int staging_make(const struct store *store, struct staging *s, struct err *e)
    __attribute__((warn_unused_result));

/* Becomes the owner of a directory that was left behind; *taken is false when its owner
 * lives, when it is gone, or when it is none of ours. */
int staging_take(const struct store *store, const char *name, struct staging *s, bool *taken,
                 struct err *e) __attribute__((warn_unused_result));

/* Whether a file of this name is there that may be a staged chunk. */
bool staging_has(const struct staging *s, const char *file);

/* Writes a chunk; with STORE_SYNC_FILES it is durable then. data NULL: size zero bytes, as
 * a hole. Adds the bytes that were written to *written. Thread-safe, for different
 * chunks. Kinds: ERR_SPACE, ERR_IO. */
int staging_write(const struct staging *s, const char *file, const uint8_t *data, size_t size,
                  uint64_t *written, struct err *e) __attribute__((warn_unused_result));

/* Puts a file in place of a staged one that has the same content, in pages that were never
 * written before; synced through the descriptor that wrote them, which sees every error. */
int staging_rewrite(const struct staging *s, const char *file, const uint8_t *data, size_t size,
                    struct err *e) __attribute__((warn_unused_result));

/* Says that a sync failed here, so that no later run adopts what lies here. To be called
 * before anything else happens, since this process may be killed at any moment. The mark
 * need not be durable, as it speaks of pages in memory. Best effort: adopt.c asks the disk,
 * too. */
void staging_mark_failed(const struct staging *s);
bool staging_is_marked_failed(const struct staging *s);

/* Removes the directory with all staged files, and closes it. With anything else in it the
 * directory stays. */
void staging_remove(struct staging *s);

/* Only closes it: the next program that adopts finds it. */
void staging_close(struct staging *s);

#endif
