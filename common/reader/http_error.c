/* SPDX-License-Identifier: MIT */
/* http_error: most of libcurl's codes stand for several causes, of which only some may heal
 * and are worth another try. So the cause decides, as far as it can be told. */
#include "reader/http_error.h"

#include "base/text.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define CERT_NOT_YET_VALID 9  /* X509_V_ERR_CERT_NOT_YET_VALID */
#define CERT_HAS_EXPIRED   10 /* X509_V_ERR_CERT_HAS_EXPIRED */

/* ---- libcurl's memory ---- */

/* Whether an allocation of libcurl has failed, in any of its threads. For a header line
 * beyond its limit, libcurl says "out of memory", too. */
static atomic_bool memory_failed;

static void *watched(void *memory)
{
    if (!memory)
        atomic_store(&memory_failed, true);
    return memory;
}

static void *watched_malloc(size_t size)
{
    return watched(malloc(size));
}

static void *watched_realloc(void *old, size_t size)
{
    return watched(realloc(old, size));
}

static char *watched_strdup(const char *text)
{
    return watched(strdup(text));
}

static void *watched_calloc(size_t count, size_t size)
{
    return watched(calloc(count, size));
}

CURLcode http_error_init(void)
{
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, watched_malloc, free, watched_realloc,
                                watched_strdup, watched_calloc);
}

/* ---- statuses ---- */

static int access_refused(const struct transfer *t, struct err *e)
{
    const struct http_response *r = &t->response;

    if (r->status == 407)
        return err_set(e, ERR_REFUSED,
                       "the proxy refuses access (status 407): give a user and password, as "
                       "http://USER:PASSWORD@HOST:PORT in --proxy or the environment");
    if (r->status == 403)
        return err_set(e, ERR_REFUSED,
                       "the server refuses access (status 403): check the credentials, or the "
                       "file's rights on the server");
    if (*r->challenge && !r->offers_basic)
        return err_set(e, ERR_REFUSED,
                       "the server refuses access (status 401): it wants %s authentication, and "
                       "ihop sends Basic (a user and password in the URL) or a header that you "
                       "give (--header 'Authorization: ...')",
                       r->challenge);
    return err_set(e, ERR_REFUSED, "the server refuses access (status 401): %s",
                   t->with_user ? "check the user and password in the URL"
                                : "check the credentials (http://USER:PASSWORD@HOST/..., or "
                                  "--header 'Authorization: ...')");
}

/* To plain HTTP at a port for HTTPS, a web server answers with status 400 and says in the
 * body what it wants. */
static bool wants_https(const struct transfer *t)
{
    return t->response.status == 400 &&
           (strcasestr(t->excerpt, "https") || strcasestr(t->excerpt, "ssl"));
}

static int server_unable(const struct transfer *t, struct err *e)
{
    uint64_t asked = http_response_retry_after(&t->response, time(NULL));

    if (asked == 0)
        return err_set(e, ERR_NETWORK, "the server is unable to answer (status %u)",
                       t->response.status);
    err_set(e, ERR_NETWORK,
            "the server is unable to answer (status %u) and asks to come back in %llu s "
            "(Retry-After)",
            t->response.status, (unsigned long long)asked);
    e->retry_after_s = asked;
    return -1;
}

int http_error_status(const struct transfer *t, struct err *e)
{
    unsigned s = t->response.status;

    if (s == 200)
        return http_error_not_a_range(&t->response, e);
    if (s == 404 || s == 410)
        return err_set(e, ERR_NOT_FOUND,
                       "the server has no such archive (status %u): check the "
                       "address",
                       s);
    if (s == 401 || s == 403 || s == 407)
        return access_refused(t, e);
    if (s == 416)
        return err_set(e, ERR_PROTOCOL,
                       "the server says that the range lies outside the archive "
                       "(status 416): it changed or is empty, or the server is at fault");
    if (s >= 500 || s == 408 || s == 425 || s == 429)
        return server_unable(t, e);
    if (wants_https(t))
        return err_set(e, ERR_PROTOCOL,
                       "the server answers with status 400: this port speaks https, so write "
                       "https:// in the address");
    return err_set(e, ERR_PROTOCOL, "the server answers with status %u", s);
}

