/* SPDX-License-Identifier: MIT */
#include "reader/http_transfer.h"

#include "base/checked.h"
#include "base/io.h"
#include "base/limits.h"

#include <stdio.h>
#include <string.h>

#define RECEIVE_BUFFER (256 * 1024L)
#define LOW_SPEED      100L /* bytes a second; less is a stall */
#define LINGER_MS      1000

static size_t on_header(char *line, size_t one, size_t size, void *user)
{
    struct transfer *t = user;

    (void)one;
    t->header_bytes += size;
    if (t->header_bytes > LIMIT_HTTP_HEADER) {
        err_set(&t->error, ERR_PROTOCOL, "the server sends headers without end");
        return 0;
    }
    if (size > 0 && (line[0] == '\r' || line[0] == '\n')) {
        t->header_done = t->response.status >= 200;
        if (t->header_done && t->judge(t->user, t) < 0)
            return 0;
    } else {
        http_response_line(&t->response, line, size);
    }
    return size;
}

/* Of a body that is not a range, the beginning is kept: it may say why. */
static size_t discard(struct transfer *t, const char *data, size_t size)
{
    if (t->discarded < sizeof t->excerpt - 1) {
        size_t n = min_size(size, sizeof t->excerpt - 1 - t->discarded);

        memcpy(t->excerpt + t->discarded, data, n);
        t->excerpt[t->discarded + n] = '\0';
    }
    t->discarded += size;
    t->stats->bytes += size;
    return t->discarded <= LIMIT_HTTP_ERROR_BODY ? size : 0;
}

static size_t on_body(char *data, size_t one, size_t size, void *user)
{
    struct transfer *t = user;
    struct range_request *q = t->q;

    (void)one;
    if (t->response.status != 206)
        return discard(t, data, size);
    if (size > q->size - q->received) {
        err_set(&t->error, ERR_PROTOCOL, "the server sends more bytes than were asked for");
        return 0;
    }
    /* libcurl's own limit lets the bytes of a whole second pass at once. During a pause,
     * with HTTP/1.1, the bytes wait in the socket. */
    if (!rate_allows(t->rate)) {
        t->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    rate_take(t->rate, size);
    t->progress_ms = io_now_ms();
    memcpy(q->data + q->received, data, size);
    q->received += size;
    t->body_bytes += size;
    t->stats->bytes += size;
    return size;
}

static void set_options(struct transfer *t, const struct http_settings *settings)
{
    CURL *c = t->easy;

    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    curl_easy_setopt(c, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    /* With a limit on the rate: the bytes of a tenth of a second at a time. */
    curl_easy_setopt(c, CURLOPT_BUFFERSIZE,
                     settings->limit_rate
                         ? (long)min_u64(settings->limit_rate / 10 + 1024, RECEIVE_BUFFER)
                         : RECEIVE_BUFFER);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)settings->connect_timeout_ms);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT,
                     settings->limit_rate ? (long)min_u64(settings->limit_rate / 2, LOW_SPEED)
                                          : LOW_SPEED);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)(settings->timeout_ms + 999) / 1000);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->curl_text);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(c, CURLOPT_PRIVATE, t);
}

/* Sets a text, which libcurl copies. A failure must not be ignored: the request would be
 * sent without its range, its proxy or the demanded certificate. */
static int set_curl_text(CURL *c, CURLoption option, const char *text, struct err *e)
{
    CURLcode code = curl_easy_setopt(c, option, text);

    if (code == CURLE_OUT_OF_MEMORY)
        return err_nomem(e, "preparing a download");
    return code == CURLE_OK ? 0 : err_set(e, ERR_IO, "libcurl: %s", curl_easy_strerror(code));
}

/* Trusts the user's CAs instead of the system's. libcurl would also look into the directory
 * that it was built with, so that is unset. */
