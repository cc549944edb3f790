/* SPDX-License-Identifier: MIT */
#include "reader/http_reader.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "reader/http_error.h"
#include "reader/retry.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define PROGRESS_BYTES (64 * KIB) /* this much forgives earlier failures */
#define CONFIRMED_MAX  2          /* entity tags that changed without the archive */
#define NOTE_PAUSE_MS  1000       /* between notes of the same, though there is no pause */

int http_judge(void *user, struct transfer *t)
{
    struct http_reader *h = user;
    const struct range_request *q = t->q;
    const char *etag = t->response.etag;

    if (t->response.status == 200)
        return http_error_not_a_range(&t->response, &t->error);
    if (t->response.status != 206)
        return 0; /* decided when it is over */
    if (http_response_check(&t->response, q->offset + q->received, q->size - q->received,
                            h->base.size, &t->error) < 0)
        return -1;
    if (h->base.has_canary && *etag && q != &h->canary && !q->any_tag &&
        h->confirmed < CONFIRMED_MAX && !etag_set_has(&h->etags, etag)) {
        t->new_etag = true;
        return -1;
    }
    /* The header's checksum has shown that all its parts are of one archive. */
    if (!h->base.has_canary && h->etags.count == 1 && *etag && !etag_set_has(&h->etags, etag))
        h->confirmed++;
    if (!h->base.has_canary || q == &h->canary)
        etag_set_add(&h->etags, etag);
    h->base.size = t->response.total;
    return 0;
}

static void ask_again(struct http_reader *h, struct range_request *q)
{
    if (q == &h->canary)
        h->canary_waiting = true;
    else
        http_queue_add(&h->queue, q);
}

/* ---- the same once more ---- */

/* What was held against a request before it got on. */
static void forgive(struct range_request *q)
{
    if (q->received >= q->progress_mark + PROGRESS_BYTES) {
        q->tries = q->sent = 0;
        q->went_home = 0;
        q->crowded = false;
    }
    q->progress_mark = q->received;
}

/* One note for a pause, however many ranges it holds up, and one when it gets serious. */
static void note_retry(struct http_reader *h, const struct range_request *q, uint64_t delay,
                       const struct err *e)
{
    uint64_t now = io_now_ms();
    bool news = now >= h->noted_until_ms || q->tries > h->noted_tries;

    if (news) {
        h->noted_tries = q->tries;
        events_note(h->settings->events, "%s; trying again in %llu.%llu s (%u of %u)", e->text,
                    (unsigned long long)delay / 1000, (unsigned long long)delay % 1000 / 100,
                    q->tries, h->settings->retries);
    }
    h->noted_until_ms = max_u64(h->noted_until_ms, now + max_u64(delay, NOTE_PAUSE_MS));
}

/* Puts the request back, to go on where it stopped, after a pause; or gives up. */
static int retry(struct http_reader *h, struct range_request *q, struct err *e)
{
    uint64_t delay;

    if (q->tries >= h->settings->retries) {
        if (h->settings->retries > 0)
            err_context(e, "gave up after %u retr%s", h->settings->retries,
                        h->settings->retries == 1 ? "y" : "ies");
        return -1;
    }
    q->tries++;
    h->base.stats.retries++;
    delay = retry_delay_ms(h->settings->retry_delay_ms, q->tries, e->retry_after_s);
    q->due_ms = io_now_ms() + delay;
    note_retry(h, q, delay, e);
    e->kind = ERR_NONE;
    ask_again(h, q);
    return 0;
}

/* ---- too many at a time ---- */

/* Whether the server is sending another range. */
static bool is_served_beside(const struct http_reader *h, const struct transfer *t)
{
    for (unsigned i = 0; i < LIMIT_CONNECTIONS; i++) {
        const struct transfer *other = &h->transfers[i];

        if (other != t && other->q && other->generation == t->generation && other->body_bytes > 0)
            return true;
    }
    return false;
}

