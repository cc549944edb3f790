/* SPDX-License-Identifier: MIT */
#include "fetch/http_response.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LINE_MAX_SIZE 512 /* longer ones are of no interest: the rest is cut */

/* "bytes 0-13/4711"; a total of "*" is refused, as the archive's end could not
 * be told. */
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

static void take_field(struct http_response *r, const char *name, char *value)
{
    if (strcasecmp(name, "Content-Range") == 0) {
        bool good = parse_content_range(value, r);

        r->bad_range = r->bad_range || r->has_range || !good;
        r->has_range = true;
    } else if (strcasecmp(name, "Content-Encoding") == 0) {
        r->encoded = r->encoded || strcasecmp(value, "identity") != 0;
    } else if (strcasecmp(name, "Content-Type") == 0) {
        r->multipart = strncasecmp(value, "multipart/", 10) == 0;
    } else if (strcasecmp(name, "ETag") == 0) {
        snprintf(r->etag, sizeof r->etag, "%s", value);
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

int http_response_check(const struct http_response *r, uint64_t start, uint64_t size,
                        uint64_t known_total, struct err *e)
{
    if (r->multipart)
        return err_set(e, ERR_PROTOCOL, "the server answers a single range with a multipart body");
    if (r->encoded)
        return err_set(e, ERR_PROTOCOL,
                       "the server re-encodes the archive (Content-Encoding), "
                       "which breaks ranges: turn that off for .cba files");
    if (!r->has_range)
        return err_set(e, ERR_PROTOCOL,
                       "the server sends a range without saying which "
                       "(no Content-Range)");
    if (r->bad_range)
        return err_set(e, ERR_PROTOCOL, "the server sends an unusable Content-Range");
    if (known_total && r->total != known_total)
        return err_set(e, ERR_PROTOCOL,
                       "the archive changed while it was read: it had %llu bytes "
                       "and now has %llu; run again",
                       (unsigned long long)known_total, (unsigned long long)r->total);
    if (r->start == start && r->end == r->total - 1 && r->total < start + size)
        return err_set(e, ERR_ARCHIVE, "the archive is cut short: it has only %llu bytes",
                       (unsigned long long)r->total);
    if (r->start != start || r->end != start + size - 1)
        return err_set(e, ERR_PROTOCOL,
                       "the server sends bytes %llu-%llu instead of those asked "
                       "for",
                       (unsigned long long)r->start, (unsigned long long)r->end);
    return 0;
}
