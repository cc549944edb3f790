/* SPDX-License-Identifier: MIT */
#include "fetch/http_site.h"

#include "base/cleanup.h"
#include "fetch/http_url.h"

#include <string.h>

static int origin_init(struct http_origin *o, const char *url, struct err *e)
{
    o->name = http_url_public(url);
    if (!o->name || (!http_url_has_scheme(url, "http") && !http_url_has_scheme(url, "https")))
        return err_set(e, ERR_USAGE,
                       "%s is not a URL that can be read: use http:// or https://, or the path of "
                       "a local file",
                       o->name ? o->name : "the archive");
    o->url = http_url_split(url, &o->user, &o->password);
    return o->url ? 0 : err_nomem(e, "reading the URL");
}

/* Asks at url from now on. */
static int go_to(struct http_site *s, const char *url, struct err *e)
{
    char *copy = strdup(url);

    if (!copy)
        return err_nomem(e, "following a redirect");
    free(s->url);
    s->url = copy;
    s->generation++;
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

int http_site_fall_back(struct http_site *s, struct err *e)
{
    const char *home = http_site_origin(s)->url;

    if (s->fell_back || strcmp(s->url, home) == 0)
        return 0;
    s->fell_back = true;
    return go_to(s, home, e) < 0 ? -1 : 1;
}

int http_site_next(struct http_site *s, struct err *e)
{
    if (++s->failed >= s->count)
        return 0;
    s->current = (s->current + 1) % s->count;
    s->fell_back = false;
    return go_to(s, http_site_origin(s)->url, e) < 0 ? -1 : 1;
}

void http_site_succeeded(struct http_site *s)
{
    s->fell_back = false;
    s->failed = 0;
}
