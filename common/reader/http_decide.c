/* SPDX-License-Identifier: MIT */
#include "reader/http_reader.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "reader/http_error.h"
#include "reader/retry.h"

#include <stdio.h>
#include <time.h>

#define PROGRESS_BYTES (64 * KIB) /* so much progress forgives earlier failures */
#define NOTE_PAUSE_MS  1000       /* at least, between two notes about the same trouble */

int http_judge(void *user, struct transfer *t)
{
    struct http_reader *h = user;
    struct identity *identity = &h->base.identity;
    const struct range_request *q = t->q;
    const char *etag = t->response.etag;

    if (t->response.status == 200)
        return http_error_not_a_range(&t->response, &t->error);
    if (t->response.status != 206)
        return 0; /* http_decide decides when the transfer is over */
    if (http_response_check(&t->response, q->offset + q->received, q->size - q->received,
                            h->base.size, &t->error) < 0)
        return -1;
    if (q != &h->probe.request && !q->history.any_tag && identity_doubts(identity, etag)) {
        t->new_etag = true;
        return -1;
    }
    if (q == &h->probe.request || !identity->known)
        identity_add_tag(identity, etag);
    h->base.size = t->response.total;
    return 0;
}

static void ask_again(struct http_reader *h, struct range_request *q)
{
    if (q == &h->probe.request)
        h->probe.waiting = true;
    else
        http_queue_add(&h->queue, q);
}

/* ---- trying again at the same place ---- */

/* After enough progress, what happened before does not count any more. */
static void forgive_failures(struct range_request *q)
{
    if (q->received >= q->history.progress_at + PROGRESS_BYTES) {
        q->history.failures = q->history.sent = 0;
        q->history.went_home = 0;
        q->history.crowded = false;
    }
    q->history.progress_at = q->received;
}

/* Prints one note for a pause, however many ranges it holds up, and another one each time
 * that a range has failed more often than was noted. */
static void note_retry(struct http_reader *h, const struct range_request *q, uint64_t delay,
                       const struct err *e)
{
    uint64_t now = io_now_ms();
    bool news = now >= h->noted_until_ms || q->history.failures > h->noted_failures;

    if (news) {
        h->noted_failures = q->history.failures;
        events_note(h->base.settings->events, "%s; trying again in %llu.%llu s (%u of %u)", e->text,
                    (unsigned long long)delay / 1000, (unsigned long long)delay % 1000 / 100,
                    q->history.failures, h->base.settings->retries);
    }
    h->noted_until_ms = max_u64(h->noted_until_ms, now + max_u64(delay, NOTE_PAUSE_MS));
}

/* Puts the request back, to go on after a pause where it stopped; or gives up. */
static int retry_later(struct http_reader *h, struct range_request *q, struct err *e)
{
    uint64_t delay;

    if (q->history.failures >= h->base.settings->retries) {
        if (h->base.settings->retries > 0)
            err_context(e, "gave up after %u retr%s", h->base.settings->retries,
                        h->base.settings->retries == 1 ? "y" : "ies");
        return -1;
    }
    q->history.failures++;
    h->base.stats.retries++;
    delay = retry_delay_ms(h->base.settings->retry_delay_ms, q->history.failures, e->retry_after_s);
    q->history.due_ms = io_now_ms() + delay;
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

/* Whether the request was turned away, or got no answer, only because there are others:
 * some servers take one connection at a time. */
static bool is_crowded(const struct http_reader *h, const struct transfer *t, const struct err *e)
{
    unsigned s = t->response.status;

    if (e->kind != ERR_NETWORK || (s != 0 && s != 429 && s != 503))
        return false;
    return is_served_beside(h, t);
}

/* Goes on with fewer connections. The range has not failed: it takes its turn. */
static void slow_down(struct http_reader *h, const struct transfer *t, struct range_request *q,
                      struct err *e)
{
    if (t->beside <= h->connections && h->connections > 1) {
        h->connections /= 2;
        /* The server may count idle connections, too. */
        curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)h->connections);
        events_note(h->base.settings->events,
                    "%s; it seems to take fewer than %u connections: going on with %u", e->text,
                    t->beside, h->connections);
    }
    h->base.stats.retries++;
    q->history.due_ms = 0;
    e->kind = ERR_NONE;
    ask_again(h, q);
}

/* Pauses, once for each request, when it is not known yet whether the server serves the
 * others. False: this is no such case. */
static bool wait_and_see(struct http_reader *h, const struct transfer *t, struct range_request *q,
                         struct err *e)
{
    unsigned s = t->response.status;
    bool cut = s == 0 && e->kind == ERR_NETWORK && t->error.kind == ERR_NONE;

