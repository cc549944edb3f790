/* SPDX-License-Identifier: MIT */
/* attach: what ihop-attach does: attach, detach, status and list. Errors have the kinds of the
 * exit codes in ihop-attach(8). */
#ifndef IHOP_ATTACH_ATTACH_H
#define IHOP_ATTACH_ATTACH_H

#include "attach/options.h"
#include "base/err.h"
#include "cli/output.h"

/* Attaches the release, leaves a keeper in the background and prints the device; with
 * --foreground this process becomes the keeper, and returns when the device is gone. */
int attach_run(const struct attach_options *o, struct output *out, struct err *e)
    __attribute__((warn_unused_result));

int detach_run(const struct attach_options *o, struct output *out, struct err *e)
    __attribute__((warn_unused_result));
int status_run(const struct attach_options *o, struct err *e) __attribute__((warn_unused_result));
int list_run(const struct attach_options *o, struct err *e) __attribute__((warn_unused_result));

#endif
