/* SPDX-License-Identifier: MIT */
#include "reader/http_url.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

static const CURLUPart private_parts[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS,
                                          CURLUPART_QUERY, CURLUPART_FRAGMENT};

/* The URL without its private parts and, with path, without its path. */
static char *url_without(const char *url, bool path)
{
    CURLU *u = curl_url();
    char *text = NULL, *copy = NULL;

    if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
        for (size_t i = 0; i < sizeof private_parts / sizeof *private_parts; i++)
            curl_url_set(u, private_parts[i], NULL, 0);
        if (path)
            curl_url_set(u, CURLUPART_PATH, NULL, 0);
        if (curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK)
            copy = strdup(text);
    }
    curl_free(text);
    curl_url_cleanup(u);
    return copy;
}

static bool decodes(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    CURLUcode result = curl_url_get(u, part, &text, CURLU_URLDECODE);

    curl_free(text);
    return result != CURLUE_URLDECODE;
}

bool http_url_is_malformed(const char *url)
{
    CURLU *u = curl_url();
    CURLUcode result = u ? curl_url_set(u, CURLUPART_URL, url, 0) : CURLUE_OUT_OF_MEMORY;
    bool malformed = result != CURLUE_OK && result != CURLUE_OUT_OF_MEMORY;

    if (result == CURLUE_OK)
        malformed = !decodes(u, CURLUPART_USER) || !decodes(u, CURLUPART_PASSWORD);
    curl_url_cleanup(u);
    return malformed;
}

char *http_url_public(const char *url)
{
    return url_without(url, false);
}

char *http_url_host(const char *url)
{
    char *host = url_without(url, true);
    size_t n = host ? strlen(host) : 0;

    if (n > 0 && host[n - 1] == '/')
        host[n - 1] = '\0';
    return host;
}

static bool has_part(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(u, part, &text, 0) == CURLUE_OK && *text;

    curl_free(text);
    return has;
}

bool http_url_has_private_part(const char *url)
{
    CURLU *u = curl_url();
    bool has = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
               (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD) ||
                has_part(u, CURLUPART_QUERY));

    curl_url_cleanup(u);
    return has;
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart part, unsigned flags)
{
    char *x = NULL, *y = NULL;
    bool same = curl_url_get(a, part, &x, flags) == CURLUE_OK &&
                curl_url_get(b, part, &y, flags) == CURLUE_OK && strcasecmp(x, y) == 0;

    curl_free(x);
    curl_free(y);
    return same;
}

bool http_url_same_origin(const char *a, const char *b)
{
    CURLU *u = curl_url(), *v = curl_url();
    bool same = u && v && curl_url_set(u, CURLUPART_URL, a, 0) == CURLUE_OK &&
                curl_url_set(v, CURLUPART_URL, b, 0) == CURLUE_OK &&
                same_part(u, v, CURLUPART_SCHEME, 0) && same_part(u, v, CURLUPART_HOST, 0) &&
                same_part(u, v, CURLUPART_PORT, CURLU_DEFAULT_PORT);

    curl_url_cleanup(u);
    curl_url_cleanup(v);
    return same;
}

bool http_url_has_scheme(const char *url, const char *scheme)
{
    size_t n = strlen(scheme);

    return strncasecmp(url, scheme, n) == 0 && strncmp(url + n, "://", 3) == 0;
}

/* Moves a part out of u, to *copy, which stays NULL when u has no such part. False: no memory. */
static bool take_url_part(CURLU *u, CURLUPart part, CURLUcode none, char **copy)
{
    char *text = NULL;
    CURLUcode result = curl_url_get(u, part, &text, CURLU_URLDECODE);

    if (result == CURLUE_OK)
        *copy = strdup(text);
    curl_free(text);
    return curl_url_set(u, part, NULL, 0) == CURLUE_OK &&
           (result == CURLUE_OK ? *copy != NULL : result == none);
}

char *http_url_split(const char *url, char **user, char **password)
{
    CURLU *u = curl_url();
    char *text = NULL, *copy = NULL;

    if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
        take_url_part(u, CURLUPART_USER, CURLUE_NO_USER, user) &&
        take_url_part(u, CURLUPART_PASSWORD, CURLUE_NO_PASSWORD, password) &&
        curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK)
        copy = strdup(text);
    curl_free(text);
    curl_url_cleanup(u);
    return copy;
}