    if (q->history.crowded || (s != 429 && s != 503 && !cut) || !is_beside_others(h, t))
        return false;
    q->history.crowded = true;
    h->base.stats.retries++;
    q->history.due_ms =
        io_now_ms() + retry_delay_ms(h->base.settings->retry_delay_ms, 1, e->retry_after_s);
    if (e->retry_after_s > 0 && io_now_ms() >= h->noted_until_ms) {
        h->noted_until_ms = q->history.due_ms;
        events_note(h->base.settings->events, "%s; waiting", e->text);
    }
    e->kind = ERR_NONE;
    ask_again(h, q);
    return true;
}

/* ---- redirects ---- */

static bool is_origins_fault(enum err_kind kind)
{
    return kind == ERR_NETWORK || kind == ERR_PROTOCOL || kind == ERR_NOT_FOUND ||
           kind == ERR_REFUSED || kind == ERR_ARCHIVE;
}

/* The address that a redirect led to has failed, so the request asks at the first address
 * again, which may name another one: a signed address expires, and a server may choose one
 * mirror of many. The first return costs none of the retries, and neither does a further one
 * if other ranges succeeded since, because an address may be good for a few requests only.
 * If it is good for a single one, ranges must not be requested there at the same time. */
static int go_home(struct http_reader *h, struct range_request *q, struct err *e)
{
    bool pause = e->kind == ERR_NETWORK;
    bool again = q->history.went_home == h->successes + 1;

    if (again && !pause && (h->connections == 1 || h->successes == 0))
        return -1;
    if (again && !pause)
        h->connections = 1;
    if (again && pause) {
        if (retry_later(h, q, e) < 0)
            return -1;
    } else {
        q->history.went_home = h->successes + 1;
        if (pause && io_now_ms() >= h->noted_until_ms) {
            h->noted_until_ms = io_now_ms() + NOTE_PAUSE_MS;
            events_note(h->base.settings->events, "%s; asking the first address again", e->text);
        }
        q->history.due_ms =
            pause ? io_now_ms() + retry_delay_ms(h->base.settings->retry_delay_ms, 1, 0) : 0;
        h->base.stats.retries += pause;
        e->kind = ERR_NONE;
        ask_again(h, q);
    }
    h->pause_ms = q->history.due_ms;
    q->history.redirects = 0;
    return http_site_go_home(&h->site, e);
}

static int refuse_long_pause(const struct http_reader *h, uint64_t asked, struct err *e)
{
    err_set(e, ERR_NETWORK,
            "%s: the server redirects, and asks to come back in %llu s (Retry-After)", h->base.name,
            (unsigned long long)asked);
    e->retry_after_s = asked;
    return -1;
}

static int follow_redirect(struct http_reader *h, struct transfer *t, struct range_request *q,
                           struct err *e)
{
    uint64_t asked = http_response_retry_after(&t->response, time(NULL));
    char *target = NULL;
    uint64_t now;

    curl_easy_getinfo(t->easy, CURLINFO_REDIRECT_URL, &target);
    if (++q->history.redirects > LIMIT_REDIRECTS)
        return err_set(e, ERR_PROTOCOL, "%s: more than %d redirects", h->base.name,
                       LIMIT_REDIRECTS);
    if (http_site_redirect(&h->site, target ? target : "", e) < 0)
        return err_context(e, "%s", h->base.name);
    now = io_now_ms();
    if (h->site.held_ms > now) /* this host has asked before to be left alone */
        asked = max_u64(asked, (h->site.held_ms - now + 999) / 1000);
    if (asked > LIMIT_RETRY_AFTER_S)
        return refuse_long_pause(h, asked, e);
    h->pause_ms = max_u64(h->pause_ms, now + asked * 1000);
    q->history.due_ms = 0;
    ask_again(h, q);
    return 0;
}

/* ---- is it the same archive? ---- */

/* The request that saw the new entity tag waits for the probe. */
static void send_probe(struct http_reader *h, const char *tag)
{
    if (h->probe.active)
        return;
    h->probe.active = h->probe.waiting = true;
    snprintf(h->probe.tag, sizeof h->probe.tag, "%s", tag);
    h->probe.request = (struct range_request){.offset = h->base.identity.checksum_offset,
                                              .size = sizeof h->probe.bytes,
                                              .data = h->probe.bytes};
}

static int probe_answered(struct http_reader *h, struct err *e)
{
    h->probe.active = false;
    if (identity_check(&h->base.identity, h->probe.bytes, h->base.name, h->site.failed > 0, e) < 0)
        return -1;
    identity_accept_tag(&h->base.identity, h->probe.tag);
    return 0;
}

/* ---- the end of a transfer ---- */

