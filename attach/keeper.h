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

#include "attach/nbd_netlink.h"
#include "attach/record.h"
#include "attach/server.h"
#include "base/err.h"

#include <stdbool.h>

struct keeper_job {
    unsigned index;        /* of the device */
    const char *directory; /* of records, whose lock for this device the caller holds */
    struct nbd_netlink *channel;
    struct server_command server;
    struct record record; /* what was asked for; the keeper fills in the processes */
    bool take_over;       /* the device is connected already */
    bool foreground;      /* messages go to stderr, else to the kernel's log */
    /* Called once, when the device can be used. */
    void (*ready)(void *user);
    void *user;
};

/* Attaches the device and keeps it until somebody takes it away: returns 0 when the device is
 * gone. SIGTERM and SIGINT detach a device that is not in use, and do nothing to one that is. -1
 * only before ready was called: kinds of server_start, server_connect, nbd_handshake and
 * nbd_netlink_send. The device is as it was then. */
int keeper_run(struct keeper_job *job, struct err *e) __attribute__((warn_unused_result));

/* Takes a device away that is not in use, and ends its server; for whoever holds the record's
 * lock. Kinds: ERR_BUSY; those of nbd_netlink_send. */
int keeper_detach(unsigned index, const char *directory, struct nbd_netlink *channel,
                  const struct process *server, struct err *e) __attribute__((warn_unused_result));

#endif
