/* SPDX-License-Identifier: MIT */
/* http_error: what a failed request means: its error kind, which decides on a
 * retry (ERR_NETWORK) and on the exit code, and what a person can do about it. */
#ifndef IHOP_FETCH_HTTP_ERROR_H
#define IHOP_FETCH_HTTP_ERROR_H

#include "base/err.h"

#include <curl/curl.h>

/* From an HTTP status that is neither 2xx nor a redirect; returns -1. */
int http_error_status(unsigned status, struct err *e);

/* From what libcurl says of a transfer without a whole answer; returns -1. detail
 * is its error buffer, made printable here. */
int http_error_transport(CURL *easy, CURLcode code, char *detail, struct err *e);

#endif
