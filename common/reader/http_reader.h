/* SPDX-License-Identifier: MIT */
/* http_reader: the state that http.c, which drives the transfers, and http_decide.c, which
 * decides what becomes of those that have ended, share. For these two alone.
 *
 * Each cause to send a request again is bounded. Failures are bounded by --retry, with a
 * growing pause. The other causes (redirects, going back to the first address, another
 * entity tag, too many requests at a time) are each bounded by a count or flag in the
 * request's history, which only progress sets back. All of them together are bounded by
 * http_history.sent.
 */
#ifndef IHOP_READER_HTTP_READER_H
#define IHOP_READER_HTTP_READER_H

#include "base/limits.h"
#include "reader/http.h"
#include "reader/http_queue.h"
#include "reader/http_site.h"
#include "reader/http_transfer.h"
#include "reader/rate.h"
#include "reader/reader.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

/* The request that reads the header checksum again, to see whether all answers still come
 * from the same archive. Until it is answered, nothing else is sent: what came in the
 * meantime could belong to another archive. */
struct http_probe {
    struct range_request request;
    uint8_t bytes[IDENTITY_CHECKSUM_SIZE];
    bool active;
    bool waiting;                /* to be sent */
    char tag[IDENTITY_TAG_SIZE]; /* the entity tag that raised the doubt, or "" */
};

struct http_reader {
    struct reader base;
    CURLM *multi;
    struct http_site site;
    bool network_failed;            /* for some origin, since the last success */
    uint64_t retry_after_s;         /* the shortest pause that an origin asked for; 0: none */
    struct curl_slist *own_headers; /* for any host */
    struct curl_slist *all_headers; /* for an origin: the user's, too */
    struct transfer transfers[LIMIT_CONNECTIONS];
    unsigned connections; /* at a time: as many as the user allows and the server takes */
    struct http_queue queue;
    struct range_request *done; /* to be handed back, linked by next */
    unsigned successes;         /* ranges completed so far */
    struct rate rate;
    uint64_t pause_ms; /* nothing is sent before this time, after a redirect or the way back */

    /* The last note about a retry: one is enough for a pause that several ranges share. */
    uint64_t noted_until_ms;
    unsigned noted_failures;

    struct http_probe probe;
};

/* Looks at a response when its header is complete: -1 stops the transfer before its body.
 * user is the reader. */
int http_judge(void *user, struct transfer *t);

/* Decides on a transfer that has ended with libcurl's code: its request is done, or goes
 * back to the queue, or the reader has failed (-1). */
int http_decide(struct http_reader *h, struct transfer *t, CURLcode code, struct err *e)
    __attribute__((warn_unused_result));

#endif
