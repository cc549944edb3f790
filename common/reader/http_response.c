/* SPDX-License-Identifier: MIT */
#include "reader/http_response.h"

#include "base/checked.h"
#include "base/text.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_SIZE 512 /* longer lines are cut: what is needed is short */
#define DAY           86400

/* "bytes 0-13/4711". A total of "*" (unknown) is refused, because then the end of the
 * archive is not known. */
static bool parse_content_range(char *value, struct http_response *r)
{
    char *start, *end, *total;

    if (strncasecmp(value, "bytes ", 6) != 0)
        return false;
    start = value + 6;
    end = strchr(start, '-');
    total = end ? strchr(end, '/') : NULL;
    if (!total)
        return false;
    *end++ = '\0';
    *total++ = '\0';
    return text_parse_u64(start, 0, INT64_MAX, &r->start) &&
           text_parse_u64(end, r->start, INT64_MAX, &r->end) &&
           text_parse_u64(total, r->end + 1, INT64_MAX, &r->total);
}

/* A sane server sends one length. Of several the smallest counts, because libcurl delivers no
 * byte beyond it. */
static void take_length(struct http_response *r, const char *value)
{
    uint64_t length;

    if (!text_parse_u64(value, 0, INT64_MAX, &length))
        r->bad_length = true;
    else
        r->length = r->has_length ? min_u64(r->length, length) : length;
    r->has_length = true;
}

static bool is_word(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcasecmp(word, *words) == 0)
            return true;
    return false;
}

/* The value is a list. The plain encodings leave the bytes as they are. Object stores report
 * aws-chunked, which they undid after the upload; a body that still is in pieces would not
 * have the length of the range. */
static void take_encodings(struct http_response *r, char *value)
{
    static const char *const plain[] = {"identity", "none", "aws-chunked", NULL};
    char *rest = NULL;

    for (char *word = strtok_r(value, ", \t", &rest); word; word = strtok_r(NULL, ", \t", &rest))
        if (!is_word(word, plain) && !*r->encoding)
            snprintf(r->encoding, sizeof r->encoding, "%s", word);
}

/* "Digest realm=..., Basic realm=...": the first word is a scheme, and so is each word that
 * follows a comma and has no "=". */
static void take_challenge(struct http_response *r, char *value)
{
    char *rest = NULL;

    for (char *part = strtok_r(value, ",", &rest); part; part = strtok_r(NULL, ",", &rest)) {
        part += strspn(part, " \t");
        part[strcspn(part, " \t")] = '\0';
        if (!*part || strchr(part, '='))
            continue;
        if (strcasecmp(part, "Basic") == 0)
            r->offers_basic = true;
        else if (!*r->challenge)
            snprintf(r->challenge, sizeof r->challenge, "%s", part);
    }
}

static void take_type(struct http_response *r, const char *value)
{
    r->multipart = strncasecmp(value, "multipart/", 10) == 0;
    r->html =
        strncasecmp(value, "text/html", 9) == 0 || strncasecmp(value, "application/xhtml", 17) == 0;
}

static void take_field(struct http_response *r, const char *name, char *value)
{
    if (strcasecmp(name, "Content-Range") == 0) {
        bool good = parse_content_range(value, r);

        r->bad_range = r->bad_range || r->has_range || !good;
        r->has_range = true;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        take_length(r, value);
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        r->chunked = true;
    } else if (strcasecmp(name, "Content-Encoding") == 0) {
        take_encodings(r, value);
    } else if (strcasecmp(name, "Content-Type") == 0) {
        take_type(r, value);
    } else if (strcasecmp(name, "WWW-Authenticate") == 0) {
        take_challenge(r, value);
    } else if (strcasecmp(name, "ETag") == 0) {
        snprintf(r->etag, sizeof r->etag, "%s", value);
    } else if (strcasecmp(name, "Retry-After") == 0) {
        snprintf(r->retry_after, sizeof r->retry_after, "%s", value);
    } else if (strcasecmp(name, "Date") == 0) {
        snprintf(r->date, sizeof r->date, "%s", value);
    }
}

