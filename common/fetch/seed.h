/* SPDX-License-Identifier: MIT */
/* seed: takes chunks from a file or device that is likely to hold some, such as the
 * partition that a device runs from, before anything is downloaded.
 *
 * The seed is cut on all cores with the image's own chunker (chunker/cut.h). It need not be
 * trusted, and may change in the meantime, because each chunk is hashed.
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
    unsigned number;  /* the number of this seed, for the plan's items */
    const struct image *image;
    struct plan *plan;       /* says which chunks are wanted; the way of those found changes */
    struct deposit *deposit; /* where found chunks are staged; with NULL they are only counted */
    unsigned jobs;           /* worker threads */
    const struct events *events;
};

/* Searches the seed for the chunks that the plan would download. The chunks found have WAY_SEED
 * from then on and are staged at once, because a seed may be a pipe, which is read only once.
 * *found is their number. The ranges and the cost of the plan are out of date then, until
 * plan_arrange is called; so they are after a failure, when the plan is of no use any more.
 * ERR_NOT_FOUND and ERR_IO for the seed, and the kinds of deposit_add. */
int seed_scan(const struct seed_job *job, size_t *found, struct err *e)
    __attribute__((warn_unused_result));

#endif
