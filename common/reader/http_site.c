/* SPDX-License-Identifier: MIT */
#include "reader/http_site.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "reader/http_url.h"

#include <string.h>

/* The message does not repeat the URL, which may have secrets anywhere. */
static int bad_url(const char *url, const char *name, struct err *e)
{
    for (const char *c = url; !name && *c; c++)
        if ((unsigned char)*c <= ' ' || *c == '\x7f')
            return err_set(e, ERR_USAGE,
                           "the archive's address is not a valid URL: it has %s (write a space as "
                           "%%20)",
                           *c == ' ' ? "a space" : "a line end or another control character");
    return err_set(e, ERR_USAGE,
                   "%s is not a URL that can be read: use http:// or https://, or the path of "
                   "a local file",
                   name ? name : "the archive");
}

static int origin_init(struct http_origin *o, const char *url, struct err *e)
{
    o->name = http_url_public(url);
    o->url = http_url_split(url, &o->user, &o->password);
    if ((!o->name || !o->url) && !http_url_is_malformed(url))
        return err_nomem(e, "reading the URL");
    if (o->name && !o->url)
        return err_set(e, ERR_USAGE, "%s: the URL's user or password has a control character",
                       o->name);
    if (!o->url || (!http_url_has_scheme(url, "http") && !http_url_has_scheme(url, "https")))
        return bad_url(url, o->name, e);
    return 0;
}

/* The hold on url's host, or NULL. */
static struct http_hold *find_hold(struct http_site *s, const char *url)
{
    for (size_t i = 0; i < HTTP_HOLDS; i++)
        if (s->holds[i].url && http_url_same_origin(s->holds[i].url, url))
            return &s->holds[i];
    return NULL;
}

/* Asks at url from now on. */
static int go_to(struct http_site *s, const char *url, struct err *e)
{
    char *copy = strdup(url);
    const struct http_hold *hold;

    if (!copy)
        return err_nomem(e, "following a redirect");
    free(s->url);
    s->url = copy;
    s->generation++;
    hold = find_hold(s, url);
    s->held_ms = hold ? hold->until_ms : 0;
    return 0;
}

int http_site_init(struct http_site *s, const char *url, const char *const *mirrors,
                   size_t mirror_count, struct err *e)
{
    *s = (struct http_site){.origins = calloc(mirror_count + 1, sizeof *s->origins)};
    if (!s->origins)
        return err_nomem(e, "reading the URL");
    for (; s->count < mirror_count + 1; s->count++) {
        const char *next = s->count == 0 ? url : mirrors[s->count - 1];

        if (origin_init(&s->origins[s->count], next, e) < 0) {
            s->count++; /* half filled: to be freed */
            return -1;
        }
    }
    return go_to(s, s->origins[0].url, e);
}

void http_site_free(struct http_site *s)
{
    for (size_t i = 0; i < s->count; i++) {
        free(s->origins[i].url);
        free(s->origins[i].name);
        free(s->origins[i].user);
        free(s->origins[i].password);
    }
    for (size_t i = 0; i < HTTP_HOLDS; i++)
        free(s->holds[i].url);
    free(s->origins);
    free(s->url);
    *s = (struct http_site){0};
}

bool http_site_is_home(const struct http_site *s)
{
    return http_url_same_origin(http_site_origin(s)->url, s->url);
}

int http_site_redirect(struct http_site *s, const char *target, struct err *e)
{
    CLEANUP_FREE char *public = http_url_public(target);

    if (!public)
        return err_set(e, ERR_PROTOCOL, "the server redirects to what is no URL");
    if (!http_url_has_scheme(target, "https") && !http_url_has_scheme(target, "http"))
        return err_set(e, ERR_PROTOCOL,
                       "the server redirects to %s, which is neither http nor https: refused",
                       public);
    if (http_url_has_scheme(s->url, "https") && !http_url_has_scheme(target, "https"))
        return err_set(e, ERR_PROTOCOL, "the server redirects from https to %s: refused", public);
    return go_to(s, target, e);
}

bool http_site_is_redirected(const struct http_site *s)
{
    return strcmp(s->url, http_site_origin(s)->url) != 0;
}

char *http_site_host(const struct http_site *s)
{
    return http_url_host(s->url);
}

int http_site_go_home(struct http_site *s, struct err *e)
{
    return go_to(s, http_site_origin(s)->url, e);
}

/* A free one, or the one that ends first. */
static struct http_hold *oldest_hold(struct http_site *s)
{
    struct http_hold *oldest = &s->holds[0];

    for (size_t i = 0; i < HTTP_HOLDS && oldest->url; i++)
        if (!s->holds[i].url || s->holds[i].until_ms < oldest->until_ms)
            oldest = &s->holds[i];
    return oldest;
}

int http_site_hold(struct http_site *s, uint64_t until_ms, struct err *e)
{
    struct http_hold *hold = find_hold(s, s->url);

    if (!hold) {
        hold = oldest_hold(s);
        free(hold->url);
        *hold = (struct http_hold){.url = strdup(s->url)};
        if (!hold->url)
            return err_nomem(e, "downloading");
    }
    hold->until_ms = s->held_ms = max_u64(hold->until_ms, until_ms);
    return 0;
}

int http_site_next(struct http_site *s, struct err *e)
{
    if (++s->failed >= s->count)
        return 0;
    s->current = (s->current + 1) % s->count;
    return go_to(s, http_site_origin(s)->url, e) < 0 ? -1 : 1;
}

void http_site_succeeded(struct http_site *s)
{
    s->failed = 0;
}
