/* SPDX-License-Identifier: MIT */
/* detach: taking a device away that nobody uses, with verity on it, its server and its record. */
#ifndef IHOP_ATTACH_DETACH_H
#define IHOP_ATTACH_DETACH_H

#include "attach/nbd_netlink.h"
#include "attach/process.h"
#include "base/err.h"

/* Takes a device away that is not in use, ends its server and removes its record; for whoever holds
 * the record's lock. Kinds: ERR_BUSY; those of nbd_netlink_send. */
int detach_device(unsigned index, const char *directory, struct nbd_netlink *channel,
                  const struct process *server, struct err *e) __attribute__((warn_unused_result));

#endif
