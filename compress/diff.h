/* SPDX-License-Identifier: MIT */
/* diff: computes what an update from one image to another costs a device, so that a build of
 * images can fail when that is too much. One thread. */
#ifndef IHOP_COMPRESS_DIFF_H
#define IHOP_COMPRESS_DIFF_H

#include "base/err.h"
#include "compress/options.h"
#include "fetch/plan.h"

#include <stdint.h>

struct diff_result {
    struct plan_cost cost; /* of obtaining the new image's chunks */
    uint64_t download;     /* bytes: the header and the ranges */
    uint64_t requests;
};

/* Compares o->old, an archive or a release in a store, with the new archive o->archive.
 * ERR_SPACE when the download exceeds o->max_download; *result is filled even then. */
int diff_run(const struct compress_options *o, struct diff_result *result, struct err *e)
    __attribute__((warn_unused_result));

#endif
