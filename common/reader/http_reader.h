/* SPDX-License-Identifier: MIT */
/* http_reader: what http.c, which drives the transfers, and http_decide.c, which decides
 * what becomes of those that have ended, share. For these two alone.
 *
 * What sends a request again, for whatever reason, is bounded: failures by --retry, with
 * a growing pause; the others (redirects, a way back to the first address, another entity
 * tag, too many at a time) each by a count or flag of the request, which only progress
 * sets back; and all of them together by range_request.sent.
 */
#ifndef IHOP_READER_HTTP_READER_H
#define IHOP_READER_HTTP_READER_H

#include "base/limits.h"
#include "reader/etag_set.h"
#include "reader/http.h"
#include "reader/http_queue.h"
#include "reader/http_site.h"
#include "reader/http_transfer.h"
#include "reader/rate.h"
#include "reader/reader.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

struct http_reader {
    struct reader base;
    const struct http_settings *settings;
    CURLM *multi;
    struct http_site site;
    bool network_failed;                          /* some origin, since the last success */
    uint64_t retry_after_s;                       /* the shortest that one of them asked for */
    struct curl_slist *own_headers, *all_headers; /* for any host; for an origin */
    struct transfer transfers[LIMIT_CONNECTIONS];
    unsigned connections; /* at a time: as many as the user allows, or the server takes */
    struct http_queue queue;
    struct range_request *done;
    unsigned successes; /* ranges done so far */
    struct rate rate;
    uint64_t pause_ms; /* nothing is sent before: on the way back to the first address */

    /* Of the last note about a retry: one is enough for a pause that ranges share. */
    uint64_t noted_until_ms;
    unsigned noted_tries;

    struct etag_set etags;
    unsigned confirmed;          /* how often a new tag turned out to be no new archive */
    struct range_request canary; /* compares the header checksum again */
    uint8_t canary_bytes[64];
    bool canary_active;               /* nothing else is sent meanwhile */
    bool canary_waiting;              /* to be sent */
    char canary_etag[HTTP_ETAG_SIZE]; /* the one in question */
};

/* At the end of a response's header: -1 stops the transfer. user is the reader. */
int http_judge(void *user, struct transfer *t);

/* Decides on a transfer that has ended, whatever libcurl says of it: its request is done,
 * or goes back to the queue, or the reader has failed (-1). */
int http_decide(struct http_reader *h, struct transfer *t, CURLcode code, struct err *e)
    __attribute__((warn_unused_result));

#endif