static int complete_request(struct http_reader *h, struct range_request *q, struct err *e)
{
    q->history.redirects = 0;
    if (q == &h->probe.request)
        return probe_answered(h, e);
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
static void explain_failure(struct transfer *t, CURLcode code, struct err *e)
{
    if (t->error.kind != ERR_NONE)
        *e = t->error;
    else if (t->header_done && t->response.status != 206)
        http_error_status(t, e);
    else
        http_error_transport(t, code, e);
}

/* Does what can be done about a failure at this origin; -1: nothing. */
static int recover_request(struct http_reader *h, struct transfer *t, struct range_request *q,
                           struct err *e)
{
    bool redirected = http_site_is_redirected(&h->site);

    forgive_failures(q);
    if (e->retry_after_s > 0 &&
        http_site_hold(&h->site, io_now_ms() + e->retry_after_s * 1000, e) < 0)
        return -1;
    if (e->retry_after_s <= LIMIT_RETRY_AFTER_S) {
        if (is_crowded(h, t, e)) {
            slow_down(h, t, q, e);
            return 0;
        }
        if (wait_and_see(h, t, q, e))
            return 0;
    }
    if (e->retry_after_s > LIMIT_RETRY_AFTER_S && http_site_is_home(&h->site))
        return -1; /* the first address is on that host, too */
    if (redirected && is_origins_fault(e->kind))
        return go_home(h, q, e);
    if (e->kind != ERR_NETWORK)
        return -1;
    return retry_later(h, q, e);
}

/* Decides on the answer of the present URL; -1: this origin has failed. */
static int decide_transfer(struct http_reader *h, struct transfer *t, CURLcode code, struct err *e)
{
    struct range_request *q = t->q;
    unsigned s = t->response.status;

    if (t->new_etag) {
        send_probe(h, t->response.etag);
        q->history.any_tag = true;
        q->history.due_ms = 0;
        ask_again(h, q);
        return 0;
    }
    if (t->error.kind == ERR_NONE && transfer_is_complete(t))
        return complete_request(h, q, e);
    if (t->header_done && t->error.kind == ERR_NONE &&
        (s == 301 || s == 302 || s == 303 || s == 307 || s == 308))
        return follow_redirect(h, t, q, e);
    explain_failure(t, code, e);
    add_place(h, q, e);
    return recover_request(h, t, q, e);
}

/* While the network was the trouble at one of several origins, a later run is worth it. */
static void remember_failure(struct http_reader *h, const struct err *e)
{
    h->network_failed = h->network_failed || e->kind == ERR_NETWORK;
    if (e->retry_after_s > 0 && (h->retry_after_s == 0 || e->retry_after_s < h->retry_after_s))
        h->retry_after_s = e->retry_after_s;
}

/* No origin is left to ask. */
static int give_up(const struct http_reader *h, struct err *e)
{
    if (h->network_failed && is_origins_fault(e->kind)) {
        e->kind = ERR_NETWORK;
        e->retry_after_s = h->retry_after_s;
    }
    return -1;
}

/* Asks the new origin, from where the request stopped. */
static void begin_anew(struct http_reader *h, struct range_request *q)
{
    q->history.due_ms = 0;
    q->history.failures = q->history.sent = q->history.redirects = 0;
    q->history.went_home = 0;
    q->history.crowded = false;
    if (q == &h->probe.request)
        q->received = 0; /* all of its bytes must be the new origin's */
    ask_again(h, q);
}

/* Moves to the next origin, past those that want to be left alone for longer than this
 * reader waits. Returns what http_site_next does. */
static int next_origin(struct http_reader *h, struct err *e)
{
    int moved;

    do
        moved = http_site_next(&h->site, e);
    while (moved > 0 && h->site.held_ms > io_now_ms() + LIMIT_RETRY_AFTER_S * 1000);
    return moved;
}

/* Goes on with the next mirror, after a probe of whether its archive is the same. */
static int fail_over(struct http_reader *h, struct range_request *q, struct err *e)
{
    struct err failure = *e;
    int moved = is_origins_fault(e->kind) ? next_origin(h, e) : 0;

    remember_failure(h, &failure);
    if (moved == 0)
        return give_up(h, e);
    if (moved < 0)
        return -1;
    h->base.name = http_site_origin(&h->site)->name;
    events_note(h->base.settings->events, "%s; going on with %s", failure.text, h->base.name);
    e->kind = ERR_NONE;
    identity_forget_tags(&h->base.identity);
    h->pause_ms = 0;
    h->connections = h->base.settings->connections;
    curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)h->connections);
    if (h->base.identity.known && q != &h->probe.request)
        send_probe(h, "");
    h->probe.active = h->base.identity.known;
    begin_anew(h, q);
    return 0;
}

int http_decide(struct http_reader *h, struct transfer *t, CURLcode code, struct err *e)
{
    struct range_request *q = t->q;
    bool outdated = t->generation != h->site.generation;

    /* The answer of an older URL counts only if it is complete. */
    if (outdated && (q == &h->probe.request || !transfer_is_complete(t))) {
        if (q == &h->probe.request)
            q->received = 0;
        q->history.due_ms = 0;
        ask_again(h, q);
        return 0;
    }
    return decide_transfer(h, t, code, e) < 0 ? fail_over(h, q, e) : 0;
}
