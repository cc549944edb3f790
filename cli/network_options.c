/* SPDX-License-Identifier: MIT */
#include "cli/network_options.h"

#include "base/array.h"
#include "base/limits.h"
#include "reader/open.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_CONNECTIONS 4
#define DEFAULT_RETRIES     5

void network_options_init(struct network_options *network)
{
    *network = (struct network_options){
        .http = {.connections = DEFAULT_CONNECTIONS, .retries = DEFAULT_RETRIES},
        .retry_delay_s = 1,
        .connect_timeout_s = 15,
        .timeout_s = 30,
    };
}

static int add_line(struct network_options *network, const char *line, struct err *e)
{
    const char *colon = strchr(line, ':');

    /* The message must not repeat the line, which may be a secret. */
    if (!colon || colon == line || strpbrk(line, "\r\n"))
        return err_set(e, ERR_USAGE, "--header takes one line of the form 'Name: value'");
    if (array_grow((void **)&network->headers, &network->header_capacity, network->header_count,
                   sizeof *network->headers, e) < 0)
        return -1;
    network->headers[network->header_count] = strdup(line);
    if (!network->headers[network->header_count])
        return err_nomem(e, "reading the command line");
    network->header_count++;
    return 0;
}

static int read_headers(const char *path, char text[LIMIT_HEADER_FILE + 2], struct err *e)
{
    FILE *file = fopen(path, "re");
    size_t n;
    int failure;

    if (!file)
        return err_sys(e, errno, "cannot read the headers in %s", path);
    n = fread(text, 1, LIMIT_HEADER_FILE + 1, file);
    failure = ferror(file) ? errno : 0;
    fclose(file);
    if (failure)
        return err_sys(e, failure, "cannot read the headers in %s", path);
    if (n > LIMIT_HEADER_FILE || memchr(text, '\0', n))
        return err_set(e, ERR_USAGE, "%s is no file of headers: it has more than %zu KiB, or zeros",
                       path, LIMIT_HEADER_FILE / 1024);
    text[n] = '\0';
    return 0;
}

static int add_lines_of_file(struct network_options *network, const char *path, struct err *e)
{
    char text[LIMIT_HEADER_FILE + 2], *rest = text, *line;

    if (read_headers(path, text, e) < 0)
        return -1;
    while ((line = strsep(&rest, "\n"))) {
        line[strcspn(line, "\r")] = '\0';
        if (*line && *line != '#' && add_line(network, line, e) < 0)
            return err_context(e, "%s", path);
    }
    return 0;
}

static int add_header(void *network, const char *value, const char *unused, struct err *e)
{
    (void)unused;
    return value[0] == '@' ? add_lines_of_file(network, value + 1, e) : add_line(network, value, e);
}

static int add_mirror(void *target, const char *url, const char *unused, struct err *e)
{
    struct network_options *network = target;

    (void)unused;
    if (!reader_is_url(url))
        return err_set(e, ERR_USAGE, "--mirror takes a URL, not '%s'", url);
    if (array_grow((void **)&network->mirrors, &network->mirror_capacity, network->mirror_count,
                   sizeof *network->mirrors, e) < 0)
        return -1;
    network->mirrors[network->mirror_count++] = url;
    return 0;
}

#define AT(member) offsetof(struct network_options, member)

const struct option_spec network_option_specs[] = {
    {"connections", 0, OPTION_NUMBER, AT(http.connections), "N", "ranges to fetch at a time [4]", 1,
     LIMIT_CONNECTIONS},
    {"limit-rate", 0, OPTION_SIZE, AT(http.limit_rate), "SIZE",
     "download at most this many bytes a second", 1, INT64_MAX},
    {"mirror", 0, OPTION_CALL, 0, "URL", "where else the same archive is; may be repeated",
     .call = add_mirror},
    {"header", 'H', OPTION_CALL, 0, "LINE|@FILE",
     "send this HTTP header; from FILE: one on each line", .call = add_header},
    {"http-header", 0, OPTION_CALL, 0, "LINE|@FILE", NULL, .call = add_header},
    {"cacert", 0, OPTION_TEXT, AT(http.cacert), "FILE", "trust these CA certificates"},
    {"cert", 0, OPTION_TEXT, AT(http.cert), "FILE", "client certificate"},
    {"key", 0, OPTION_TEXT, AT(http.key), "FILE", "its private key"},
    {"proxy", 'x', OPTION_TEXT, AT(http.proxy), "URL", "use this proxy [http_proxy, https_proxy]"},
    {"retry", 0, OPTION_NUMBER, AT(http.retries), "N",
     "how often to try again when a range fails [5]", 0, LIMIT_RETRIES},
    {"http-retry-count", 0, OPTION_NUMBER, AT(http.retries), "N", NULL, 0, LIMIT_RETRIES},
    {"retry-delay", 0, OPTION_NUMBER, AT(retry_delay_s), "SECONDS",
     "before the first retry; doubles [1]", 0, LIMIT_WAIT_S},
    {"http-retry-delay", 0, OPTION_NUMBER, AT(retry_delay_s), "SECONDS", NULL, 0, LIMIT_WAIT_S},
    {"connect-timeout", 0, OPTION_NUMBER, AT(connect_timeout_s), "SECONDS",
     "to reach the server [15]", 1, LIMIT_WAIT_S},
    {"timeout", 0, OPTION_NUMBER, AT(timeout_s), "SECONDS",
     "without data, until a try counts as failed [30]", 1, LIMIT_WAIT_S},
    {"http-timeout", 0, OPTION_NUMBER, AT(timeout_s), "SECONDS", NULL, 1, LIMIT_WAIT_S},
    {NULL},
};

void network_options_finish(struct network_options *network, const struct events *events)
{
    struct http_settings *http = &network->http;

    http->headers = (const char *const *)network->headers;
    http->header_count = network->header_count;
    http->mirrors = network->mirrors;
    http->mirror_count = network->mirror_count;
    http->retry_delay_ms = network->retry_delay_s * 1000;
    http->connect_timeout_ms = network->connect_timeout_s * 1000;
    http->timeout_ms = network->timeout_s * 1000;
    http->events = events;
    /* Each connection more would fill a socket buffer beyond the limit on the rate. */
    if (http->limit_rate)
        http->connections = 1;
}

void network_options_free(struct network_options *network)
{
    for (size_t i = 0; i < network->header_count; i++)
        free(network->headers[i]);
    free(network->headers);
    free(network->mirrors);
}
