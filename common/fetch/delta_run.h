/* SPDX-License-Identifier: MIT */
/* delta_run: makes chunks out of a pack's deltas and the old release in the store: the step of
 * WAY_DELTA in the pipeline.
 *
 * A delta that does not give its chunk is not asked for again: the chunk is left for the archive.
 * Either its base is rotten, then the first such chunk of the store is remembered by name; or the
 * delta is wrong, and after DELTA_RUN_WRONG of these the pack is not worth going on with.
 *
 * Workers share a run, each with a maker of its own.
 */
#ifndef IHOP_FETCH_DELTA_RUN_H
#define IHOP_FETCH_DELTA_RUN_H

#include "base/err.h"
#include "fetch/chunk_decoder.h"
#include "fetch/delta_source.h"
#include "fetch/plan.h"
#include "store/image_reader.h"
#include "store/store.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A single delta may have suffered on the way, as chunks of an archive do. More of them are no
 * accident. */
#define DELTA_RUN_WRONG 4

struct delta_run {
    const struct delta_source *source; /* ready; borrowed, like the plan */
    const struct plan *plan;
    struct image_reader base;
    bool *made;         /* for each chunk of the image; set by the one worker that has the chunk */
    struct err failure; /* why the pack's reader gave up; ERR_NONE */

    pthread_mutex_t lock; /* protects all below */
    struct err rotten;    /* the first base that was not whole */
    struct err wrong;     /* the first delta that was wrong */
    size_t wrong_count;
};

/* Gives all chunks that are to be downloaded, for which the pack has a delta, and whose base is
 * there, the way WAY_DELTA. The plan has to be arranged afterwards. Deltas are never larger than
 * what the archive has. store NULL: of a device that has all of the old release. ERR_MEMORY,
 * ERR_IO. */
int delta_run_plan(const struct delta_source *source, const struct store *store, struct plan *plan,
                   struct err *e) __attribute__((warn_unused_result));

/* ERR_MEMORY: then there is nothing to close. */
int delta_run_open(struct delta_run *run, const struct delta_source *source,
                   const struct store *store, const struct plan *plan, size_t chunks, struct err *e)
    __attribute__((warn_unused_result));
void delta_run_close(struct delta_run *run);

/* What making a chunk takes of BUDGET_DECODED, in bytes. */
size_t delta_run_cost(const struct delta_run *run, const struct image *image, size_t chunk);

/* Of one worker. */
struct delta_maker {
    struct delta_run *run;
    uint8_t *base; /* of base_size bytes, or NULL */
    size_t base_size;
};

/* Makes chunk number i out of the bytes of its delta. *plain is NULL when the chunk is left for the
 * archive. Otherwise it is valid until the decoder's next call, and as long as bytes. Only
 * ERR_MEMORY and ERR_IO (no hash function) are failures. */
int delta_maker_run(struct delta_maker *m, struct chunk_decoder *decoder, size_t i,
                    const uint8_t *bytes, const uint8_t **plain, struct err *e)
    __attribute__((warn_unused_result));

/* As chunk_decoder_trim. */
void delta_maker_trim(struct delta_maker *m, size_t cost);

/* Whether the pack is worth going on with. */
bool delta_run_goes_on(struct delta_run *run);

#endif
