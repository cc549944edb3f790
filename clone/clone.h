/* SPDX-License-Identifier: MIT */
/* clone: from an archive to a published release; the order of things. */
#ifndef IHOP_CLONE_CLONE_H
#define IHOP_CLONE_CLONE_H

#include "base/err.h"
#include "clone/options.h"
#include "fetch/obtain.h"
#include "base/events.h"

#include <stdbool.h>
#include <stdint.h>

enum clone_outcome {
    CLONE_PUBLISHED, /* a new or replaced release */
    CLONE_COMPLETE,  /* it was there, with all its chunks */
    CLONE_RESTORED,  /* it was there; missing chunks were fetched */
    CLONE_ESTIMATED, /* --dry-run */
};

struct clone_result {
    enum clone_outcome outcome;
    struct plan_cost cost;
    size_t damaged; /* chunks that were there, but wrong */
    uint64_t image_size;
    char header_checksum[CHUNK_HASH_HEX];
    char source_checksum[CHUNK_HASH_HEX];
    uint64_t downloaded; /* bytes of bodies */
    uint64_t written;    /* bytes of chunk data */
    uint64_t requests, retries;
};

/* Errors have the kind that decides on the exit code. *result is filled as far
 * as things went. */
int clone_run(const struct clone_options *o, const struct events *events,
              struct clone_result *result, struct err *e) __attribute__((warn_unused_result));

#endif
