/* SPDX-License-Identifier: MIT */
/* http_transfer: one request for a range on the wire, by a libcurl easy handle that is used
 * again and again. http_decide.c decides what its outcome means. For one thread. */
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
    const char *url;         /* the site's, of that generation: valid as long as that is */
    unsigned beside;         /* how many transfers were allowed at a time then */
    bool with_user;          /* a user and password were sent */
    struct http_response response;
    size_t header_bytes;  /* of all its headers, interim ones included */
    bool header_done;     /* the final header is complete, and was judged */
    bool new_etag;        /* stopped because the archive may have changed */
    struct err error;     /* what a check of ours, not libcurl, found wrong */
    uint64_t progress_ms; /* when the last bytes came */
    size_t body_bytes;    /* of the range, that came in this transfer */
    size_t discarded;     /* bytes of a body that is not a range */
    char excerpt[512];    /* the beginning of such a body */
    char curl_text[CURL_ERROR_SIZE];

    /* Called at the end of a response's header; -1 (with error or new_etag set)
     * stops the transfer before its body. */
    int (*judge)(void *user, struct transfer *t);
    void *user;
    struct reader_stats *stats;
    struct rate *rate; /* that all transfers share */
    bool paused;       /* because of the rate */
};

/* Where to ask, and what to send along. */
struct transfer_target {
    const char *url, *user, *password;
    const struct curl_slist *headers;
    unsigned generation, beside;
};

/* Asks for the bytes that q lacks, of which there must be some. The caller has set judge,
 * user, stats and rate. ERR_MEMORY; ERR_IO when libcurl refuses a setting. */
int transfer_start(struct transfer *t, CURLM *multi, const struct http_settings *settings,
                   const struct transfer_target *target, struct range_request *q, struct err *e)
    __attribute__((warn_unused_result));

/* Goes on after a pause that the transfer made because of the rate. */
void transfer_resume(struct transfer *t);

/* Whether all bytes of the range are there. */
bool transfer_is_complete(const struct transfer *t);

/* Whether nothing came for longer than the timeout since the connection was made. libcurl's
 * own limit is an average over seconds, so after a fast beginning it notices a dead connection
 * late. */
bool transfer_has_stalled(struct transfer *t, unsigned timeout_ms);

/* Whether the range has been complete for a second and the transfer still goes on: the
 * server has announced an end of the body that does not come. */
bool transfer_lingers(const struct transfer *t);

void transfer_free(struct transfer *t);

#endif
