/* SPDX-License-Identifier: MIT */
/* device: what the kernel says about its NBD devices, in /sys/block, and whether one is in use.
 *
 * The functions only look; nbd_netlink changes. A device that is connected by us has an
 * identifier, which device_identifier makes: it names the release and the image, and stays the
 * same wherever the store is mounted, since an initramfs sees it under another path than the
 * system that it boots. Thread-safe.
 */
#ifndef IHOP_ATTACH_DEVICE_H
#define IHOP_ATTACH_DEVICE_H

#include "base/err.h"
#include "base/limits.h"
#include "format/chunk_hash.h"

#include <stdbool.h>
#include <stdint.h>

#define DEVICE_SYS_BLOCK       "/sys/block"
#define DEVICE_IDENTIFIER_SIZE (LIMIT_RELEASE_NAME + CHUNK_HASH_HEX + 16)
#define DEVICE_PATH_SIZE       32      /* of "/dev/nbd" and a number */
#define DEVICE_MAPPED          "ihop-" /* and nbdN: the name of what is opened on it */

struct device {
    bool exists;                             /* in this directory, now */
    bool connected;                          /* it has a client, ours or another one */
    bool is_ours;                            /* its identifier is one of device_identifier */
    uint64_t size;                           /* bytes */
    char identifier[DEVICE_IDENTIFIER_SIZE]; /* as the kernel has it, cut short; or "" */
    char id[CHUNK_HASH_HEX];                 /* when is_ours: of the image, 128 hex digits */
};

/* The number in "/dev/nbd3", "nbd3" or a link to one of them, or in "/dev/mapper/ihop-nbd3".
 * ERR_USAGE: it is none. */
int device_parse(const char *path, unsigned *index, struct err *e)
    __attribute__((warn_unused_result));

/* Writes "/dev/nbdN". */
void device_path(unsigned index, char path[DEVICE_PATH_SIZE]);

/* Looks at device number index below sys_block, which is DEVICE_SYS_BLOCK except in tests. What is
 * not there is no failure. ERR_IO. */
int device_look(const char *sys_block, unsigned index, struct device *device, struct err *e)
    __attribute__((warn_unused_result));

/* Fails unless device, which is number index, is connected and one of ours: ERR_NOT_FOUND,
 * ERR_OTHER_IMAGE. */
int device_require_ours(const struct device *device, unsigned index, struct err *e)
    __attribute__((warn_unused_result));

/* Fails unless the device has this identifier now: ERR_NOT_FOUND when it is not connected, and
 * ERR_OTHER_IMAGE. The kernel itself compares identifiers only for a device that has one, so that
 * it would take connections for another program's. ERR_IO. */
int device_check(const char *sys_block, unsigned index, const char *identifier, struct err *e)
    __attribute__((warn_unused_result));

/* Writes "ihop RELEASE ID". id has 128 hex digits. */
void device_identifier(const char *release, const char *id, char text[DEVICE_IDENTIFIER_SIZE]);

/* Whether no request of the device is under way, at this moment. */
bool device_is_idle(const char *sys_block, unsigned index);

/* Lets the kernel look after requests so early that one whose connection has died is sent again at
 * most timeout_s + 1 seconds after it was sent first; 0: as the kernel does by itself. Of no
 * consequence when it cannot be done. */
void device_set_timeout(const char *sys_block, unsigned index, unsigned timeout_s);

/* What device_set_timeout goes by, for a kernel with hz ticks a second: how late such a kernel may
 * be, and after which time it is told to look, both in milliseconds. Pure; timeout_s at least 1. */
unsigned device_late_ms(unsigned hz, unsigned timeout_s);
unsigned device_request_ms(unsigned hz, unsigned timeout_s);

/* Makes the kernel look for partitions, as it does when a device is opened; where udev runs, that
 * has done so already. */
void device_scan(unsigned index);

/* Opens a device, an NBD device or what lies on one, for this process alone: while *fd is open, no
 * one can mount it or put another device on it. ERR_BUSY when somebody has; ERR_IO. Reads nothing.
 */
int device_claim(const char *path, int *fd, struct err *e) __attribute__((warn_unused_result));

#endif
