/* SPDX-License-Identifier: MIT */
/* http: reads ranges over HTTP/1.1, by libcurl's multi interface.
 *
 * libcurl is not trusted to refuse what a range request must not get: status,
 * Content-Range, encoding and length are checked here before a byte is used.
 * Redirects are followed here as well, since libcurl would send custom headers
 * along to another host. Retries are requests put back into the queue with a
 * time before which they do not start.
 */
#include "fetch/reader.h"

#include "base/checked.h"
#include "base/io.h"
#include "base/limits.h"
#include "fetch/etag_set.h"
#include "fetch/http_error.h"
#include "fetch/http_site.h"
#include "fetch/http_transfer.h"
#include "fetch/retry.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RETRY_RESET_BYTES (64 * KIB) /* this much progress forgives earlier failures */

struct http_reader {
    struct reader base;
    const struct http_options *o;
    CURLM *multi;
    struct http_site site;
    bool network_failed;                          /* some origin, since the last success */
    struct curl_slist *own_headers, *all_headers; /* for any host; for an origin */
    struct transfer transfers[LIMIT_CONNECTIONS];
    struct range_request *queue; /* in order of arrival */
    struct range_request *done;
    struct rate rate;

    struct etag_set etags;
    struct range_request canary; /* compares the header checksum again */
    uint8_t canary_bytes[64];
    bool canary_active;
    char canary_etag[HTTP_ETAG_SIZE]; /* the one in question */
};

/* ---- the queue ---- */

static void enqueue(struct http_reader *h, struct range_request *q)
{
    struct range_request **last = &h->queue;

    while (*last)
        last = &(*last)->next;
    q->next = NULL;
    *last = q;
}

/* Takes the first request that may start now. While the canary is out, it alone
 * may: what else would come may be of another archive. */
static struct range_request *dequeue_due(struct http_reader *h)
{
    uint64_t now = io_now_ms();

    for (struct range_request **at = &h->queue; *at; at = &(*at)->next) {
        struct range_request *q = *at;

        if (q->due_ms > now || (h->canary_active && q != &h->canary))
            continue;
        *at = q->next;
        return q;
    }
    return NULL;
}

static int ms_until_due(const struct http_reader *h, int timeout_ms)
{
    uint64_t now = io_now_ms();

    for (const struct range_request *q = h->queue; q; q = q->next)
        if (q->due_ms > now && q->due_ms - now < (uint64_t)timeout_ms)
            timeout_ms = (int)(q->due_ms - now);
    return rate_wait_ms(&h->rate, timeout_ms);
}

/* ---- transfers ---- */

/* At the end of a response's header: -1 stops the transfer. */
static int judge(void *user, struct transfer *t)
{
    struct http_reader *h = user;
    const struct range_request *q = t->q;

    if (t->response.status == 200)
        return err_set(&t->error, ERR_PROTOCOL,
                       "the server ignores ranges (status 200 to a range request): use a server "
                       "or proxy that supports them");
    if (t->response.status != 206)
        return 0; /* decided when it is over */
    if (http_response_check(&t->response, q->offset + q->received, q->size - q->received,
                            h->base.size, &t->error) < 0)
        return -1;
    if (h->base.has_canary && *t->response.etag && q != &h->canary &&
        !etag_set_has(&h->etags, t->response.etag)) {
        t->new_etag = true;
        return -1;
    }
    if (!h->base.has_canary || q == &h->canary)
        etag_set_add(&h->etags, t->response.etag);
    h->base.size = t->response.total;
    return 0;
}

static int start(struct http_reader *h, struct transfer *t, struct range_request *q, struct err *e)
{
    const struct http_origin *o = http_site_origin(&h->site);
    bool home = http_site_is_home(&h->site);
    struct transfer_target target = {
        .url = h->site.url,
        .user = home ? o->user : NULL,
        .password = home ? o->password : NULL,
        .headers = home ? h->all_headers : h->own_headers,
        .generation = h->site.generation,
    };

    return transfer_start(t, h->multi, h->o, &target, q, e);
}

