/* SPDX-License-Identifier: MIT */
/* delta_source: a delta pack that was opened: its dictionary, its reader, and the old release that
 * its deltas are against.
 *
 * A pack is used in steps. It is opened, beside an archive or as what the user named; its beginning
 * is read; the old image is found (find_pack.h) and put into old; the header of the archive is
 * made, if the pack has a patch that fits; and once the image is known, the list is taken. Then the
 * source is ready, does not change any more, and threads may share it, but for its reader.
 *
 * Nothing in a pack is trusted. Errors name the pack, and have the kinds of its reader, or are
 * ERR_ARCHIVE (what it says is invalid, or for another archive) or ERR_MEMORY.
 */
#ifndef IHOP_FETCH_DELTA_SOURCE_H
#define IHOP_FETCH_DELTA_SOURCE_H

#include "base/err.h"
#include "fetch/beside.h"
#include "format/delta_list.h"
#include "format/delta_pack.h"
#include "format/image.h"
#include "reader/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The first request for a pack has so many bytes: no pack is smaller, and it tells the size. */
#define DELTA_SOURCE_FIRST_BYTES 128

struct delta_source {
    struct reader *reader; /* of the pack; NULL: there is none */
    bool alone;            /* the user gave the pack in place of the archive */
    struct beside beside;  /* what has the reader, unless alone */
    uint8_t first[DELTA_SOURCE_FIRST_BYTES];
    uint8_t *head; /* all bytes before the deltas; pack points there */
    struct delta_pack pack;
    struct image old;       /* of the bases; owned */
    struct delta_list list; /* when ready */
    bool ready;
    uint64_t
        header_saved; /* bytes of the archive's header that were not read, thanks to the pack */
};

/* Reads the first bytes. *is_pack: whether they begin a pack. */
int delta_source_probe(struct delta_source *s, bool *is_pack, struct err *e)
    __attribute__((warn_unused_result));

/* Reads and parses all that comes before the deltas, if that is at most this many bytes. */
int delta_source_read(struct delta_source *s, uint64_t most, struct err *e)
    __attribute__((warn_unused_result));

/* Whether old has the image that the pack's deltas are against. */
bool delta_source_is_against(const struct delta_source *s, const struct image *old);

/* Makes the header of the archive. ERR_ARCHIVE, too, when the pack has no patch, or one for another
 * table than old's. The caller frees *header, which has pack.header_size bytes. */
int delta_source_make_header(const struct delta_source *s, uint8_t **header, struct err *e)
    __attribute__((warn_unused_result));

/* Counts the deltas, when the image is not known. */
int delta_source_count(const struct delta_source *s, struct delta_counts *counts, struct err *e)
    __attribute__((warn_unused_result));

/* Decodes the list for this image, whose archive must be the pack's. */
int delta_source_take_list(struct delta_source *s, const struct image *image, struct err *e)
    __attribute__((warn_unused_result));

/* Frees everything; a pack that is alone keeps its reader. */
void delta_source_close(struct delta_source *s);

#endif