int http_error_not_a_range(const struct http_response *r, struct err *e)
{
    if (r->has_length && r->length == 0)
        return err_set(e, ERR_ARCHIVE,
                       "the archive is empty on the server (0 bytes, status 200): upload it "
                       "again");
    if (r->html)
        return err_set(e, ERR_PROTOCOL,
                       "the server sends a web page in place of the archive (text/html, status "
                       "200): a login page, or the wrong address");
    return err_set(e, ERR_PROTOCOL,
                   "the server ignores ranges (status 200 to a range request), as python3 -m "
                   "http.server does: use a server or proxy that supports them, such as nginx");
}

/* ---- transports ---- */

static bool has_any_word(const char *text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcasestr(text, words[i]))
            return true;
    return false;
}

#define HAS_ANY(text, words) has_any_word(text, words, sizeof words / sizeof *words)

static const char *clock_text(char date[64])
{
    time_t now = time(NULL);
    struct tm tm;

    if (!gmtime_r(&now, &tm) || strftime(date, 64, "%Y-%m-%d %H:%M UTC", &tm) == 0)
        return "nothing";
    return date;
}

static int bad_certificate(CURL *easy, const char *text, struct err *e)
{
    long verify = 0, proxy = 0;
    char date[64];

    curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verify);
    curl_easy_getinfo(easy, CURLINFO_PROXY_SSL_VERIFYRESULT, &proxy);
    if (verify == CERT_NOT_YET_VALID || proxy == CERT_NOT_YET_VALID)
        return err_set(e, ERR_NETWORK,
                       "the server's certificate is not valid yet; this device's clock "
                       "says %s: set the clock",
                       clock_text(date));
    if (verify == CERT_HAS_EXPIRED || proxy == CERT_HAS_EXPIRED)
        return err_set(e, ERR_REFUSED,
                       "the server's identity cannot be trusted: its certificate has expired, or "
                       "this device's clock is wrong, which says %s: set the clock, or renew the "
                       "certificate",
                       clock_text(date));
    return err_set(e, ERR_REFUSED, "the server's identity cannot be trusted: %s", text);
}

/* A handshake has failed: because the peer does not speak TLS, or because it refuses and
 * says why, or else because the connection broke. (The words are OpenSSL's and GnuTLS's.) */
static int bad_handshake(const char *text, struct err *e)
{
    static const char *const no_tls[] = {"wrong version number", "packet length too long",
                                         "unknown protocol",     "http request",
                                         "record too long",      "unexpected TLS packet"};
    static const char *const broken[] = {"internal error", "bad record mac", "user canceled",
                                         "unexpected eof"};
    static const char *const identity[] = {"alert bad certificate", "certificate required",
                                           "alert unknown ca", "alert certificate",
                                           "alert access denied"};
    static const char *const refusals[] = {
        " alert ",        "unrecognized name", "too small",  "unsupported protocol",
        "no protocols",   "no shared cipher",  "no ciphers", "unsafe legacy",
        "version too low"};

    if (HAS_ANY(text, no_tls))
        return err_set(e, ERR_PROTOCOL,
                       "the server does not speak TLS there: does this port speak https, or is "
                       "it one for http:// addresses? (%s)",
                       text);
    if (HAS_ANY(text, broken))
        return err_set(e, ERR_NETWORK, "%s", text);
    if (HAS_ANY(text, identity))
        return err_set(e, ERR_REFUSED,
                       "the server refuses this device's certificate: check --cert and --key (%s)",
                       text);
    return err_set(e, HAS_ANY(text, refusals) ? ERR_PROTOCOL : ERR_NETWORK, "%s", text);
}

/* A proxy was asked for a tunnel and refused; libcurl calls that a failed connection. */
static int bad_tunnel(long status, struct err *e)
{
    if (status == 407)
        return err_set(e, ERR_REFUSED,
                       "the proxy refuses access (status 407): give a user and password, as "
                       "http://USER:PASSWORD@HOST:PORT in --proxy or the environment");
    if (status >= 500 || status == 408 || status == 429)
        return err_set(e, ERR_NETWORK, "the proxy cannot reach the server (status %ld)", status);
    return err_set(e, ERR_REFUSED, "the proxy refuses to connect to the server (status %ld)",
                   status);
}

