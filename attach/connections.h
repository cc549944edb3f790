/* SPDX-License-Identifier: MIT */
/* connections: the sockets between a server and a device of the kernel.
 *
 * The kernel gets a copy of each socket and uses it alone; the keeper's own copy, which it never
 * reads or writes, shows by POLLHUP that a connection has died, be it that the server has ended
 * or that the kernel has given up on it. One thread at a time.
 */
#ifndef IHOP_ATTACH_CONNECTIONS_H
#define IHOP_ATTACH_CONNECTIONS_H

#include "attach/nbd_handshake.h"
#include "attach/nbd_netlink.h"
#include "attach/server.h"
#include "base/err.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct connections {
    int fds[LIMIT_CONNECTIONS]; /* -1: none */
    unsigned count;
};

/* count empty places. */
void connections_init(struct connections *c, unsigned count);

/* Makes a connection for each empty place, and does its handshake. All must be about size bytes
 * that are read-only, or it is ERR_OTHER_IMAGE or ERR_PROTOCOL. Otherwise kinds as those of
 * server_connect and nbd_handshake. After a failure the places that were empty are empty. */
int connections_make(struct connections *c, struct server *server, uint64_t size,
                     struct nbd_patience patience, struct nbd_export *export, struct err *e)
    __attribute__((warn_unused_result));

/* Closes those that have died, which makes their places empty; returns how many there are. */
unsigned connections_drop_dead(struct connections *c);

/* Ends all connections, for the kernel, too, and makes all places empty. Both directions at once:
 * if the server saw the end of its input while it can still answer, nbdkit would answer what it has
 * got with ESHUTDOWN, which the kernel passes on as a failed read. */
void connections_end(struct connections *c);

/* Copies the connections that the kernel uses from another keeper, a descriptor of whose process is
 * given, to the places of c, as far as they are found: so they can be ended at once, instead of
 * with their server. */
void connections_copy(struct connections *c, int keeper_pidfd);

/* Closes the keeper's copies alone: the kernel goes on. */
void connections_close(struct connections *c);

/* Gives the connections in c to a device that has none. Kinds of nbd_netlink_send. */
int connections_connect(const struct connections *c, struct nbd_netlink *channel, unsigned index,
                        const struct nbd_setup *setup, struct err *e)
    __attribute__((warn_unused_result));

/* Asks the kernel to set the timeouts of setup on the device, and gives it no connection: so it is
 * known whether it would take one, before an old server is ended. Kinds of nbd_netlink_send. */
int connections_probe(struct nbd_netlink *channel, unsigned index, const struct nbd_setup *setup,
                      struct err *e) __attribute__((warn_unused_result));

/* Gives those connections in c that the kernel does not have yet to a device, each in place of one
 * that has died there. The kernel takes as many as it has dead ones, and says nothing about the
 * rest; so this gives them again until all are taken. ERR_BUSY when that does not come to an
 * end: an old server, that nobody knows, still serves the device. Else kinds of
 * nbd_netlink_send. */
int connections_replace(const struct connections *c, struct nbd_netlink *channel, unsigned index,
                        const struct nbd_setup *setup, struct err *e)
    __attribute__((warn_unused_result));

#endif