static int set_cas(CURL *c, const char *file, struct err *e)
{
    if (set_curl_text(c, CURLOPT_CAINFO, file, e) < 0 ||
        set_curl_text(c, CURLOPT_CAPATH, NULL, e) < 0 ||
        set_curl_text(c, CURLOPT_PROXY_CAINFO, file, e) < 0 ||
        set_curl_text(c, CURLOPT_PROXY_CAPATH, NULL, e) < 0)
        return -1;
    return 0;
}

static int set_texts(CURL *c, const struct http_settings *settings, struct err *e)
{
    const struct {
        CURLoption option;
        const char *text;
    } texts[] = {
        {CURLOPT_PROTOCOLS_STR, "http,https"}, {CURLOPT_USERAGENT, "ihop/" PACKAGE_VERSION},
        {CURLOPT_PROXY, settings->proxy},      {CURLOPT_SSLCERT, settings->cert},
        {CURLOPT_SSLKEY, settings->key},
    };

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (texts[i].text && set_curl_text(c, texts[i].option, texts[i].text, e) < 0)
            return -1;
    return settings->cacert ? set_cas(c, settings->cacert, e) : 0;
}

static int make_handle(struct transfer *t, const struct http_settings *settings, struct err *e)
{
    CURL *c = curl_easy_init();

    if (!c)
        return err_nomem(e, "preparing a download");
    if (set_texts(c, settings, e) < 0) {
        curl_easy_cleanup(c);
        return -1;
    }
    t->easy = c;
    set_options(t, settings);
    return 0;
}

static void reset(struct transfer *t, struct range_request *q, const struct transfer_target *target)
{
    t->q = q;
    t->generation = target->generation;
    t->url = target->url;
    t->beside = target->beside;
    t->with_user = target->user != NULL;
    t->response = (struct http_response){0};
    t->header_bytes = t->body_bytes = 0;
    t->header_done = false;
    t->new_etag = false;
    t->paused = false;
    t->error.kind = ERR_NONE;
    t->progress_ms = io_now_ms();
    t->discarded = 0;
    t->excerpt[0] = '\0';
    t->curl_text[0] = '\0';
}

int transfer_start(struct transfer *t, CURLM *multi, const struct http_settings *settings,
                   const struct transfer_target *target, struct range_request *q, struct err *e)
{
    uint64_t from = q->offset + q->received, to = q->offset + q->size - 1;
    char range[48];

    if (!t->easy && make_handle(t, settings, e) < 0)
        return -1;
    reset(t, q, target);
    snprintf(range, sizeof range, "%llu-%llu", (unsigned long long)from, (unsigned long long)to);
    if (set_curl_text(t->easy, CURLOPT_URL, target->url, e) < 0 ||
        set_curl_text(t->easy, CURLOPT_RANGE, range, e) < 0 ||
        set_curl_text(t->easy, CURLOPT_USERNAME, target->user, e) < 0 ||
        set_curl_text(t->easy, CURLOPT_PASSWORD, target->password, e) < 0)
        return -1;
    curl_easy_setopt(t->easy, CURLOPT_FRESH_CONNECT, q->history.failures > 0 ? 1L : 0L);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, target->headers);
    if (curl_multi_add_handle(multi, t->easy) != CURLM_OK)
        return err_nomem(e, "starting a download");
    t->stats->requests++;
    return 0;
}

void transfer_resume(struct transfer *t)
{
    t->paused = false;
    curl_easy_pause(t->easy, CURLPAUSE_CONT);
}

bool transfer_is_complete(const struct transfer *t)
{
    return t->response.status == 206 && t->q->received == t->q->size;
}

bool transfer_has_stalled(struct transfer *t, unsigned timeout_ms)
{
    curl_off_t connected_us = 0;

    curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
    if (connected_us == 0 || t->paused) /* connecting has a limit of its own */
        t->progress_ms = io_now_ms();
    return io_now_ms() - t->progress_ms > timeout_ms;
}

bool transfer_lingers(const struct transfer *t)
{
    return transfer_is_complete(t) && io_now_ms() - t->progress_ms > LINGER_MS;
}

void transfer_free(struct transfer *t)
{
    if (t->easy)
        curl_easy_cleanup(t->easy);
    t->easy = NULL;
}
