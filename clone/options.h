/* SPDX-License-Identifier: MIT */
/* options: the command line of ihop-clone. */
#ifndef IHOP_CLONE_OPTIONS_H
#define IHOP_CLONE_OPTIONS_H

#include "base/err.h"
#include "fetch/reader.h"
#include "format/chunk_hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum progress_style { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_JSON, PROGRESS_NONE };

struct options {
    const char *archive; /* URL or path */
    char *store;         /* folder */
    const char *release; /* name */

    bool help, version;
    bool force, dry_run, recheck, allow_short_hash, compat_store;
    bool quiet, verbose, json;
    enum progress_style progress;
    unsigned sync; /* enum store_sync */

    uint8_t pin[CHUNK_HASH_SIZE];
    bool pinned;
    const char *record_url;

    unsigned jobs;
    uint64_t max_download, max_write, min_free;
    unsigned wait_seconds;

    struct http_options http;
    char **headers; /* what http.headers points to */
    size_t header_count, header_room;
    const char **mirrors; /* what http.mirrors points to */
    size_t mirror_count, mirror_room;
    unsigned retry_delay_s, connect_timeout_s, timeout_s;
};

/* ERR_USAGE names the option and what it takes. Free with options_free in any
 * case. */
int options_parse(int argc, char **argv, struct options *o, struct err *e)
    __attribute__((warn_unused_result));
void options_free(struct options *o);

/* Prints the help text on stdout. */
void options_print_help(void);

#endif
