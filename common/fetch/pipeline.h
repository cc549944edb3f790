/* SPDX-License-Identifier: MIT */
/* pipeline: does what a plan says. It makes holes, and fetches, decodes, verifies and stages the
 * chunks that are downloaded, from one file at a time: a delta pack, then the archive.
 *
 *                  ranges             chunks
 *     caller's     ------>  reader    ------>  workers  ---->  store writer
 *     thread       budget   (in flight)        budget          (batches)
 *
 * The caller's thread drives the reader and puts each chunk into a queue for the workers as
 * soon as its last byte has arrived (range_queue.h, which also has the budgets). Memory for a
 * range is reserved before it is requested, so that no transfer ever has to be paused. The
 * first error is reported, and all threads are joined before pipeline_run returns.
 */
#ifndef IHOP_FETCH_PIPELINE_H
#define IHOP_FETCH_PIPELINE_H

#include "base/err.h"
#include "base/events.h"
#include "fetch/delta_run.h"
#include "fetch/deposit.h"
#include "fetch/plan.h"
#include "format/image.h"
#include "reader/reader.h"

/* What to obtain, from where and to where. The caller owns all of it. */
struct pipeline_job {
    struct reader *reader; /* of the archive, or of the pack */
    const struct image *image;
    const struct plan *plan;
    struct deposit *deposit; /* the caller finishes its writer */
    unsigned jobs;           /* worker threads */
    const struct events *events;
    struct delta_run *deltas; /* for pipeline_run_deltas */
};

/* Makes the chunks of the plan that are holes. The kinds of deposit_add. */
int pipeline_make_holes(const struct pipeline_job *job, struct err *e)
    __attribute__((warn_unused_result));

/* Obtains the chunks of the plan that come from the archive; those from seeds are staged already.
 * A chunk with wrong content is fetched once more before that is ERR_ARCHIVE. The other kinds are
 * those of the reader and of deposit_add. */
int pipeline_run(const struct pipeline_job *job, struct err *e) __attribute__((warn_unused_result));

/* Obtains those that the pack has a delta for, as far as that succeeds: deltas->made tells which.
 * The pack's reader may fail, which deltas->failure tells. ERR_SPACE (the reader's limit),
 * ERR_MEMORY, and the kinds of deposit_add. */
int pipeline_run_deltas(const struct pipeline_job *job, struct err *e)
    __attribute__((warn_unused_result));

#endif
