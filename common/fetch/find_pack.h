/* SPDX-License-Identifier: MIT */
/* find_pack: finds the delta pack that makes an archive's image out of a release of the store, and
 * reads the header of the archive with its help.
 *
 * A pack lies beside the archive and is called after the old image (delta_pack.h). The store's
 * releases are asked for in this order: the one that is to be replaced, then the others, the newest
 * first, each image once and FIND_PACK_PROBES at most. That there is none is ordinary.
 *
 * A pack that cannot be used is no failure, but a note: the archive has everything. The thread that
 * calls must be the one that drives the archive's reader.
 */
#ifndef IHOP_FETCH_FIND_PACK_H
#define IHOP_FETCH_FIND_PACK_H

#include "base/err.h"
#include "base/events.h"
#include "fetch/archive_header.h"
#include "fetch/delta_source.h"
#include "fetch/trust.h"
#include "format/image.h"
#include "reader/http.h"
#include "reader/reader.h"
#include "store/store.h"

#include <stdbool.h>

#define FIND_PACK_PROBES 3

struct pack_wanted {
    const struct store *store; /* open for reading; for find_pack_at it may be NULL */
    const char *release;       /* the name that the new release will have */
    struct reader *archive;    /* whose first bytes were read */
    const struct archive_header_start *start;
    const struct http_settings *settings;
    const struct events *events;
};

/* Looks beside the archive. Afterwards s->reader is NULL when nothing was found that can be used.
 * ERR_MEMORY. */
int find_pack(const struct pack_wanted *w, struct delta_source *s, struct err *e)
    __attribute__((warn_unused_result));

/* Looks beside the archive for the pack from this image alone, which moves to s->old when there is
 * one. The store is not needed. */
int find_pack_from(const struct pack_wanted *w, struct image *old, struct delta_source *s,
                   struct err *e) __attribute__((warn_unused_result));

/* Takes the pack at this address or path. One that cannot be read is an error, with the kinds of
 * the reader or ERR_ARCHIVE. One for another archive, or against an image that no release of the
 * store has, is not used. */
int find_pack_at(const struct pack_wanted *w, const char *location, struct delta_source *s,
                 struct err *e) __attribute__((warn_unused_result));

/* Loads the release of the store whose image the pack's deltas are against into s->old. *found is
 * false when there is none, or no store. ERR_IO, ERR_MEMORY. */
int find_pack_base(const struct store *store, struct delta_source *s, bool *found, struct err *e)
    __attribute__((warn_unused_result));

/* archive_header_read with the pack in s, of which s->reader is NULL afterwards if it turned out to
 * be for another archive or to be invalid. */
int find_pack_read_header(const struct pack_wanted *w, struct delta_source *s,
                          const struct trust *trust, struct image *image, struct err *e)
    __attribute__((warn_unused_result));

#endif
