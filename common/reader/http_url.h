/* SPDX-License-Identifier: MIT */
/* http_url: what must be told apart in a URL, by libcurl's own parser, so that
 * both always agree. All returned strings are allocated; NULL: not a URL. */
#ifndef IHOP_READER_HTTP_URL_H
#define IHOP_READER_HTTP_URL_H

#include <stdbool.h>

/* The URL without what may be secret (user info, query, fragment): for messages
 * and for the record. */
char *http_url_public(const char *url);

/* Whether that lacks something without which the server may not answer: user info or
 * a query. */
bool http_url_has_private_part(const char *url);

/* Scheme, host and port of it. */
char *http_url_host(const char *url);

/* The URL without user info, which goes to *user and *password (NULL: none). */
char *http_url_split(const char *url, char **user, char **password);

/* Whether both go to the same scheme, host and port: only then do secrets go
 * along. */
bool http_url_same_origin(const char *a, const char *b);

bool http_url_has_scheme(const char *url, const char *scheme);

#endif
