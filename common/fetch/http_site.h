/* SPDX-License-Identifier: MIT */
/* http_site: which URL to ask. The user names one or more origins (the archive's
 * URL and its mirrors); redirects lead from an origin elsewhere, failures to the
 * next origin. One thread. */
#ifndef IHOP_FETCH_HTTP_SITE_H
#define IHOP_FETCH_HTTP_SITE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct http_origin {
    char *url;             /* without user info */
    char *name;            /* without anything secret, for messages */
    char *user, *password; /* NULL: none */
};

struct http_site {
    struct http_origin *origins;
    size_t count, current;
    char *url;           /* where to ask: the origin's URL, or what it redirects to */
    unsigned generation; /* changes with url: what an older one answers is moot */
    bool fell_back;      /* since the last success */
    size_t failed;       /* origins in a row, likewise */
};

/* ERR_USAGE for a URL that is neither http nor https. */
int http_site_init(struct http_site *s, const char *url, const char *const *mirrors,
                   size_t mirror_count, struct err *e) __attribute__((warn_unused_result));
void http_site_free(struct http_site *s);

static inline const struct http_origin *http_site_origin(const struct http_site *s)
{
    return &s->origins[s->current];
}

/* Whether url is at the origin itself: only there may secrets go. */
bool http_site_is_home(const struct http_site *s);

/* Follows a redirect. ERR_PROTOCOL for a target that is not http or https, or that
 * leads from https to http. */
int http_site_redirect(struct http_site *s, const char *target, struct err *e)
    __attribute__((warn_unused_result));

/* Returns to the origin's own URL, once, when a redirect's target is refused: it
 * may have expired, as signed URLs do. 1, or 0 when there is nothing to return to,
 * or -1 (ERR_MEMORY). */
int http_site_fall_back(struct http_site *s, struct err *e) __attribute__((warn_unused_result));

/* Moves to the next origin: 1, or 0 when all have failed since the last success,
 * or -1 (ERR_MEMORY). */
int http_site_next(struct http_site *s, struct err *e) __attribute__((warn_unused_result));

/* Tells that a request has been answered in full. */
void http_site_succeeded(struct http_site *s);

#endif
