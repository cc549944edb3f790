/* SPDX-License-Identifier: MIT */
/* pipeline: does what a plan says: makes holes, and fetches -> decodes -> verifies ->
 * stages.
 *
 *                  ranges             chunks
 *     caller's     ------>  reader    ------>  workers  ---->  store writer
 *     thread       budget   (in flight)        budget          (batches)
 *
 * The caller's thread drives the reader and puts each chunk into a queue for the workers as
 * soon as its last byte is there (range_queue.h, which also has the budgets). Memory for a
 * range is reserved before it is requested, so that no transfer ever has to be paused. The
 * first error wins and all threads are joined before the function returns.
 */
#ifndef IHOP_FETCH_PIPELINE_H
#define IHOP_FETCH_PIPELINE_H

#include "base/err.h"
#include "base/events.h"
#include "fetch/deposit.h"
#include "fetch/plan.h"
#include "format/image.h"
#include "reader/reader.h"

/* From where to where. All of it outlives the call and is not owned. */
struct pipeline_job {
    struct reader *reader;
    const struct image *image;
    const struct plan *plan;
    struct deposit *deposit; /* its writer is not finished here */
    unsigned jobs;           /* worker threads */
    const struct events *events;
};

/* Obtains all chunks of the plan that are not there, but for those that a seed gave. A
 * chunk with the right length and the wrong content is fetched once more, then it is
 * ERR_ARCHIVE. */
int pipeline_run(const struct pipeline_job *job, struct err *e) __attribute__((warn_unused_result));

#endif
