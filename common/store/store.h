/* SPDX-License-Identifier: MIT */
/* store: a directory of chunks shared by releases; opening, creating, locking.
 *
 *     STORE/NAME                 a release (format/release.h)
 *     STORE/chunks/ab/HASH.chunk a chunk, uncompressed
 *     STORE/.ihop/format         version and fan-out of this store
 *     STORE/.ihop/lock           clones hold it shared, gc exclusive (lock.h)
 *     STORE/.ihop/publish        held by who publishes
 *     STORE/.ihop/pending/NAME   a release between two steps (pending.h)
 *     STORE/.ihop/staging/RANDOM/HASH.chunk  not yet durable (staging.h)
 *     STORE/.ihop/partial/NAME   what an unfinished clone needs (publish.h)
 *     STORE/.ihop/retired/RANDOM releases that were replaced or removed (publish.h)
 *     STORE/.ihop/protected/NAME releases that no clean-up removes (release_list.h)
 *
 * A store without .ihop/format was made by the original ihop: its chunk directories
 * have four digits. Since the original may write to any four-digit store, and
 * neither syncs nor truncates, chunks there are not taken for whole (missing.h).
 *
 * docs/store.md tells the whole protocol. A store handle may be shared by
 * threads; it does not change once open.
 */
#ifndef IHOP_STORE_STORE_H
#define IHOP_STORE_STORE_H

#include "base/err.h"
#include "format/chunk_hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

enum store_access {
    STORE_READ,  /* creates nothing; works on a read-only file system */
    STORE_WRITE, /* makes what is missing below STORE; holds the shared lock */
    STORE_CLEAN, /* the same with the exclusive lock: no one else writes */
};

enum store_sync {
    STORE_SYNC_AUTO,
    STORE_SYNC_FS,    /* syncfs for a whole batch */
    STORE_SYNC_FILES, /* fsync of each file: where syncfs reports no errors */
};

struct store_options {
    enum store_access access;
    /* STORE itself may be made (its parent must exist), or its layout in an empty directory. With
     * STORE_READ nothing is made: a directory that is neither a store nor empty is ERR_IO then. */
    bool create;
    bool four_digits; /* make a new store that the original can use */
    enum store_sync sync;
    unsigned wait_seconds; /* for the lock; then ERR_BUSY */
};

/* Kinds: ERR_NOT_FOUND when STORE is not there, or no store (and not to be created), ERR_IO,
 * ERR_DAMAGED (a format that this version does not know), ERR_BUSY, ERR_MEMORY. */
int store_open(const char *path, const struct store_options *options, struct store **store,
               struct err *e) __attribute__((warn_unused_result));
void store_close(struct store *store);
void store_cleanup(struct store **store);

/* Changes the lock of a store that is open for writing. The lock is free for a
 * moment between the two: look again at what was seen before. ERR_BUSY; then no
 * lock is held, and the store must be closed. */
int store_relock(struct store *store, bool exclusive, unsigned wait_seconds, struct err *e)
    __attribute__((warn_unused_result));

/* Keeps clean-ups away from a store that is open for reading, until it is closed, or
 * finds that there are none, because no program of ours has written to it: *held. It is
 * false, and one may run, where this user must not open the lock, as it is for those
 * who write, or where locks do not work. ERR_BUSY. */
int store_hold(struct store *store, unsigned wait_seconds, bool *held, struct err *e)
    __attribute__((warn_unused_result));

/* Whether this user may list the store and get at its chunks. ERR_IO. */
int store_check_readable(const struct store *store, struct err *e)
    __attribute__((warn_unused_result));

const char *store_path(const struct store *store);
unsigned store_fanout_digits(const struct store *store); /* 2, or 4: the original's */

/* What files with so many bytes of data take on the disk, about: half a block more for
 * each, on most file systems. */
static inline uint64_t store_disk_bytes(uint64_t bytes, uint64_t files)
{
    return bytes + files * (4096 / 2);
}

/* Bytes and inodes free for this user. A file system without a limit on inodes
 * gives UINT64_MAX. */
int store_free_space(const struct store *store, uint64_t *bytes, uint64_t *inodes, struct err *e)
    __attribute__((warn_unused_result));

#endif
