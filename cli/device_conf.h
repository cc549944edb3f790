/* SPDX-License-Identifier: MIT */
/* device_conf: device.conf in the directory of settings, which says what this device is.
 *
 * A text of KEY=VALUE lines; empty lines and those that begin with '#' say nothing. It must have
 * one line "compatible=NAME" with the device's type (format/facts.h). The file may be missing, and
 * then the device has no type; but a file that is there and cannot be understood is an error, never
 * the same as none: a slip of the pen must not let in what is for other devices. One thread.
 */
#ifndef IHOP_CLI_DEVICE_CONF_H
#define IHOP_CLI_DEVICE_CONF_H

#include "base/err.h"
#include "base/limits.h"

#define DEVICE_CONF_NAME "device.conf"

/* Reads DIRECTORY/device.conf; type becomes "" when there is none. Kinds: ERR_DAMAGED (not as
 * above, larger than LIMIT_DEVICE_CONF, no regular file), ERR_IO, ERR_MEMORY. */
int device_conf_read(const char *directory, char type[LIMIT_DEVICE_TYPE + 1], struct err *e)
    __attribute__((warn_unused_result));

/* Whether a command line's --compatible names a device type: ERR_USAGE. */
int device_type_check(const char *type, struct err *e) __attribute__((warn_unused_result));

#endif