static int no_proper_http(const struct transfer *t, const char *text, struct err *e)
{
    bool plain = strncasecmp(t->url, "http:", 5) == 0;
    long connects = 1;

    /* Without an answer, the rubbish may be left over from the request before on this
     * connection: a new connection will tell. */
    curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
    if (connects == 0 && t->response.status == 0)
        return err_set(e, ERR_NETWORK, "the connection was out of step: %s", text);
    return err_set(e, ERR_PROTOCOL, "the server does not speak proper HTTP: %s%s", text,
                   plain ? " (is this its port for http, or one for https?)" : "");
}

static int out_of_memory(struct transfer *t, struct err *e)
{
    curl_off_t sent_us = 0;

    curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME_T, &sent_us);
    if (atomic_load(&memory_failed) || sent_us == 0 || t->header_done || *t->curl_text)
        return err_nomem(e, "downloading");
    return err_set(e, ERR_PROTOCOL, "the server sends a header line that is too long");
}

/* Failures of the network, which may be over in a minute. */
static bool may_heal(CURLcode code)
{
    static const CURLcode codes[] = {
        CURLE_OK, /* a body without a length has ended early */
        CURLE_COULDNT_RESOLVE_PROXY,
        CURLE_COULDNT_RESOLVE_HOST,
        CURLE_COULDNT_CONNECT,
        CURLE_PARTIAL_FILE,
        CURLE_OPERATION_TIMEDOUT,
        CURLE_GOT_NOTHING,
        CURLE_SEND_ERROR,
        CURLE_RECV_ERROR,
        CURLE_INTERFACE_FAILED,
        CURLE_AGAIN,
        CURLE_SSL_SHUTDOWN_FAILED,
        CURLE_SSL_INVALIDCERTSTATUS,
        CURLE_NO_CONNECTION_AVAILABLE,
        CURLE_PROXY,
    };

    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (codes[i] == code)
            return true;
    return false;
}

static int explain_code(struct transfer *t, CURLcode code, const char *text, struct err *e)
{
    switch (code) {
    case CURLE_OK:
    case CURLE_PARTIAL_FILE:
        return err_set(e, ERR_NETWORK, "the connection closed too early");
    case CURLE_PEER_FAILED_VERIFICATION:
        return bad_certificate(t->easy, text, e);
    case CURLE_RECV_ERROR: /* an alert comes late with TLS 1.3 */
        if (strstr(text, "chunked-encoding"))
            return no_proper_http(t, text, e);
        return bad_handshake(text, e);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SEND_ERROR:
        return bad_handshake(text, e);
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return err_set(e, ERR_REFUSED, "TLS failed: %s", text);
    case CURLE_SSL_CERTPROBLEM:
        return err_set(e, ERR_USAGE,
                       "the client certificate or its key cannot be used (--cert, --key): %s",
                       text);
    case CURLE_SSL_CACERT_BADFILE:
        return err_set(e, ERR_USAGE, "the CA certificates cannot be read: %s", text);
    case CURLE_OUT_OF_MEMORY:
        return out_of_memory(t, e);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return no_proper_http(t, text, e);
    default:
        if (may_heal(code))
            return err_set(e, ERR_NETWORK, "%s", text);
        return err_set(e, ERR_PROTOCOL, "the answer cannot be used: %s (libcurl's error %d)", text,
                       (int)code);
    }
}

int http_error_transport(struct transfer *t, CURLcode code, struct err *e)
{
    const char *text = t->curl_text[0] ? t->curl_text : curl_easy_strerror(code);
    long tunnel = 0;

    text_make_printable(t->curl_text);
    /* libcurl repeats the proxy's address here, with its password. */
    if (strncmp(t->curl_text, "Unsupported proxy", 17) == 0)
        return err_set(e, ERR_USAGE,
                       "the proxy's address cannot be used (--proxy, http_proxy or https_proxy): "
                       "write http://HOST:PORT");
    curl_easy_getinfo(t->easy, CURLINFO_HTTP_CONNECTCODE, &tunnel);
    if (tunnel >= 300)
        return bad_tunnel(tunnel, e);
    return explain_code(t, code, text, e);
}