static bool is_beside_others(const struct http_reader *h, const struct transfer *t)
{
    for (unsigned i = 0; i < LIMIT_CONNECTIONS; i++)
        if (&h->transfers[i] != t && h->transfers[i].q)
            return true;
    return false;
}

/* Whether the request was turned away, or left without a word, only because there are
 * others: some servers take one connection at a time. */
static bool is_crowded(const struct http_reader *h, const struct transfer *t, const struct err *e)
{
    unsigned s = t->response.status;

    if (e->kind != ERR_NETWORK || (s != 0 && s != 429 && s != 503))
        return false;
    return is_served_beside(h, t);
}

/* Goes on with fewer. That is no failure of this range: it takes its turn. */
static void slow_down(struct http_reader *h, const struct transfer *t, struct range_request *q,
                      struct err *e)
{
    if (t->beside <= h->connections && h->connections > 1) {
        h->connections /= 2;
        /* Idle ones may count for the server. */
        curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)h->connections);
        events_note(h->settings->events,
                    "%s; it seems to take fewer than %u connections: going on with %u", e->text,
                    t->beside, h->connections);
    }
    h->base.stats.retries++;
    q->due_ms = 0;
    e->kind = ERR_NONE;
    ask_again(h, q);
}

/* The same, when it cannot be told yet whether the others are served: once, a pause. */
static bool wait_and_see(struct http_reader *h, const struct transfer *t, struct range_request *q,
                         struct err *e)
{
    unsigned s = t->response.status;
    bool cut = s == 0 && e->kind == ERR_NETWORK && t->error.kind == ERR_NONE;

    if (q->crowded || (s != 429 && s != 503 && !cut) || !is_beside_others(h, t))
        return false;
    q->crowded = true;
    h->base.stats.retries++;
    q->due_ms = io_now_ms() + retry_delay_ms(h->settings->retry_delay_ms, 1, e->retry_after_s);
    if (e->retry_after_s > 0 && io_now_ms() >= h->noted_until_ms) {
        h->noted_until_ms = q->due_ms;
        events_note(h->settings->events, "%s; waiting", e->text);
    }
    e->kind = ERR_NONE;
    ask_again(h, q);
    return true;
}

/* ---- other places ---- */

static bool is_origins_fault(enum err_kind kind)
{
    return kind == ERR_NETWORK || kind == ERR_PROTOCOL || kind == ERR_NOT_FOUND ||
           kind == ERR_REFUSED || kind == ERR_ARCHIVE;
}

/* What a redirect led to has failed. It may have expired, as signed addresses do, or be
 * one of many: the first address may name another. That costs no try once, and once more
 * when it has brought other ranges in: addresses may be good for a few requests only. When
 * they are good for one, ranges must not ask there beside each other. */
static int go_home(struct http_reader *h, struct range_request *q, struct err *e)
{
    bool pause = e->kind == ERR_NETWORK;
    bool again = q->went_home == h->successes + 1;

    if (again && !pause && (h->connections == 1 || h->successes == 0))
        return -1;
    if (again && !pause)
        h->connections = 1;
    if (again && pause) {
        if (retry(h, q, e) < 0)
            return -1;
    } else {
        q->went_home = h->successes + 1;
        if (pause && io_now_ms() >= h->noted_until_ms) {
            h->noted_until_ms = io_now_ms() + NOTE_PAUSE_MS;
            events_note(h->settings->events, "%s; asking the first address again", e->text);
        }
        q->due_ms = pause ? io_now_ms() + retry_delay_ms(h->settings->retry_delay_ms, 1, 0) : 0;
        h->base.stats.retries += pause;
        e->kind = ERR_NONE;
        ask_again(h, q);
    }
    h->pause_ms = q->due_ms;
    q->redirects = 0;
    return http_site_go_home(&h->site, e);
}