static void take_status(struct http_response *r, const char *line)
{
    const char *code = strchr(line, ' ');
    uint64_t status;
    char digits[4];

    *r = (struct http_response){0};
    if (!code)
        return;
    snprintf(digits, sizeof digits, "%.3s", code + 1);
    if (text_parse_u64(digits, 100, 999, &status))
        r->status = (unsigned)status;
}

void http_response_line(struct http_response *r, const char *line, size_t size)
{
    char copy[LINE_MAX_SIZE], *colon, *value;

    while (size > 0 && strchr("\r\n \t", line[size - 1]))
        size--;
    if (size >= sizeof copy)
        size = sizeof copy - 1;
    memcpy(copy, line, size);
    copy[size] = '\0';
    if (strncmp(copy, "HTTP/", 5) == 0) {
        take_status(r, copy);
        return;
    }
    colon = strchr(copy, ':');
    if (!colon)
        return;
    *colon = '\0';
    value = colon + 1 + strspn(colon + 1, " \t");
    take_field(r, copy, value);
}

/* Whether the body is the bytes of one range, as they are in the archive. */
static int check_form(const struct http_response *r, struct err *e)
{
    if (r->multipart)
        return err_set(e, ERR_PROTOCOL, "the server answers a single range with a multipart body");
    if (*r->encoding)
        return err_set(e, ERR_PROTOCOL,
                       "the server re-encodes the archive (Content-Encoding: %s), "
                       "which breaks ranges: turn that off for .cba files",
                       r->encoding);
    if (!r->has_range)
        return err_set(e, ERR_PROTOCOL,
                       "the server sends a range without saying which "
                       "(no Content-Range)");
    if (r->bad_range)
        return err_set(e, ERR_PROTOCOL, "the server sends an unusable Content-Range");
    return 0;
}

int http_response_check(const struct http_response *r, uint64_t start, uint64_t size,
                        uint64_t known_total, struct err *e)
{
    if (check_form(r, e) < 0 || identity_check_size(known_total, r->total, e) < 0)
        return -1;
    if (r->start == start && r->end == r->total - 1 && r->total < start + size)
        return err_set(e, ERR_ARCHIVE,
                       "the archive is cut short: it has only %llu bytes; upload it again",
                       (unsigned long long)r->total);
    if (r->start != start || r->end != start + size - 1)
        return err_set(e, ERR_PROTOCOL,
                       "the server sends bytes %llu-%llu instead of those asked "
                       "for",
                       (unsigned long long)r->start, (unsigned long long)r->end);
    if (r->has_length && !r->chunked && (r->bad_length || r->length != size))
        return err_set(e, ERR_PROTOCOL,
                       "the server announces another length (Content-Length) than its range of "
                       "%llu bytes has",
                       (unsigned long long)size);
    return 0;
}

/* Any number of decimal digits, and nothing else. */
static bool parse_seconds(const char *text, uint64_t *seconds)
{
    if (!*text || text[strspn(text, "0123456789")] != '\0')
        return false;
    if (!text_parse_u64(text, 0, HTTP_RETRY_AFTER_CAP, seconds))
        *seconds = HTTP_RETRY_AFTER_CAP;
    return true;
}

/* -1 when text is no date. Each form of an HTTP date has a time of day with colons. */
static time_t parse_date(const char *text)
{
    return strchr(text, ':') ? curl_getdate(text, NULL) : -1;
}

uint64_t http_response_retry_after(const struct http_response *r, time_t now)
{
    time_t when = parse_date(r->retry_after), date = parse_date(r->date);
    uint64_t seconds;

    if (parse_seconds(r->retry_after, &seconds))
        return seconds;
    if (when < 0 || (date < 0 && when - now >= DAY))
        return 0;
    if (date < 0)
        date = now;
    return when > date ? min_u64((uint64_t)(when - date), HTTP_RETRY_AFTER_CAP) : 0;
}
