/* SPDX-License-Identifier: MIT */
/* pipeline: fetch -> decode -> verify -> stage.
 *
 *                  ranges             chunks
 *     caller's     ------>  reader    ------>  workers  ---->  store writer
 *     thread       budget   (in flight)        budget          (batches)
 *
 * The caller's thread drives the reader and hands each chunk to the workers as
 * soon as its last byte is there. What is received and not yet decoded is
 * bounded by BUDGET_RECEIVED, reserved before a range is requested, so that no
 * transfer ever has to be paused; decoders and their output by BUDGET_DECODED. An
 * item larger than a budget is admitted alone. The first error wins and all
 * threads are joined before the function returns.
 */
#ifndef IHOP_FETCH_PIPELINE_H
#define IHOP_FETCH_PIPELINE_H

#include "base/err.h"
#include "fetch/deposit.h"
#include "base/events.h"
#include "fetch/plan.h"
#include "reader/reader.h"
#include "format/image.h"

/* Fetches all chunks of the plan into the deposit; jobs worker threads. A chunk
 * with the right length and the wrong content is fetched once more, then it is
 * ERR_ARCHIVE. Its writer is not finished here. */
int pipeline_run(struct reader *reader, const struct image *image, const struct plan *plan,
                 struct deposit *deposit, unsigned jobs, const struct events *events, struct err *e)
    __attribute__((warn_unused_result));

#endif
