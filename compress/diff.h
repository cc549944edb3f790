/* SPDX-License-Identifier: MIT */
/* diff: what an update from one image to another costs a device: a gate for those
 * who build images. */
#ifndef IHOP_COMPRESS_DIFF_H
#define IHOP_COMPRESS_DIFF_H

#include "base/err.h"
#include "compress/options.h"
#include "fetch/plan.h"

#include <stddef.h>
#include <stdint.h>

struct diff_result {
    struct plan_cost cost; /* of the new image's chunks */
    uint64_t download;     /* bytes: the header and the ranges */
    uint64_t requests;
};

/* o->old is an archive or a release in a store, o->archive the new archive. ERR_SPACE
 * when the download is over o->max_download; *result is filled then. */
int diff_run(const struct compress_options *o, struct diff_result *result, struct err *e)
    __attribute__((warn_unused_result));

#endif
