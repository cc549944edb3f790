/* SPDX-License-Identifier: MIT */
/* http_options: the options of every program that fetches. */
#ifndef IHOP_CLI_HTTP_OPTIONS_H
#define IHOP_CLI_HTTP_OPTIONS_H

#include "base/limits.h"
#include "cli/options.h"
#include "fetch/reader.h"

/* A member of the program's struct. */
struct http_flags {
    struct http_options http; /* complete after http_flags_finish */
    char **headers;           /* what http.headers points to */
    size_t header_count, header_room;
    const char **mirrors; /* what http.mirrors points to */
    size_t mirror_count, mirror_room;
    unsigned retry_delay_s, connect_timeout_s, timeout_s;
};

void http_flags_init(struct http_flags *flags);
void http_flags_finish(struct http_flags *flags, const struct fetch_events *events);
void http_flags_free(struct http_flags *flags);

/* To be included in a program's table, at its http_flags. */
extern const struct option_spec http_option_specs[];

#endif
