/* SPDX-License-Identifier: MIT */
/* http: drives the transfers of range requests over HTTP/1.1, with libcurl's multi
 * interface.
 *
 * libcurl accepts answers that a range request must not get, so the status, Content-Range,
 * encoding and length are checked (http_response.c) before a byte is used. Redirects are
 * followed here as well, because libcurl would send the user's headers to the other host,
 * too. To try again is to put the request back into the queue with the time before which it
 * must not be sent; http_decide.c decides on that.
 */
#include "reader/http.h"

#include "base/checked.h"
#include "base/io.h"
#include "base/limits.h"
#include "reader/http_error.h"
#include "reader/http_reader.h"
#include "reader/http_url.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <unistd.h>

#define SLACK (64 * KIB) /* above --max-download, for answers that are of no use */

/* ---- what may start ---- */

static unsigned count_active(const struct http_reader *h)
{
    unsigned active = 0;

    for (unsigned i = 0; i < LIMIT_CONNECTIONS; i++)
        active += h->transfers[i].q != NULL;
    return active;
}

static uint64_t paused_until(const struct http_reader *h)
{
    return max_u64(h->pause_ms, h->site.held_ms);
}

/* Takes the next request that may start now: while there is a probe, the probe alone. */
static struct range_request *dequeue_due(struct http_reader *h)
{
    uint64_t now = io_now_ms();

    if (paused_until(h) > now || count_active(h) >= h->connections)
        return NULL;
    if (!h->probe.active)
        return http_queue_take(&h->queue, now, h->connections);
    if (!h->probe.waiting || h->probe.request.history.due_ms > now)
        return NULL;
    h->probe.waiting = false;
    return &h->probe.request;
}

static int ms_until(uint64_t when, uint64_t now, int most)
{
    return when > now ? (int)min_u64(when - now, (uint64_t)most) : most;
}

static int ms_until_due(const struct http_reader *h, int timeout_ms)
{
    uint64_t now = io_now_ms();

    timeout_ms = ms_until(paused_until(h), now, timeout_ms);
    if (h->probe.waiting)
        timeout_ms = ms_until(h->probe.request.history.due_ms, now, timeout_ms);
    return rate_wait_ms(&h->rate, http_queue_ms(&h->queue, now, timeout_ms));
}

/* ---- transfers ---- */

/* The last of the bounds on sending a request again (http_reader.h): it holds if the causes
 * keep each other going. */
static int check_sent(const struct http_reader *h, const struct range_request *q, struct err *e)
{
    unsigned most =
        2 * (h->base.settings->retries + 1) * (LIMIT_REDIRECTS + 1) + 4 * LIMIT_CONNECTIONS;

    if (q->history.sent < most)
        return 0;
    return err_set(e, ERR_PROTOCOL,
                   "%s (bytes %llu-%llu): asked for %u times, and the server gives no answer that "
                   "can be used",
                   h->base.name, (unsigned long long)q->offset,
                   (unsigned long long)(q->offset + q->size - 1), q->history.sent);
}

/* Bytes that are thrown away cost as much as others, so they count; and so does all that is
 * on its way. */
static int check_limit(struct http_reader *h, const struct range_request *q, struct err *e)
{
    uint64_t bytes = h->base.stats.bytes + (q->size - q->received);

    for (unsigned i = 0; i < LIMIT_CONNECTIONS; i++)
        if (h->transfers[i].q)
            bytes += h->transfers[i].q->size - h->transfers[i].q->received;
    if (h->base.limit == 0 || bytes <= h->base.limit + SLACK)
        return 0;
    h->base.over_limit = true;
    return err_set(e, ERR_SPACE,
                   "%s: part of what the server sent was of no use, and --max-download does not "
                   "allow to fetch it again",
                   h->base.name);
}

static int start_request(struct http_reader *h, struct transfer *t, struct range_request *q,
                         struct err *e)
{
    const struct http_origin *o = http_site_origin(&h->site);
    bool home = http_site_is_home(&h->site);
    struct transfer_target target = {
        .url = h->site.url,
        .user = home ? o->user : NULL,
        .password = home ? o->password : NULL,
        .headers = home ? h->all_headers : h->own_headers,
        .generation = h->site.generation,
        .beside = h->connections,
    };

    if (check_sent(h, q, e) < 0 || check_limit(h, q, e) < 0)
        return -1;
    q->history.sent++;
    return transfer_start(t, h->multi, h->base.settings, &target, q, e);
}

static struct transfer *idle_transfer(struct http_reader *h)
{
    for (unsigned i = 0; i < LIMIT_CONNECTIONS; i++)
        if (!h->transfers[i].q)
            return &h->transfers[i];
    return NULL;
}

static int start_due(struct http_reader *h, bool *started, struct err *e)
{
    struct range_request *q;

    while ((q = dequeue_due(h))) {
        if (start_request(h, idle_transfer(h), q, e) < 0)
            return -1;
        *started = true;
    }
    return 0;
}

/* ---- the end of a transfer ---- */

static int finish_request(struct http_reader *h, struct transfer *t, CURLcode code, struct err *e)
{
    int r;

    curl_multi_remove_handle(h->multi, t->easy);
    r = http_decide(h, t, code, e);
    t->q = NULL;
    return r;
}

static int collect_finished(struct http_reader *h, struct err *e)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(h->multi, &left))) {
        CURLcode code = message->data.result;
        struct transfer *t = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        if (finish_request(h, t, code, e) < 0)
            return -1;
    }
    return 0;
}

static void resume_paused(struct http_reader *h)
{
    for (unsigned i = 0; i < LIMIT_CONNECTIONS; i++)
        if (h->transfers[i].q && h->transfers[i].paused && rate_allows(&h->rate))
            transfer_resume(&h->transfers[i]);
}

