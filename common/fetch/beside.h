/* SPDX-License-Identifier: MIT */
/* beside: files that lie beside an archive and are called like it with something appended: its
 * signatures, delta packs.
 *
 * They are read as the archive is (proxy, headers, certificates, limits), but from the one address
 * that is named: mirrors of the archive need not have them. What they cost counts as the archive's.
 * The thread that drives the archive's reader drives theirs.
 */
#ifndef IHOP_FETCH_BESIDE_H
#define IHOP_FETCH_BESIDE_H

#include "base/err.h"
#include "reader/http.h"
#include "reader/reader.h"

struct beside {
    struct reader *reader; /* of the file */
    /* The rest is of beside.c. */
    struct reader *archive;
    struct http_settings settings; /* the reader points here */
    char *address;
    struct reader_stats counted; /* what the archive's reader has of it already */
};

/* The address of the file beside an archive: the suffix comes before a query. The caller frees it;
 * NULL: no memory. */
char *beside_address(const char *archive, const char *suffix);

/* Opens the file beside location, which is the archive's address or that of a mirror; with suffix
 * NULL the file at location itself. settings: the archive's, or those for such a location when the
 * archive is a file; NULL when location is a file, too. Nothing is sent yet. *b must stay where it
 * is until it is closed. Kinds as of reader_open; then there is nothing to close. */
int beside_open(struct beside *b, struct reader *archive, const struct http_settings *settings,
                const char *location, const char *suffix, struct err *e)
    __attribute__((warn_unused_result));

/* Counts what was read since the last call as the archive's. */
void beside_count(struct beside *b);

/* Counts and closes; does nothing when it is not open. */
void beside_close(struct beside *b);

#endif