static int start_due(struct http_reader *h, bool *started, struct err *e)
{
    for (unsigned i = 0; i < h->o->connections; i++) {
        struct range_request *q;

        if (h->transfers[i].q)
            continue;
        if (!(q = dequeue_due(h)))
            return 0;
        if (start(h, &h->transfers[i], q, e) < 0)
            return -1;
        *started = true;
    }
    return 0;
}

/* ---- the end of a transfer ---- */

/* Puts the request back, to go on where it stopped; or gives up with the error. */
static int retry(struct http_reader *h, struct transfer *t, struct range_request *q, struct err *e)
{
    curl_off_t asked = 0;
    uint64_t delay;

    if (q->received >= q->progress_mark + RETRY_RESET_BYTES)
        q->tries = 0;
    q->progress_mark = q->received;
    if (q->tries >= h->o->retries) {
        if (h->o->retries > 0)
            err_context(e, "gave up after %u retries", h->o->retries);
        return -1;
    }
    q->tries++;
    h->base.stats.retries++;
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &asked);
    delay = retry_delay_ms(h->o->retry_delay_ms, q->tries, asked > 0 ? (uint64_t)asked : 0);
    q->due_ms = io_now_ms() + delay;
    fetch_note(h->o->events, "%s; trying again in %llu.%llu s (%u of %u)", e->text,
               (unsigned long long)delay / 1000, (unsigned long long)delay % 1000 / 100, q->tries,
               h->o->retries);
    e->kind = ERR_NONE;
    enqueue(h, q);
    return 0;
}

/* What of an error is worth another try. */
static int retry_or_fail(struct http_reader *h, struct transfer *t, struct range_request *q,
                         struct err *e)
{
    err_context(e, "%s (bytes %llu-%llu)", h->base.name, (unsigned long long)q->offset,
                (unsigned long long)(q->offset + q->size - 1));
    return e->kind == ERR_NETWORK ? retry(h, t, q, e) : -1;
}

static int redirect(struct http_reader *h, struct transfer *t, struct range_request *q,
                    struct err *e)
{
    char *target = NULL;

    curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &target);
    if (++q->redirects > LIMIT_REDIRECTS)
        return err_set(e, ERR_PROTOCOL, "%s: more than %d redirects", h->base.name,
                       LIMIT_REDIRECTS);
    if (http_site_redirect(&h->site, target ? target : "", e) < 0)
        return err_context(e, "%s", h->base.name);
    enqueue(h, q);
    return 0;
}

static int bad_status(struct http_reader *h, struct transfer *t, struct range_request *q,
                      struct err *e)
{
    unsigned s = t->response.status;
    int moved = 0;

    if (s == 301 || s == 302 || s == 303 || s == 307 || s == 308)
        return redirect(h, t, q, e);
    if (s == 401 || s == 403 || s == 404 || s == 410)
        moved = http_site_fall_back(&h->site, e);
    if (moved < 0)
        return -1;
    if (moved == 0) {
        http_error_status(s, e);
        return retry_or_fail(h, t, q, e);
    }
    q->redirects = 0;
    enqueue(h, q);
    return 0;
}

/* Sends the canary out: the request that saw the new ETag waits for it. */
static void send_canary(struct http_reader *h, const char *etag)
{
    if (h->canary_active)
        return;
    h->canary_active = true;
    snprintf(h->canary_etag, sizeof h->canary_etag, "%s", etag);
    h->canary = (struct range_request){
        .offset = h->base.canary_offset, .size = sizeof h->canary_bytes, .data = h->canary_bytes};
    enqueue(h, &h->canary);
}

