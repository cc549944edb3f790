/* SPDX-License-Identifier: MIT */
#include "fetch/http_error.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define CERT_NOT_YET_VALID 9 /* X509_V_ERR_CERT_NOT_YET_VALID */

int http_error_status(unsigned s, struct err *e)
{
    if (s == 404 || s == 410)
        return err_set(e, ERR_NOT_FOUND,
                       "the server has no such archive (status %u): check the "
                       "address",
                       s);
    if (s == 401 || s == 403 || s == 407)
        return err_set(e, ERR_REFUSED,
                       "the server refuses access (status %u): check the "
                       "credentials%s",
                       s, s == 407 ? " for the proxy" : "");
    if (s == 416)
        return err_set(e, ERR_PROTOCOL,
                       "the server says that the range lies outside the archive "
                       "(status 416): it changed, or the server is at fault");
    if (s >= 500 || s == 408 || s == 425 || s == 429)
        return err_set(e, ERR_NETWORK, "the server is unable to answer (status %u)", s);
    return err_set(e, ERR_PROTOCOL, "the server answers with status %u", s);
}

static int not_yet_valid(struct err *e)
{
    time_t now = time(NULL);
    char date[64] = "";
    struct tm tm;

    if (gmtime_r(&now, &tm))
        strftime(date, sizeof date, "%Y-%m-%d %H:%M UTC", &tm);
    return err_set(e, ERR_NETWORK,
                   "the server's certificate is not valid yet; this device's clock "
                   "says %s: set the clock",
                   date);
}

int http_error_transport(CURL *easy, CURLcode code, char *detail, struct err *e)
{
    const char *text = detail[0] ? detail : curl_easy_strerror(code);
    long verify = 0;

    text_make_printable(detail);
    /* libcurl repeats the proxy's address here, with its password. */
    if (strncmp(detail, "Unsupported proxy", 17) == 0)
        return err_set(e, ERR_USAGE,
                       "the proxy's address cannot be used (--proxy, http_proxy or https_proxy): "
                       "write http://HOST:PORT");
    switch (code) {
    case CURLE_OK: /* a body without a length, that ended early */
        return err_set(e, ERR_NETWORK, "the connection closed too early");
    case CURLE_PEER_FAILED_VERIFICATION:
        curl_easy_getinfo(easy, CURLINFO_SSL_VERIFYRESULT, &verify);
        if (verify == CERT_NOT_YET_VALID)
            return not_yet_valid(e);
        return err_set(e, ERR_REFUSED, "the server's identity cannot be trusted: %s", text);
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return err_set(e, ERR_REFUSED, "TLS failed: %s", text);
    case CURLE_SSL_CACERT_BADFILE:
        return err_set(e, ERR_USAGE, "the CA certificates cannot be read: %s", text);
    case CURLE_OUT_OF_MEMORY:
        return err_nomem(e, "downloading");
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return err_set(e, ERR_PROTOCOL, "the server does not speak proper HTTP: %s", text);
    default:
        return err_set(e, ERR_NETWORK, "%s", text);
    }
}
