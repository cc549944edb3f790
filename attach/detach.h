/* SPDX-License-Identifier: MIT */
/* detach: taking a device away that nobody uses, with verity on it, its server and its record. */
#ifndef IHOP_ATTACH_DETACH_H
#define IHOP_ATTACH_DETACH_H

#include "attach/nbd_netlink.h"
#include "attach/process.h"
#include "base/err.h"

#include <stdbool.h>

/* Takes a device away that has this identifier and is not in use, ends its server and removes its
 * record; for whoever holds the record's lock. *disconnected tells, also after a failure, whether
 * that has been done: a program that has the device open may keep its name a while (ERR_BUSY).
 * Kinds: ERR_BUSY; those of device_check and nbd_netlink_send. */
int detach_device(unsigned index, const char *identifier, struct nbd_netlink *channel,
                  const struct process *server, bool *disconnected, struct err *e)
    __attribute__((warn_unused_result));

#endif
