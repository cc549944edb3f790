/* SPDX-License-Identifier: MIT */
/* http_site: which URL to ask. The user names one or more origins: the archive's URL and its
 * mirrors. A redirect leads from an origin to another address, and failures lead to the next
 * origin. For one thread. */
#ifndef IHOP_READER_HTTP_SITE_H
#define IHOP_READER_HTTP_SITE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_origin {
    char *url;             /* without user info */
    char *name;            /* for messages: nothing secret in it */
    char *user, *password; /* NULL: none */
};

/* A host that has asked to be left alone for a while. */
struct http_hold {
    char *url;         /* any URL on that host; NULL: the entry is free */
    uint64_t until_ms; /* by io_now_ms */
};

#define HTTP_HOLDS 8 /* at a time; with more, the one that ends first is forgotten */

struct http_site {
    struct http_origin *origins;
    size_t count, current;
    char *url;           /* where to ask: the origin's URL, or what it redirects to */
    unsigned generation; /* changes with url: tells the answers of an older one */
    size_t failed;       /* origins in a row that failed, since the last success */
    struct http_hold holds[HTTP_HOLDS];
    uint64_t held_ms; /* nothing may be asked of url's host before; 0: it may */
};

/* ERR_USAGE for what is no URL, or is neither http nor https; ERR_MEMORY. To be freed in any
 * case. */
int http_site_init(struct http_site *s, const char *url, const char *const *mirrors,
                   size_t mirror_count, struct err *e) __attribute__((warn_unused_result));
void http_site_free(struct http_site *s);

static inline const struct http_origin *http_site_origin(const struct http_site *s)
{
    return &s->origins[s->current];
}

/* Whether url is on the host of the origin itself: only there may secrets be sent. */
bool http_site_is_home(const struct http_site *s);

/* Follows a redirect. ERR_PROTOCOL for a target that is neither http nor https, or that leads
 * from https to http; ERR_MEMORY. */
int http_site_redirect(struct http_site *s, const char *target, struct err *e)
    __attribute__((warn_unused_result));

/* Whether a redirect led to url: it is not the URL that the user named. */
bool http_site_is_redirected(const struct http_site *s);

/* Scheme, host and port of url, for messages. The caller frees it; NULL: no memory. */
char *http_site_host(const struct http_site *s);

/* Returns to the origin's own URL, which may redirect to another place. ERR_MEMORY. */
int http_site_go_home(struct http_site *s, struct err *e) __attribute__((warn_unused_result));

/* Nothing is to be asked of url's host before this time (io_now_ms), by whatever address.
 * ERR_MEMORY. */
int http_site_hold(struct http_site *s, uint64_t until_ms, struct err *e)
    __attribute__((warn_unused_result));

/* The present origin has failed: moves to the next one. 1, or 0 when all have failed since
 * the last success, or -1 (ERR_MEMORY). */
int http_site_next(struct http_site *s, struct err *e) __attribute__((warn_unused_result));

/* A request was answered in full. */
void http_site_succeeded(struct http_site *s);

#endif
