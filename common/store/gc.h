/* SPDX-License-Identifier: MIT */
/* gc: frees what no release needs any more.
 *
 * Kept are the chunks of every release, of every replaced one that a server still
 * holds, and of every clone that was interrupted less than partial_age ago. When
 * one of these cannot be read, nothing is deleted: its chunks are not known.
 *
 *     sync everything | count what the releases have | retired: unlink what nobody
 *     serves, count the others | partial: the same | walk chunks/: unlink what was
 *     not counted
 *
 * What is deleted is not needed by anything durable, so a cut at any moment leaves
 * a whole store, and the next run goes on.
 */
#ifndef IHOP_STORE_GC_H
#define IHOP_STORE_GC_H

#include "base/err.h"
#include "format/image.h"
#include "store/chunk_usage.h"
#include "store/lock_holder.h"
#include "store/release_list.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

#define STORE_PARTIAL_AGE_S (30 * 86400)

struct store_gc_options {
    bool dry_run;
    uint64_t partial_age_s;
    const struct image *also_keep;   /* an image that is about to be cloned, or NULL */
    struct chunk_usage *chunk_usage; /* takes the count of all that is kept, or NULL */
    /* For a dry run and store_gc_check: as if these were removed. */
    const char *const *without;
    size_t without_count;
    /* Called now and then while chunks are walked; bytes freed so far. */
    void (*progress)(void *user, uint64_t bytes);
    void *user;
};

struct store_gc_result {
    uint64_t chunks_kept;
    uint64_t chunks_removed, bytes_removed; /* bytes on the disk */
    uint64_t retired_removed, retired_kept; /* replaced or removed releases; kept: served */
    char holder[LOCK_HOLDER_SIZE];          /* who has one of the kept ones open */
    uint64_t partials_removed, partials_kept;
    uint64_t foreign, foreign_meta; /* in chunks/ and .ihop/, none of ours: left alone */
};

/* Whether all that is to be kept can be read, so that store_gc will delete
 * something: worth knowing before releases are removed. Kinds: as there. */
int store_gc_check(const struct store *store, const struct store_gc_options *o, struct err *e)
    __attribute__((warn_unused_result));

/* store: open as STORE_CLEAN (or relocked exclusively); a dry run takes STORE_READ.
 * Kinds: ERR_DAMAGED names the release that cannot be read; ERR_IO, also when it cannot
 * be told whether a replaced one is served. */
int store_gc(const struct store *store, const struct store_gc_options *o,
             struct store_gc_result *result, struct err *e) __attribute__((warn_unused_result));

#endif
