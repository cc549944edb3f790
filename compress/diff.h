/* SPDX-License-Identifier: MIT */
/* diff: computes what an update from one image to another costs a device, so that a build of
 * images can fail when that is too much. A delta pack from the old image beside the archive is used
 * as a device uses it. One thread. */
#ifndef IHOP_COMPRESS_DIFF_H
#define IHOP_COMPRESS_DIFF_H

#include "base/err.h"
#include "base/events.h"
#include "compress/options.h"
#include "fetch/plan.h"
#include "format/delta_pack.h"

#include <stdbool.h>
#include <stdint.h>

struct diff_result {
    struct plan_cost cost; /* of obtaining the new image's chunks */
    uint64_t download;     /* bytes: the header and the ranges */
    uint64_t requests;

    bool has_pack; /* if so, the above is with the pack, and: */
    char *pack;    /* its name, owned */
    char from[DELTA_PACK_ID_DIGITS + 1];
    uint64_t pack_download; /* of download, bytes of the pack */
    uint64_t download_without, requests_without;
};

/* Compares o->old, an archive or a release in a store, with the new archive o->archive.
 * ERR_SPACE when the download exceeds o->max_download; *result is filled even then. The caller
 * calls diff_free in any case. */
int diff_run(const struct compress_options *o, const struct events *events,
             struct diff_result *result, struct err *e) __attribute__((warn_unused_result));
void diff_free(struct diff_result *result);

#endif
