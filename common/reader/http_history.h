/* SPDX-License-Identifier: MIT */
/* http_history: what the HTTP reader remembers of a request from try to try. It is a part of
 * struct range_request, so that a request costs one allocation, the caller's. */
#ifndef IHOP_READER_HTTP_HISTORY_H
#define IHOP_READER_HTTP_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All zeros before the first try. */
struct http_history {
    uint64_t due_ms;    /* not to be sent before this time (io_now_ms); 0: at once */
    unsigned failures;  /* in a row */
    unsigned sent;      /* how often, for whatever reason, since the last progress */
    unsigned redirects; /* followed in a row */
    size_t progress_at; /* bytes received when the counting began */
    unsigned went_home; /* the reader's successes + 1 when the first address was asked again */
    bool crowded;       /* was turned away while other requests were under way */
    bool any_tag;       /* waited for a look at the header: its entity tag is taken as it is */
};

#endif
