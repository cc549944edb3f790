/* SPDX-License-Identifier: MIT */
/* http_transfer: one request for a range on the wire, by a libcurl easy handle that
 * is used again and again. What its outcome means is decided in http.c. */
#ifndef IHOP_READER_HTTP_TRANSFER_H
#define IHOP_READER_HTTP_TRANSFER_H

#include "base/err.h"
#include "reader/http.h"
#include "reader/http_response.h"
#include "reader/rate.h"
#include "reader/reader.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

struct transfer {
    CURL *easy;              /* NULL: never used */
    struct range_request *q; /* NULL: idle */
    unsigned generation;     /* of the site, when it began */
    const char *url;         /* what was asked for; the site's, of that generation */
    unsigned beside;         /* how many transfers were allowed then */
    bool with_user;          /* a user and password were sent */
    struct http_response response;
    size_t header_bytes;  /* of all its headers, interim ones included */
    bool header_done;     /* the final one was judged */
    bool new_etag;        /* stopped, as the archive may have changed */
    struct err error;     /* of our own checks */
    uint64_t progress_ms; /* when the last bytes came */
    size_t body_bytes;    /* of the range, in this transfer */
    size_t discarded;     /* of a body that is not a range */
    char excerpt[512];    /* what that begins with */
    char curl_text[CURL_ERROR_SIZE];

    /* Called at the end of a response's header; -1 (with error or new_etag set)
     * stops the transfer before its body. */
    int (*judge)(void *user, struct transfer *t);
    void *user;
    struct reader_stats *stats;
    struct rate *rate; /* of all transfers together */
    bool paused;       /* by the rate */
};

/* Where to ask, and what to send along. */
struct transfer_target {
    const char *url, *user, *password;
    const struct curl_slist *headers;
    unsigned generation, beside;
};

/* Asks for what q lacks, which must be something. judge, user, stats and rate are set before.
 * ERR_MEMORY. */
int transfer_start(struct transfer *t, CURLM *multi, const struct http_settings *settings,
                   const struct transfer_target *target, struct range_request *q, struct err *e)
    __attribute__((warn_unused_result));

/* Goes on after a pause, which the transfer made itself. */
void transfer_resume(struct transfer *t);

/* Whether the whole range is there. */
bool transfer_is_complete(const struct transfer *t);

/* Whether nothing came for longer than the timeout, since it connected. libcurl's
 * own limit averages over seconds: after a fast beginning it finds a dead
 * connection late. */
bool transfer_has_stalled(struct transfer *t, unsigned timeout_ms);

/* Whether the range is complete, and for a second already, while the connection goes on:
 * an end that was announced and does not come. */
bool transfer_lingers(const struct transfer *t);

void transfer_free(struct transfer *t);

#endif
