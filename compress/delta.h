/* SPDX-License-Identifier: MIT */
/* delta: makes packs beside an archive, ARCHIVE.from-ID for each old image (format/delta_pack.h).
 *
 * One thread calls; threads are started and joined inside. Sizes are in bytes.
 */
#ifndef IHOP_COMPRESS_DELTA_H
#define IHOP_COMPRESS_DELTA_H

#include "base/err.h"
#include "base/events.h"
#include "compress/delta_work.h"
#include "compress/options.h"
#include "format/delta_list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What became of one old image. */
struct delta_result {
    const char *old;                 /* as given; borrowed */
    char *path;                      /* of the pack; owned */
    bool same;                       /* as one before it: there is no second pack */
    bool pays;                       /* if not, it was not written */
    bool guessed;                    /* that it does not pay, from a part of the chunks */
    bool has_patch;                  /* of the header */
    uint64_t size;                   /* of the pack */
    uint64_t update, update_without; /* bytes that a device downloads: with it and without */
    struct delta_counts counts;
};

struct delta_results {
    struct delta_result *items;
    size_t count;
};
void delta_results_free(struct delta_results *r);

struct delta_events {
    /* Called by any thread, one call at a time. */
    void (*reading)(void *user, uint64_t bytes_done, uint64_t bytes_total);
    void (*encoding)(void *user, const struct delta_progress *done);
    void (*writing)(void *user);
    const struct events *notes;
    void *user;
};

/* Before there is work to lose: reads the headers of all old images, and looks whether the packs
 * may be written. ERR_OTHER_IMAGE when one exists and is not to be replaced; and the kinds of
 * old_image_open. */
int delta_check(const struct compress_options *o, struct err *e)
    __attribute__((warn_unused_result));

/* Makes the packs of o->delta_from, in their order, for o->archive, which exists. ERR_USAGE when
 * one of them would not pay; the others were made then. *results is filled up to what was done,
 * even after a failure. */
int delta_run(const struct compress_options *o, const struct delta_events *events,
              struct delta_results *results, struct err *e) __attribute__((warn_unused_result));

#endif
