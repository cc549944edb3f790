/* SPDX-License-Identifier: MIT */
/* keeper: the process that keeps a device alive: it watches the server and the connections, and
 * gives the device a new server when one dies or hangs.
 *
 * The keeper sleeps until one of them changes. It may be killed at any time: the kernel and the
 * server go on, and the next keeper takes over. How a device, a connection and a server work, it
 * leaves to their modules.
 */
#ifndef IHOP_ATTACH_KEEPER_H
#define IHOP_ATTACH_KEEPER_H

#include "attach/job.h"
#include "base/err.h"

/* Attaches the device, or takes it over from whoever kept it, and keeps it until somebody takes it
 * away: returns 0 when the device is gone. SIGTERM and SIGINT detach a device that is not in
 * use, and do nothing to one that is. With job->mapped the service manager hears of the device
 * when SIGUSR1 comes, and a SIGTERM that carries a number (sigqueue) says that there is nothing to
 * hear of: *exit_code is that number at the end, and else 0. -1, without a report, only when the
 * device is as it was before: kinds of server_start, server_connect, nbd_handshake and
 * nbd_netlink_send. */
int keeper_run(struct keeper_job *job, int *exit_code, struct err *e)
    __attribute__((warn_unused_result));

#endif
