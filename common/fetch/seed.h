/* SPDX-License-Identifier: MIT */
/* seed: takes chunks from a file or device that is likely to hold some, such as the
 * partition that a device runs from, before anything is downloaded.
 *
 * The seed is cut on all cores with the image's own chunker (chunker/cut.h). What it
 * holds need not be trusted, nor stand still: each chunk is hashed.
 */
#ifndef IHOP_FETCH_SEED_H
#define IHOP_FETCH_SEED_H

#include "base/err.h"
#include "base/events.h"
#include "fetch/deposit.h"
#include "fetch/plan.h"
#include "format/image.h"

#include <stddef.h>

struct seed_job {
    const char *path; /* "-": standard input */
    unsigned number;  /* of this seed, for the plan's items */
    const struct image *image;
    struct plan *plan;       /* which chunks are wanted, and whose way changes */
    struct deposit *deposit; /* where they go; NULL: they are only counted */
    unsigned jobs;           /* worker threads */
    const struct events *events;
};

/* Searches the seed for the chunks that the plan would download. Those found have
 * WAY_SEED from then on, and are in the deposit: a seed is read once, from front to back,
 * since it may be a pipe. *found is how many they are. The plan is to be arranged anew
 * afterwards, also after a failure. Kinds: ERR_NOT_FOUND and ERR_IO for the seed, and
 * those of deposit_add. */
int seed_scan(const struct seed_job *job, size_t *found, struct err *e)
    __attribute__((warn_unused_result));

#endif