/* Ends the transfers from which nothing more is to be expected. */
static int end_stalled(struct http_reader *h, struct err *e)
{
    for (unsigned i = 0; i < LIMIT_CONNECTIONS; i++) {
        struct transfer *t = &h->transfers[i];
        bool done = t->q && transfer_lingers(t);

        if (!t->q || (!done && !transfer_has_stalled(t, h->base.settings->timeout_ms)))
            continue;
        if (!done && t->error.kind == ERR_NONE)
            err_set(&t->error, ERR_NETWORK, "nothing came for %u s",
                    h->base.settings->timeout_ms / 1000);
        if (finish_request(h, t, done ? CURLE_OK : CURLE_OPERATION_TIMEDOUT, e) < 0)
            return -1;
    }
    return 0;
}

/* ---- the reader's operations ---- */

static void http_submit(struct reader *r, struct range_request *q)
{
    http_queue_add(&((struct http_reader *)r)->queue, q);
}

static bool take_done(struct http_reader *h, struct range_request **done)
{
    if (!h->done)
        return false;
    *done = h->done;
    h->done = h->done->next;
    return true;
}

/* Lets libcurl move bytes, and decides on the transfers that have ended. */
static int perform(struct http_reader *h, struct err *e)
{
    int running;

    if (curl_multi_perform(h->multi, &running) != CURLM_OK)
        return err_nomem(e, "downloading");
    return collect_finished(h, e);
}

static int http_step(struct reader *r, int timeout_ms, struct range_request **done, struct err *e)
{
    struct http_reader *h = (struct http_reader *)r;
    bool started = false;

    if (take_done(h, done))
        return 1;
    if (start_due(h, &started, e) < 0)
        return -1;
    /* libcurl opens the socket of a new transfer in its first turn, and only then there is
     * something to wait for. */
    if (started && perform(h, e) < 0)
        return -1;
    if (!h->done &&
        curl_multi_poll(h->multi, NULL, 0, ms_until_due(h, timeout_ms), NULL) != CURLM_OK)
        return err_nomem(e, "downloading");
    resume_paused(h);
    if (perform(h, e) < 0 || end_stalled(h, e) < 0)
        return -1;
    return take_done(h, done) ? 1 : 0;
}

static void http_cancel(struct reader *r)
{
    struct http_reader *h = (struct http_reader *)r;

    for (unsigned i = 0; i < LIMIT_CONNECTIONS; i++) {
        if (h->transfers[i].q)
            curl_multi_remove_handle(h->multi, h->transfers[i].easy);
        h->transfers[i].q = NULL;
    }
    http_queue_init(&h->queue);
    h->done = NULL;
    h->probe.active = h->probe.waiting = false;
}

static void http_wake(struct reader *r)
{
    curl_multi_wakeup(((struct http_reader *)r)->multi);
}

static void http_close(struct reader *r)
{
    struct http_reader *h = (struct http_reader *)r;

    if (h->multi)
        http_cancel(r);
    for (unsigned i = 0; i < LIMIT_CONNECTIONS; i++)
        transfer_free(&h->transfers[i]);
    curl_multi_cleanup(h->multi);
    curl_slist_free_all(h->own_headers);
    curl_slist_free_all(h->all_headers);
    http_site_free(&h->site);
    free(h);
}

static const struct reader_ops http_ops = {
    .submit = http_submit,
    .step = http_step,
    .cancel = http_cancel,
    .wake = http_wake,
    .close = http_close,
};

static bool append_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);

    if (longer)
        *list = longer;
    return longer != NULL;
}

static int prepare_headers(struct http_reader *h, struct err *e)
{
    /* The second one takes out libcurl's own "Accept: any type", which would only make each of
     * hundreds of requests longer. */
    static const char *const own[] = {"Accept-Encoding: identity", "Accept:"};
    bool ok = true;

    for (size_t i = 0; ok && i < sizeof own / sizeof *own; i++)
        ok = append_header(&h->own_headers, own[i]) && append_header(&h->all_headers, own[i]);

    for (size_t i = 0; ok && i < h->base.settings->header_count; i++)
        ok = append_header(&h->all_headers, h->base.settings->headers[i]);
    return ok ? 0 : err_nomem(e, "preparing a download");
}

static int prepare_reader(struct http_reader *h, struct err *e)
{
    if (http_error_init() != CURLE_OK || !(h->multi = curl_multi_init()))
        return err_nomem(e, "preparing a download");
    curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)h->base.settings->connections);
    if (http_site_init(&h->site, h->base.archive, h->base.settings->mirrors,
                       h->base.settings->mirror_count, e) < 0)
        return -1;
    h->base.name = http_site_origin(&h->site)->name;
    h->base.location = h->base.name;
    h->base.location_lacks = http_url_has_private_part(h->base.archive);
    return prepare_headers(h, e);
}

struct reader *reader_open_http(const char *url, const struct http_settings *settings,
                                struct err *e)
{
    struct http_reader *h = calloc(1, sizeof *h);

    if (!h) {
        err_nomem(e, "preparing a download");
        return NULL;
    }
    h->base.ops = &http_ops;
    h->base.parallel = settings->connections;
    h->base.archive = url;
    h->base.settings = settings;
    h->connections = settings->connections;
    http_queue_init(&h->queue);
    h->rate.limit = settings->limit_rate;
    for (unsigned i = 0; i < LIMIT_CONNECTIONS; i++)
        h->transfers[i] = (struct transfer){
            .judge = http_judge, .user = h, .stats = &h->base.stats, .rate = &h->rate};
    srandom((unsigned)(io_now_ms() ^ (uint64_t)getpid() << 16));
    if (prepare_reader(h, e) < 0) {
        http_close(&h->base);
        return NULL;
    }
    return &h->base;
}
