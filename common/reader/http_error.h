/* SPDX-License-Identifier: MIT */
/* http_error: what a failed request means: the error kind, which decides on a retry
 * (ERR_NETWORK) and on the exit code, and the text, which says what can be done about it. All
 * functions fill e and return -1. */
#ifndef IHOP_READER_HTTP_ERROR_H
#define IHOP_READER_HTTP_ERROR_H

#include "base/err.h"
#include "reader/http_transfer.h"

#include <curl/curl.h>

/* Initializes libcurl, and watches its allocations: libcurl reports some other failures as
 * "out of memory", too. */
CURLcode http_error_init(void);

/* For an answer whose status is neither 206 nor a redirect. Sets e->retry_after_s. */
int http_error_status(const struct transfer *t, struct err *e);

/* For status 200, which is the whole file or something else in its place. */
int http_error_not_a_range(const struct http_response *r, struct err *e);

/* For a transfer without a complete answer, from libcurl's code. Makes the text in libcurl's
 * error buffer printable. */
int http_error_transport(struct transfer *t, CURLcode code, struct err *e);

#endif
