/* SPDX-License-Identifier: MIT */
/* launch: starting the keeper of a device, and waiting until the device can be used.
 *
 * The keeper is a program of its own, which needs little memory for ever, beside ihop-attach or in
 * the directory where both were installed. From one thread.
 */
#ifndef IHOP_ATTACH_LAUNCH_H
#define IHOP_ATTACH_LAUNCH_H

#include "attach/job.h"
#include "base/err.h"
#include "cli/output.h"

/* Whether a keeper and a server can be started at all, of the programs that job->record names:
 * there is the keeper, and nbdkit runs and can load the plugin, which it is asked to do without
 * serving anything. Kinds: ERR_NOT_FOUND when one of them is missing, ERR_IO, ERR_MEMORY. */
int launch_check(const struct keeper_job *job, struct err *e) __attribute__((warn_unused_result));

/* Starts the keeper in the background; with job->foreground this very process becomes the keeper,
 * and another one, a copy of it, goes on here. Waits for the keeper's word, and shows its notes on
 * out, unless that is NULL. job->lock and job->release are the keeper's from then on, too; the
 * caller closes its own. Kinds: ERR_NOT_FOUND when there is no such program, ERR_IO, and all of
 * keeper_run. */
int launch_keeper(struct keeper_job *job, struct output *out, struct err *e)
    __attribute__((warn_unused_result));

#endif
