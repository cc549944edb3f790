/* SPDX-License-Identifier: MIT */
/* network_options: the options of every program that fetches, and what they mean for the
 * reader: struct http_settings. */
#ifndef IHOP_CLI_NETWORK_OPTIONS_H
#define IHOP_CLI_NETWORK_OPTIONS_H

#include "cli/options.h"
#include "reader/http.h"

/* A member of the struct that holds the program's options. */
struct network_options {
    struct http_settings http; /* complete after network_options_finish */
    char **headers;            /* what http.headers points to */
    size_t header_count, header_capacity;
    const char **mirrors; /* what http.mirrors points to */
    size_t mirror_count, mirror_capacity;
    unsigned retry_delay_s, connect_timeout_s, timeout_s;
};

/* Sets the defaults, before options_parse. */
void network_options_init(struct network_options *network);

/* Completes network->http, after options_parse. events: for the reader's notes. */
void network_options_finish(struct network_options *network, const struct events *events);

void network_options_free(struct network_options *network);

extern const struct option_spec network_option_specs[];

/* The row of a program's table that includes these; at: the offset of its network_options. */
#define OPTIONS_NETWORK(at)                                                                        \
    {                                                                                              \
        "", 0, OPTION_TABLE, at, .table = network_option_specs                                     \
    }

#endif