static int canary_returned(struct http_reader *h, struct err *e)
{
    h->canary_active = false;
    if (memcmp(h->canary_bytes, h->base.canary, sizeof h->canary_bytes) == 0) {
        etag_set_add(&h->etags, h->canary_etag);
        return 0;
    }
    if (h->site.failed > 0)
        return err_set(e, ERR_PROTOCOL,
                       "%s: this mirror holds another archive than the run began with (another "
                       "header checksum)",
                       h->base.name);
    return err_set(e, ERR_PROTOCOL,
                   "%s: the archive changed while it was read (another header "
                   "checksum): run again",
                   h->base.name);
}

static int succeed(struct http_reader *h, struct range_request *q, struct err *e)
{
    q->redirects = 0;
    if (q == &h->canary)
        return canary_returned(h, e);
    http_site_succeeded(&h->site);
    h->network_failed = false;
    q->next = h->done;
    h->done = q;
    return 0;
}

/* Decides what becomes of a transfer that libcurl is done with; -1: this origin
 * has failed. */
static int decide(struct http_reader *h, struct transfer *t, CURLcode code, struct err *e)
{
    struct range_request *q = t->q;

    if (t->new_etag) {
        send_canary(h, t->response.etag);
        enqueue(h, q);
        return 0;
    }
    if (t->error.kind != ERR_NONE) {
        *e = t->error;
        return retry_or_fail(h, t, q, e);
    }
    if (transfer_is_complete(t))
        return succeed(h, q, e);
    if (t->response.status >= 200 && t->response.status != 206)
        return bad_status(h, t, q, e);
    http_error_transport(t->easy, code, t->curl_text, e);
    return retry_or_fail(h, t, q, e);
}

static bool is_origins_fault(enum err_kind kind)
{
    return kind == ERR_NETWORK || kind == ERR_PROTOCOL || kind == ERR_NOT_FOUND ||
           kind == ERR_REFUSED || kind == ERR_ARCHIVE;
}

/* Asks again elsewhere, from where the request stopped. */
static void ask_again(struct http_reader *h, struct range_request *q)
{
    q->due_ms = 0;
    if (q == &h->canary)
        q->received = 0; /* it has to be the new place's */
    enqueue(h, q);
}

/* Goes on with the next mirror. Its archive must be the same: the canary looks. */
static int fail_over(struct http_reader *h, struct range_request *q, struct err *e)
{
    struct err failure = *e;
    int moved = is_origins_fault(e->kind) ? http_site_next(&h->site, e) : 0;

    h->network_failed = h->network_failed || failure.kind == ERR_NETWORK;
    /* With one of several out of reach, trying again later is worth it. */
    if (moved == 0 && h->network_failed)
        e->kind = ERR_NETWORK;
    if (moved <= 0)
        return -1;
    h->base.name = http_site_origin(&h->site)->name;
    fetch_note(h->o->events, "%s; going on with %s", failure.text, h->base.name);
    e->kind = ERR_NONE;
    h->etags.count = 0;
    if (h->base.has_canary && q != &h->canary)
        send_canary(h, "");
    h->canary_active = h->base.has_canary;
    q->tries = 0;
    q->redirects = 0;
    ask_again(h, q);
    return 0;
}

static int finish(struct http_reader *h, struct transfer *t, CURLcode code, struct err *e)
{
    struct range_request *q = t->q;
    bool moot = t->generation != h->site.generation;

    /* What an older URL says counts only when it is all that was asked for. */
    if (moot && (q == &h->canary || !transfer_is_complete(t))) {
        ask_again(h, q);
        return 0;
    }
    return decide(h, t, code, e) < 0 ? fail_over(h, q, e) : 0;
}

static int collect(struct http_reader *h, struct err *e)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(h->multi, &left))) {
        CURLcode code = message->data.result;
        struct transfer *t = NULL;
        int r;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        curl_multi_remove_handle(h->multi, t->easy);
        r = finish(h, t, code, e);
        t->q = NULL;
        if (r < 0)
            return -1;
    }
    return 0;
}

