/* SPDX-License-Identifier: MIT */
/* http_error: what a failed request means: its error kind, which decides on a
 * retry (ERR_NETWORK) and on the exit code, and what a person can do about it. */
#ifndef IHOP_READER_HTTP_ERROR_H
#define IHOP_READER_HTTP_ERROR_H

#include "base/err.h"
#include "reader/http_transfer.h"

#include <curl/curl.h>

/* Initializes libcurl, so that what it calls out of memory can be told from memory that
 * really was short. */
CURLcode http_error_init(void);

/* From the answer of t, whose status is neither 206 nor a redirect. Sets retry_after_s. */
int http_error_status(const struct transfer *t, struct err *e);

/* From a status 200: the whole file, or something else in its place. */
int http_error_not_a_range(const struct http_response *r, struct err *e);

/* From what libcurl says of a transfer without a whole answer; its error buffer is made
 * printable here. */
int http_error_transport(struct transfer *t, CURLcode code, struct err *e);

#endif
