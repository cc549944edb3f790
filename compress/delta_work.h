/* SPDX-License-Identifier: MIT */
/* delta_work: makes the deltas of a list of chunks, with several threads: content, base, the
 * smaller of delta and what the archive has.
 *
 * A thread holds one chunk at a time, its bytes in the archive, a base of at most LIMIT_DELTA_BASE
 * and what encoding takes.
 */
#ifndef IHOP_COMPRESS_DELTA_WORK_H
#define IHOP_COMPRESS_DELTA_WORK_H

#include "base/err.h"
#include "compress/chunk_places.h"
#include "compress/chunk_source.h"
#include "compress/delta_base.h"
#include "compress/delta_output.h"

#include <stddef.h>
#include <stdint.h>

struct delta_progress {
    size_t chunks, chunks_total;
    uint64_t bytes, bytes_total; /* what the archive has for them */
};

struct delta_work {
    unsigned jobs;
    struct chunk_source *new;
    const struct chunk_places *new_places;
    const struct delta_chooser *chooser;
    const uint32_t *chunks; /* numbers in the new table */
    size_t count;

    /* Takes the delta of chunks[i]; called by any thread, in any order. */
    int (*made)(void *user, size_t i, const struct delta_made *made, struct err *e);
    /* Called by any thread, one call at a time. */
    void (*progress)(void *user, const struct delta_progress *done);
    /* A thread has failed: whoever waits for it in made must stop. */
    void (*failed)(void *user);
    void *user;
};

/* Returns when all threads have. The error names the archive or the old image: ERR_ARCHIVE,
 * ERR_IO, ERR_MEMORY, and the kinds of made. */
int delta_work_run(const struct delta_work *work, struct err *e)
    __attribute__((warn_unused_result));

#endif