static void resume_paused(struct http_reader *h)
{
    for (unsigned i = 0; i < h->o->connections; i++)
        if (h->transfers[i].q && h->transfers[i].paused && rate_allows(&h->rate))
            transfer_resume(&h->transfers[i]);
}

static int end_stalled(struct http_reader *h, struct err *e)
{
    for (unsigned i = 0; i < h->o->connections; i++) {
        struct transfer *t = &h->transfers[i];
        int r;

        if (!t->q || !transfer_has_stalled(t, h->o->timeout_ms))
            continue;
        curl_multi_remove_handle(h->multi, t->easy);
        if (t->error.kind == ERR_NONE)
            err_set(&t->error, ERR_NETWORK, "nothing came for %u s", h->o->timeout_ms / 1000);
        r = finish(h, t, CURLE_OPERATION_TIMEDOUT, e);
        t->q = NULL;
        if (r < 0)
            return -1;
    }
    return 0;
}

/* ---- the reader's operations ---- */

static void http_submit(struct reader *r, struct range_request *q)
{
    enqueue((struct http_reader *)r, q);
}

static bool take_done(struct http_reader *h, struct range_request **done)
{
    if (!h->done)
        return false;
    *done = h->done;
    h->done = h->done->next;
    return true;
}

/* Lets libcurl move bytes, and decides on what has ended. */
static int perform(struct http_reader *h, struct err *e)
{
    int running;

    if (curl_multi_perform(h->multi, &running) != CURLM_OK)
        return err_nomem(e, "downloading");
    return collect(h, e);
}

static int http_step(struct reader *r, int timeout_ms, struct range_request **done, struct err *e)
{
    struct http_reader *h = (struct http_reader *)r;
    bool started = false;

    if (take_done(h, done))
        return 1;
    if (start_due(h, &started, e) < 0)
        return -1;
    /* A new transfer needs a first turn before there is a socket to wait for. What
     * arrives after the wait is returned at once, for the workers to begin on. */
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
    h->queue = NULL;
    h->done = NULL;
    h->canary_active = false;
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
    /* The second takes out libcurl's own, which accepts any type and says so in
     * each of hundreds of requests. */
    static const char *const own[] = {"Accept-Encoding: identity", "Accept:"};
    bool ok = true;

    for (size_t i = 0; ok && i < sizeof own / sizeof *own; i++)
        ok = append_header(&h->own_headers, own[i]) && append_header(&h->all_headers, own[i]);

    for (size_t i = 0; ok && i < h->o->header_count; i++)
        ok = append_header(&h->all_headers, h->o->headers[i]);
    return ok ? 0 : err_nomem(e, "preparing a download");
}

static int prepare(struct http_reader *h, const char *url, struct err *e)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !(h->multi = curl_multi_init()))
        return err_nomem(e, "preparing a download");
    curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)h->o->connections);
    if (http_site_init(&h->site, url, h->o->mirrors, h->o->mirror_count, e) < 0)
        return -1;
    h->base.name = http_site_origin(&h->site)->name;
    h->base.location = h->base.name;
    return prepare_headers(h, e);
}

struct reader *reader_open_http(const char *url, const struct http_options *options, struct err *e)
{
    struct http_reader *h = calloc(1, sizeof *h);

    if (!h) {
        err_nomem(e, "preparing a download");
        return NULL;
    }
    h->base.ops = &http_ops;
    h->base.parallel = options->connections;
    h->o = options;
    h->rate.limit = options->limit_rate;
    for (unsigned i = 0; i < LIMIT_CONNECTIONS; i++)
        h->transfers[i] =
            (struct transfer){.judge = judge, .user = h, .stats = &h->base.stats, .rate = &h->rate};
    srandom((unsigned)(io_now_ms() ^ (uint64_t)getpid() << 16));
    if (prepare(h, url, e) < 0) {
        http_close(&h->base);
        return NULL;
    }
    return &h->base;
}
