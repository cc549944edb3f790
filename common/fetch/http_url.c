/* SPDX-License-Identifier: MIT */
#include "fetch/http_url.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

char *http_url_public(const char *url)
{
    CURLU *u = curl_url();
    char *text = NULL, *copy = NULL;

    if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
        curl_url_set(u, CURLUPART_USER, NULL, 0);
        curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
        curl_url_set(u, CURLUPART_OPTIONS, NULL, 0);
        curl_url_set(u, CURLUPART_QUERY, NULL, 0);
        curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
        if (curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK)
            copy = strdup(text);
    }
    curl_free(text);
    curl_url_cleanup(u);
    return copy;
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

static char *take_part(CURLU *u, CURLUPart part)
{
    char *text = NULL, *copy = NULL;

    if (curl_url_get(u, part, &text, CURLU_URLDECODE) == CURLUE_OK)
        copy = strdup(text);
    curl_free(text);
    curl_url_set(u, part, NULL, 0);
    return copy;
}

char *http_url_split(const char *url, char **user, char **password)
{
    CURLU *u = curl_url();
    char *text = NULL, *copy = NULL;

    if (u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
        *user = take_part(u, CURLUPART_USER);
        *password = take_part(u, CURLUPART_PASSWORD);
        if (curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK)
            copy = strdup(text);
    }
    curl_free(text);
    curl_url_cleanup(u);
    return copy;
}
