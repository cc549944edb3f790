/* SPDX-License-Identifier: MIT */
/* http_response: the header of one HTTP response, and whether it is an honest
 * answer to a request for one range (RFC 9110, section 14). Pure; the lines come
 * from the server and are untrusted. */
#ifndef IHOP_FETCH_HTTP_RESPONSE_H
#define IHOP_FETCH_HTTP_RESPONSE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_ETAG_SIZE 128

struct http_response {
    unsigned status;            /* 0 before a status line came */
    bool has_range;             /* a well-formed Content-Range */
    bool bad_range;             /* one that is not, or two */
    uint64_t start, end, total; /* end is inclusive */
    bool encoded;               /* a Content-Encoding other than identity */
    bool multipart;
    char etag[HTTP_ETAG_SIZE]; /* "" when there is none; cut when longer */
};

/* Takes one header line, with or without its line end. A status line begins a
 * new response: what an interim response (1xx) said is forgotten. */
void http_response_line(struct http_response *r, const char *line, size_t size);

/* Checks a 206 against the range asked for, start to start + size - 1, and the
 * archive's total size (0: not known yet). ERR_PROTOCOL when the server does not
 * keep to the rules or the archive has changed; ERR_ARCHIVE when the archive is
 * shorter than the range. */
int http_response_check(const struct http_response *r, uint64_t start, uint64_t size,
                        uint64_t known_total, struct err *e) __attribute__((warn_unused_result));

#endif