static int too_long(const struct http_reader *h, uint64_t asked, struct err *e)
{
    err_set(e, ERR_NETWORK,
            "%s: the server redirects, and asks to come back in %llu s (Retry-After)", h->base.name,
            (unsigned long long)asked);
    e->retry_after_s = asked;
    return -1;
}

static int redirect(struct http_reader *h, struct transfer *t, struct range_request *q,
                    struct err *e)
{
    uint64_t asked = http_response_retry_after(&t->response, time(NULL));
    char *target = NULL;
    uint64_t now;

    curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &target);
    if (++q->redirects > LIMIT_REDIRECTS)
        return err_set(e, ERR_PROTOCOL, "%s: more than %d redirects", h->base.name,
                       LIMIT_REDIRECTS);
    if (http_site_redirect(&h->site, target ? target : "", e) < 0)
        return err_context(e, "%s", h->base.name);
    now = io_now_ms();
    if (h->site.held_ms > now) /* it has been there, and was asked to stay away */
        asked = max_u64(asked, (h->site.held_ms - now + 999) / 1000);
    if (asked > RETRY_AFTER_MAX_S)
        return too_long(h, asked, e);
    h->pause_ms = max_u64(h->pause_ms, now + asked * 1000);
    q->due_ms = 0;
    ask_again(h, q);
    return 0;
}

/* ---- is it the same archive? ---- */

/* Sends the canary out: the request that saw the new ETag waits for it. */
static void send_canary(struct http_reader *h, const char *etag)
{
    if (h->canary_active)
        return;
    h->canary_active = h->canary_waiting = true;
    snprintf(h->canary_etag, sizeof h->canary_etag, "%s", etag);
    h->canary = (struct range_request){
        .offset = h->base.canary_offset, .size = sizeof h->canary_bytes, .data = h->canary_bytes};
}

