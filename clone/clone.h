/* SPDX-License-Identifier: MIT */
/* clone: the steps of a run of ihop-clone, from an archive to a published release. One thread
 * calls; clone_run starts and joins threads of its own. */
#ifndef IHOP_CLONE_CLONE_H
#define IHOP_CLONE_CLONE_H

#include "base/err.h"
#include "base/events.h"
#include "base/limits.h"
#include "clone/options.h"
#include "fetch/obtain.h"
#include "format/delta_pack.h"
#include "store/boot_selection.h"

#include <stdint.h>

enum clone_outcome {
    CLONE_PUBLISHED, /* the release is new or was replaced */
    CLONE_COMPLETE,  /* the release was there with all its chunks */
    CLONE_RESTORED,  /* the release was there, and missing chunks were fetched */
    CLONE_ESTIMATED, /* nothing was done, because of --dry-run */
};

/* What an update by a delta pack saved. */
struct clone_delta {
    char pack[LIMIT_URL + 1]; /* its address without secrets, or its path; "": none was used */
    char from[DELTA_PACK_ID_DIGITS + 1]; /* the old image */
    uint64_t bytes;                      /* of the pack that were, or would be, downloaded */
    uint64_t saved;                      /* bytes of the archive that were not, less those */
};

struct clone_result {
    enum clone_outcome outcome;
    struct plan_cost cost;
    struct clone_delta delta;
    size_t damaged; /* chunks that were in the store with wrong content */
    uint64_t image_size;
    char header_checksum[CHUNK_HASH_HEX];
    char source_checksum[CHUNK_HASH_HEX];
    uint64_t downloaded; /* bytes of the bodies of responses, or read from a file */
    uint64_t written;    /* bytes of chunk data */
    uint64_t requests, retries;
    bool tried;            /* with --try, and armed tells what came of it */
    enum boot_armed armed; /* see store/boot_selection.h */
};

/* Runs a clone. *result is filled as far as the run went, even after a failure. The kind of an
 * error decides on the exit code. */
int clone_run(const struct clone_options *o, const struct events *events,
              struct clone_result *result, struct err *e) __attribute__((warn_unused_result));

#endif
