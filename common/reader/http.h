/* SPDX-License-Identifier: MIT */
/* http: the reader of an archive at a URL, with parallel requests, retries and mirrors. */
#ifndef IHOP_READER_HTTP_H
#define IHOP_READER_HTTP_H

#include "base/err.h"
#include "base/events.h"
#include "reader/reader.h"

#include <stddef.h>
#include <stdint.h>

/* How to speak with the servers. Strings and arrays are the caller's. */
struct http_settings {
    const char *const *mirrors; /* other URLs of the same archive */
    size_t mirror_count;
    const char *const *headers; /* "Name: value", for the hosts of URL and mirrors alone */
    size_t header_count;
    const char *cacert, *cert, *key, *proxy; /* NULL: libcurl's default */
    unsigned connections;                    /* at a time, up to LIMIT_CONNECTIONS */
    unsigned retries;                        /* of one range in a row */
    unsigned retry_delay_ms;                 /* before the first retry; doubles */
    unsigned connect_timeout_ms;
    unsigned timeout_ms;         /* with almost no bytes, until a request has failed */
    uint64_t limit_rate;         /* bytes a second; 0: no limit */
    const struct events *events; /* for notes */
};

/* Sends nothing yet. url and settings must outlive the reader. ERR_USAGE for a bad URL. */
struct reader *reader_open_http(const char *url, const struct http_settings *settings,
                                struct err *e) __attribute__((warn_unused_result));

#endif
