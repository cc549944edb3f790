/* SPDX-License-Identifier: MIT */
/* gc: frees what no release needs any more. For one thread.
 *
 * It keeps the chunks of every release, of every replaced release that a server still
 * holds, and of every clone that was interrupted less than partial_age_s ago. When
 * one of these cannot be read, nothing is deleted: its chunks are not known.
 *
 *     sync everything | count the chunks of the releases | retired: unlink what nobody
 *     serves, count the others | partial: unlink what is too old, count the others |
 *     walk chunks/: unlink what was not counted
 *
 * What is deleted is not needed by anything durable, so a power cut at any moment leaves
 * a whole store, and the next run deletes the rest.
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
    struct chunk_usage *chunk_usage; /* receives the count of all that is kept; or NULL */
    /* Names of releases to be taken for removed; for a dry run and store_gc_check. */
    const char *const *without;
    size_t without_count;
    /* Called now and then while chunks are walked, with the bytes freed so far. */
    void (*progress)(void *user, uint64_t bytes);
    void *user;
};

struct store_gc_result {
    uint64_t chunks_kept;
    uint64_t chunks_removed, bytes_removed; /* bytes on the disk */
    uint64_t retired_removed, retired_kept; /* replaced or removed releases; kept if served */
    char holder[LOCK_HOLDER_SIZE];          /* who has one of those kept open */
    uint64_t partials_removed, partials_kept;
    uint64_t foreign, foreign_meta; /* files in chunks/ and .ihop/ that are not ours: left alone */
};

/* Fails as store_gc would because something that is to be kept cannot be read: worth knowing
 * before releases are removed. */
int store_gc_check(const struct store *store, const struct store_gc_options *o, struct err *e)
    __attribute__((warn_unused_result));

/* The store must be open as STORE_CLEAN, or relocked exclusively; for a dry run STORE_READ will
 * do. Kinds: ERR_DAMAGED names the release that cannot be read; ERR_IO, also when it is not
 * known whether a replaced release is served; ERR_MEMORY. */
int store_gc(const struct store *store, const struct store_gc_options *o,
             struct store_gc_result *result, struct err *e) __attribute__((warn_unused_result));

#endif
