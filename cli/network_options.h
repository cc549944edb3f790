/* SPDX-License-Identifier: MIT */
/* network_options: the options of every program that fetches. */
#ifndef IHOP_CLI_NETWORK_OPTIONS_H
#define IHOP_CLI_NETWORK_OPTIONS_H

#include "base/limits.h"
#include "cli/options.h"
#include "reader/http.h"

/* A member of the program's struct. */
struct network_options {
    struct http_settings http; /* complete after network_options_finish */
    char **headers;            /* what http.headers points to */
    size_t header_count, header_capacity;
    const char **mirrors; /* what http.mirrors points to */
    size_t mirror_count, mirror_capacity;
    unsigned retry_delay_s, connect_timeout_s, timeout_s;
};

void network_options_init(struct network_options *network);
void network_options_finish(struct network_options *network, const struct events *events);
void network_options_free(struct network_options *network);

/* To be included in a program's table, at its network_options. */
extern const struct option_spec network_option_specs[];

#endif
