/* SPDX-License-Identifier: MIT */
/* notify: tells the service manager that started this program that the device is there.
 *
 * The protocol is that of sd_notify(3): one datagram of VARIABLE=VALUE lines to the socket that
 * NOTIFY_SOCKET names. It takes ten lines and no libsystemd, which would be in each initramfs.
 * Without that variable nothing is done. May be used by any thread. */
#ifndef IHOP_ATTACH_NOTIFY_H
#define IHOP_ATTACH_NOTIFY_H

#include "base/err.h"

#include <sys/types.h>

/* The device is attached, and the process KEEPER is what is to be watched from now on: it is not
 * the caller when another one keeps the device already. ERR_IO: the manager was not reached. */
int notify_ready(pid_t keeper, struct err *e) __attribute__((warn_unused_result));

#endif
