/* SPDX-License-Identifier: MIT */
/* http_response: the header of one HTTP response, and whether it is an honest answer to a
 * request for one range (RFC 9110, section 14). Pure; the lines come from the server and are
 * untrusted.
 *
 * The lines are split here although libcurl can do that (curl_easy_header). libcurl can be
 * built without that function, as PTXdist does for devices, and then no answer would have
 * a Content-Range. And the time that it takes grows with the square of the number of lines: with
 * 96 KiB of short ones, a server would keep a device busy for seconds. */
#ifndef IHOP_READER_HTTP_RESPONSE_H
#define IHOP_READER_HTTP_RESPONSE_H

#include "base/err.h"
#include "reader/identity.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define HTTP_WORD_SIZE 32 /* of a word that a message repeats; longer ones are cut */
#define HTTP_DATE_SIZE 64

struct http_response {
    unsigned status;            /* 0 before a status line came */
    bool has_range;             /* there is a Content-Range, */
    bool bad_range;             /* or one that is not, or more than one */
    uint64_t start, end, total; /* end is inclusive */
    bool has_length, bad_length;
    uint64_t length; /* Content-Length; if there are several, the smallest */
    bool chunked;    /* or another Transfer-Encoding: then no length counts */
    bool multipart;
    bool html;                        /* a page for people */
    char encoding[HTTP_WORD_SIZE];    /* the first Content-Encoding that changes bytes, or "" */
    bool offers_basic;                /* WWW-Authenticate names Basic */
    char challenge[HTTP_WORD_SIZE];   /* the first other scheme that it names, or "" */
    char etag[IDENTITY_TAG_SIZE];     /* "": none; cut when longer */
    char retry_after[HTTP_DATE_SIZE]; /* as it came; "": none */
    char date[HTTP_DATE_SIZE];
};

/* Takes one header line, with or without its line end. A status line begins a new response,
 * so what an interim response (1xx) said is forgotten. */
void http_response_line(struct http_response *r, const char *line, size_t size);

/* Checks a 206 against the range that was asked for, start to start + size - 1, and the
 * archive's total size (0: not known yet). ERR_PROTOCOL when the server does not keep to the
 * rules or the archive has changed; ERR_ARCHIVE when the archive ends before the range. */
int http_response_check(const struct http_response *r, uint64_t start, uint64_t size,
                        uint64_t known_total, struct err *e) __attribute__((warn_unused_result));

/* The seconds for which the server wants to be left alone (Retry-After), at most
 * HTTP_RETRY_AFTER_CAP; 0 when it does not say, or says what makes no sense. A date is
 * compared with the Date of the same answer. If there is none, it is compared with now, the
 * device's clock, and believed if that is less than a day earlier: the clock may be wrong by
 * decades. */
#define HTTP_RETRY_AFTER_CAP UINT64_C(2147483647)
uint64_t http_response_retry_after(const struct http_response *r, time_t now);

#endif
