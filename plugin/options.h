/* SPDX-License-Identifier: MIT */
/* options: the plugin's parameters.
 *
 * The functions report errors through nbdkit_error and return -1, as nbdkit's callbacks
 * do. They are called before there are threads.
 */
#ifndef IHOP_PLUGIN_OPTIONS_H
#define IHOP_PLUGIN_OPTIONS_H

#include "plugin/export.h"

struct options {
    char *path;    /* path=, or the bare word on the command line */
    char *store;   /* absolute once completed */
    char *release; /* NULL: every release is an export */
    char *id;
    struct key_set keys; /* of verify-key= */
    unsigned signatures; /* 0: not given */
    bool verify_given;
    unsigned max_fds;
    bool uring; /* read from several chunks by one system call */
    bool lock;  /* memory, against being swapped out */
    struct export_options export;
};

#define OPTIONS_INIT                                                                               \
    {                                                                                              \
        .max_fds = FD_BUDGET_AUTO, .uring = true, .export = {.check = true }                       \
    }

#define OPTIONS_HELP                                                                               \
    "[path=]<STORE>/<RELEASE>  Serve this release (or, given a directory, as store=).\n"           \
    "store=<STORE>        The chunk store; alone: every release in it is an export.\n"             \
    "release=<NAME>       The release in STORE to serve.\n"                                        \
    "id=<HEX>             Refuse to start unless the image's checksum begins so.\n"                \
    "check=yes|no         Look for missing chunks first (default: yes).\n"                         \
    "verify=off|first     Hash each chunk before its first use (default: off).\n"                  \
    "verify-key=<PATH>    Serve what a key of this file or directory has signed.\n"                \
    "signatures=<N>       How many different keys must have signed (default: 1).\n"                \
    "cache=default|none   Keep what was read in the page cache or drop it.\n"                      \
    "maxfds=<N>           Keep at most N chunk files open (default: by memory).\n"                 \
    "uring=on|off         Read several chunks by one system call (default: on).\n"                 \
    "lock=off|on          Keep the server's memory from being swapped out (default: off)."

int options_set(struct options *o, const char *key, const char *value)
    __attribute__((warn_unused_result));

/* Checks all parameters together, and finds the store and the release. */
int options_complete(struct options *o) __attribute__((warn_unused_result));
void options_free(struct options *o);

#endif
