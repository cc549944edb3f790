/* SPDX-License-Identifier: MIT */
/* http_url: the parts of a URL, taken apart by libcurl's own parser, so that the checks here
 * and libcurl always agree. The caller frees the strings; NULL: not a URL, or no memory. */
#ifndef IHOP_READER_HTTP_URL_H
#define IHOP_READER_HTTP_URL_H

#include <stdbool.h>

/* Whether the parser refuses the URL, or its user or password has control characters; false also
 * when there was no memory to tell. */
bool http_url_is_malformed(const char *url);

/* The URL without what may be secret (user, password, query, fragment): for messages and for
 * the release. */
char *http_url_public(const char *url);

/* Whether the public form lacks something without which the server may not answer: a user, a
 * password or a query. */
bool http_url_has_private_part(const char *url);

/* Scheme, host and port of the URL. */
char *http_url_host(const char *url);

/* The URL without user and password, which go to *user and *password: NULL before, and after if
 * there is none. */
char *http_url_split(const char *url, char **user, char **password);

/* Whether both have the same scheme, host and port: secrets may be sent to the same origin
 * only. */
bool http_url_same_origin(const char *a, const char *b);

bool http_url_has_scheme(const char *url, const char *scheme);

#endif
