/* SPDX-License-Identifier: MIT */
/* store: a directory of chunks shared by releases; opening, creating, locking.
 *
 *     STORE/NAME                   a release (format/release.h)
 *     STORE/chunks/ab/HASH.chunk   a chunk, uncompressed (chunk_file.h)
 *     STORE/.ihop/format           version and fan-out of this store (format_file.h)
 *     STORE/.ihop/format.new       the beginning of a first clone that was killed
 *     STORE/.ihop/lock             clones hold it shared, gc exclusive (lock.h)
 *     STORE/.ihop/publish          held by whoever publishes (lock.h)
 *     STORE/.ihop/pending/NAME     a release between two steps (pending.h)
 *     STORE/.ihop/staging/RANDOM/  one for each program that writes chunks (staging.h)
 *         HASH.chunk               a chunk that is not durable yet
 *         new                      an adopted chunk that is being written anew (adopt.h)
 *         failed                   a sync failed here: nothing is adopted
 *     STORE/.ihop/partial/NAME     what an unfinished clone needs (publish.h)
 *     STORE/.ihop/seen/NAME        how old an unfinished clone is (partial_age.h)
 *     STORE/.ihop/retired/RANDOM   a release that was replaced or removed (publish.h), or
 *                                  one that is being written
 *     STORE/.ihop/protected/NAME   a release that no clean-up removes (release_list.h)
 *     STORE/.ihop/boot             which release boots (boot_selection.h)
 *     STORE/.ihop/boot.spare       where the next such record is written (boot_file.h)
 *     STORE/.ihop/boot.new         the beginning of a first one that was cut off
 *
 * A store without .ihop/format was made by ihop 0.1, the first ihop: its chunk directories
 * have four digits. Since ihop 0.1 may write to any four-digit store, and neither syncs nor
 * truncates, chunks there are not taken for whole (missing.h).
 *
 * docs/store.md explains the whole protocol. A store handle may be shared by threads; it
 * does not change once open, but by store_relock and store_hold.
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
    STORE_CLEAN, /* as STORE_WRITE, with the exclusive lock: no one else writes */
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
    bool four_digits; /* make a new store that ihop 0.1 can use */
    enum store_sync sync;
    unsigned wait_seconds; /* for the lock; after that ERR_BUSY */
};

/* Opens the store of this path. Kinds: ERR_NOT_FOUND when STORE is not there, or is no store
 * and none is to be created; ERR_DAMAGED (a format that this version does not know); ERR_IO,
 * ERR_BUSY, ERR_MEMORY. The caller closes *store. */
int store_open(const char *path, const struct store_options *options, struct store **store,
               struct err *e) __attribute__((warn_unused_result));
void store_close(struct store *store);
void store_cleanup(struct store **store);

/* Changes the lock of a store that is open for writing, from shared to exclusive or back. For a
 * moment in between no lock is held, so the caller must look again at what it saw
 * before. After a failure (ERR_BUSY, ERR_IO) no lock is held, and the store must be closed. */
int store_relock(struct store *store, bool exclusive, unsigned wait_seconds, struct err *e)
    __attribute__((warn_unused_result));

/* Keeps clean-ups away from a store that is open for reading, until it is closed. *held says
 * whether none can run; that is so, too, when no program of ours has ever written to the
 * store. It is false where locks do not work, and where this user must not open the lock
 * file, which is for those who write. Kinds: ERR_BUSY, ERR_IO. */
int store_hold(struct store *store, unsigned wait_seconds, bool *held, struct err *e)
    __attribute__((warn_unused_result));

/* Fails with ERR_IO when this user may not list the store or look up its chunks. */
int store_check_readable(const struct store *store, struct err *e)
    __attribute__((warn_unused_result));

const char *store_path(const struct store *store);
unsigned store_fanout_digits(const struct store *store); /* 2, or 4 as with ihop 0.1 */

/* About how many bytes of the disk so many files with so many bytes of data take: half a
 * block more for each file, on most file systems. */
static inline uint64_t store_disk_bytes(uint64_t bytes, uint64_t files)
{
    return bytes + files * (4096 / 2);
}

/* Bytes and inodes free for this user. A file system without a limit on inodes
 * gives UINT64_MAX. */
int store_free_space(const struct store *store, uint64_t *bytes, uint64_t *inodes, struct err *e)
    __attribute__((warn_unused_result));

#endif
