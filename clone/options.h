/* SPDX-License-Identifier: MIT */
/* options: the command line of ihop-clone. Texts belong to argv, except store. */
#ifndef IHOP_CLONE_OPTIONS_H
#define IHOP_CLONE_OPTIONS_H

#include "base/err.h"
#include "cli/network_options.h"
#include "cli/options.h"
#include "cli/trust_options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clone_options {
    const char *archive; /* URL or path */
    char *store;         /* path of its directory */
    const char *release; /* its name */

    struct common_options common;
    bool force, dry_run, recheck, compat_store;
    unsigned sync; /* enum store_sync */

    struct trust_options trust;
    const char *record_url;
    const char *delta; /* the delta pack to use; NULL: what is found */
    bool no_delta;

    unsigned jobs;
    uint64_t max_download, max_write, min_free; /* bytes */
    bool make_room;
    const char **seeds;
    size_t seed_count, seed_capacity;
    unsigned wait_seconds;
    bool try;
    unsigned tries; /* of --try; 0: as many as usual */

    struct network_options network;
};

/* Parses the command line. ERR_USAGE names the option and what it takes. The caller frees *o,
 * even after a failure. */
int clone_options_parse(int argc, char **argv, struct clone_options *o, struct err *e)
    __attribute__((warn_unused_result));
void clone_options_free(struct clone_options *o);

/* Prints the help text on stdout. */
void clone_options_help(void);

#endif