static int canary_returned(struct http_reader *h, struct err *e)
{
    h->canary_active = false;
    if (memcmp(h->canary_bytes, h->base.canary, sizeof h->canary_bytes) == 0) {
        etag_set_add(&h->etags, h->canary_etag);
        h->confirmed += *h->canary_etag != '\0';
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

/* ---- the end of a transfer ---- */

static int succeed(struct http_reader *h, struct range_request *q, struct err *e)
{
    q->redirects = 0;
    if (q == &h->canary)
        return canary_returned(h, e);
    http_site_succeeded(&h->site);
    h->network_failed = false;
    h->successes++;
    q->next = h->done;
    h->done = q;
    return 0;
}

/* Names the archive, the range, and where a redirect led. */
static int add_place(const struct http_reader *h, const struct range_request *q, struct err *e)
{
    CLEANUP_FREE char *host = NULL;
    bool redirected = http_site_is_redirected(&h->site);

    if (redirected)
        host = http_site_host(&h->site);
    return err_context(e, "%s (bytes %llu-%llu)%s%s", h->base.name, (unsigned long long)q->offset,
                       (unsigned long long)(q->offset + q->size - 1),
                       redirected ? ", redirected to " : "", host ? host : "");
}

/* Fills e with what went wrong. */
static void explain(struct transfer *t, CURLcode code, struct err *e)
{
    if (t->error.kind != ERR_NONE)
        *e = t->error;
    else if (t->header_done && t->response.status != 206)
        http_error_status(t, e);
    else
        http_error_transport(t, code, e);
}

/* What of a failure can be mended at this origin. */
static int recover(struct http_reader *h, struct transfer *t, struct range_request *q,
                   struct err *e)
{
    bool redirected = http_site_is_redirected(&h->site);

    forgive(q);
    if (e->retry_after_s > 0 &&
        http_site_hold(&h->site, io_now_ms() + e->retry_after_s * 1000, e) < 0)
        return -1;
    if (e->retry_after_s <= RETRY_AFTER_MAX_S) {
        if (is_crowded(h, t, e)) {
            slow_down(h, t, q, e);
            return 0;
        }
        if (wait_and_see(h, t, q, e))
            return 0;
    }
    if (e->retry_after_s > RETRY_AFTER_MAX_S && http_site_is_home(&h->site))
        return -1; /* the first address is there as well */
    if (redirected && is_origins_fault(e->kind))
        return go_home(h, q, e);
    if (e->kind != ERR_NETWORK)
        return -1;
    return retry(h, q, e);
}

/* -1: this origin has failed. */
static int decide(struct http_reader *h, struct transfer *t, CURLcode code, struct err *e)
{
    struct range_request *q = t->q;
    unsigned s = t->response.status;

    if (t->new_etag) {
        send_canary(h, t->response.etag);
        q->any_tag = true;
        q->due_ms = 0;
        ask_again(h, q);
        return 0;
    }
    if (t->error.kind == ERR_NONE && transfer_is_complete(t))
        return succeed(h, q, e);
    if (t->header_done && t->error.kind == ERR_NONE &&
        (s == 301 || s == 302 || s == 303 || s == 307 || s == 308))
        return redirect(h, t, q, e);
    explain(t, code, e);
    add_place(h, q, e);
    return recover(h, t, q, e);
}

/* With one of several out of reach, trying again later is worth it. */
static void remember(struct http_reader *h, const struct err *e)
{
    h->network_failed = h->network_failed || e->kind == ERR_NETWORK;
    if (e->retry_after_s > 0 && (h->retry_after_s == 0 || e->retry_after_s < h->retry_after_s))
        h->retry_after_s = e->retry_after_s;
}

/* Nobody is left to ask. */
static int give_up(const struct http_reader *h, struct err *e)
{
    if (h->network_failed && is_origins_fault(e->kind)) {
        e->kind = ERR_NETWORK;
        e->retry_after_s = h->retry_after_s;
    }
    return -1;
}

/* Asks at the new place, from where the request stopped. */
static void begin_anew(struct http_reader *h, struct range_request *q)
{
    q->due_ms = 0;
    q->tries = q->sent = q->redirects = 0;
    q->went_home = 0;
    q->crowded = false;
    if (q == &h->canary)
        q->received = 0; /* it has to be the new place's */
    ask_again(h, q);
}

/* The next origin that does not want to be left alone for longer than we wait, as
 * http_site_next tells. */
static int next_origin(struct http_reader *h, struct err *e)
{
    int moved;

    do
        moved = http_site_next(&h->site, e);
    while (moved > 0 && h->site.held_ms > io_now_ms() + RETRY_AFTER_MAX_S * 1000);
    return moved;
}

/* Goes on with the next mirror. Its archive must be the same: the canary looks. */
static int fail_over(struct http_reader *h, struct range_request *q, struct err *e)
{
    struct err failure = *e;
    int moved = is_origins_fault(e->kind) ? next_origin(h, e) : 0;

    remember(h, &failure);
    if (moved == 0)
        return give_up(h, e);
    if (moved < 0)
        return -1;
    h->base.name = http_site_origin(&h->site)->name;
    events_note(h->settings->events, "%s; going on with %s", failure.text, h->base.name);
    e->kind = ERR_NONE;
    h->etags.count = 0;
    h->confirmed = 0;
    h->pause_ms = 0;
    h->connections = h->settings->connections;
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)h->connections);
    if (h->base.has_canary && q != &h->canary)
        send_canary(h, "");
    h->canary_active = h->base.has_canary;
    begin_anew(h, q);
    return 0;
}

int http_decide(struct http_reader *h, struct transfer *t, CURLcode code, struct err *e)
{
    struct range_request *q = t->q;
    bool moot = t->generation != h->site.generation;

    /* What an older URL says counts only when it is all that was asked for. */
    if (moot && (q == &h->canary || !transfer_is_complete(t))) {
        if (q == &h->canary)
            q->received = 0;
        q->due_ms = 0;
        ask_again(h, q);
        return 0;
    }
    return decide(h, t, code, e) < 0 ? fail_over(h, q, e) : 0;
}
