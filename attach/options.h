/* SPDX-License-Identifier: MIT */
/* options: the command line of ihop-attach. */
#ifndef IHOP_ATTACH_OPTIONS_H
#define IHOP_ATTACH_OPTIONS_H

#include "attach/verity_table.h"
#include "base/err.h"
#include "cli/key_options.h"
#include "cli/options.h"

#include <stdbool.h>
#include <stddef.h>

struct attach_options {
    struct common_options common;
    bool detach, upgrade, watch, status, list, foreground, boot;
    const char **skips; /* with boot: releases not to choose */
    size_t skip_count, skip_capacity;
    unsigned connections, timeout_s, dead_timeout_s; /* 0: not given */
    const char *id;     /* hex digits with which the image's id must begin; NULL: any */
    const char *verity; /* as given; "" when without a value, NULL: not given */
    struct verity_demand verity_demand; /* with verity */
    struct key_options keys;            /* read when something is to be attached */
    const char *nbdkit;                 /* the program, or NULL */
    const char *plugin;                 /* NULL: the one that was installed with this program */
    const char *operands[2];            /* NULL: not given */
    char *const *parameters;            /* of the plugin, ended by NULL */
};

/* Fills options from the command line, whose words live as long as they. The
 * caller frees *options, also after a failure. ERR_USAGE, and the kinds of key_options_load. */
int attach_options_parse(int argc, char **argv, struct attach_options *options, struct err *e)
    __attribute__((warn_unused_result));

void attach_options_free(struct attach_options *options);

void attach_options_help(void);

#endif
