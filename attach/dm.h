/* SPDX-License-Identifier: MIT */
/* dm: devices of the kernel's device mapper, by its ioctls (<linux/dm-ioctl.h>), without
 * libdevmapper, which would bring udev, SELinux and PCRE into an initramfs.
 *
 * A device is created whole or not at all: an empty one, its table, the resume that makes the
 * table count, and the name in /dev/mapper. That name is a link to /dev/dm-N, and made here
 * whether udev runs or not: udev's rules make the same one if they are installed, and find it
 * there. The resume tells udev that it comes from whoever owns the device
 * (DM_UDEV_PRIMARY_SOURCE_FLAG), or a later "udevadm trigger" would hide the device; nobody
 * waits for udev, so there is no semaphore.
 *
 * Functions take the descriptor of dm_open, and may be used by any thread but for dm_suspend,
 * which uses the process's timer and its SIGALRM.
 */
#ifndef IHOP_ATTACH_DM_H
#define IHOP_ATTACH_DM_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DM_NAME_SIZE  128 /* with the NUL, as the kernel's */
#define DM_UUID_SIZE  129
#define DM_TYPE_SIZE  16
#define DM_TABLE_SIZE 2048 /* of one target's parameters, as text */

struct dm_number {
    unsigned major, minor;
};

/* What the kernel says about a device. */
struct dm_state {
    bool exists;
    bool is_active;    /* it has a table that counts; false: somebody was interrupted making it */
    bool is_suspended; /* reads wait until it is resumed */
    bool is_readonly;
    unsigned open_count; /* mounts, other devices on it, and programs that read it */
    struct dm_number number;
    char uuid[DM_UUID_SIZE];
};

/* A read-only table of one line. */
struct dm_target {
    const char *type;       /* "verity" */
    const char *parameters; /* less than DM_TABLE_SIZE bytes */
    uint64_t sectors;       /* of 512 bytes */
};

/* Opens the control device, making its node if it is missing, which makes the kernel load the
 * module. Kinds: ERR_NOT_FOUND when this kernel has no device mapper, ERR_REFUSED, ERR_IO. */
int dm_open(int *control, struct err *e) __attribute__((warn_unused_result));

/* Loads the module of a target and looks whether the kernel has it now: ERR_NOT_FOUND, with the
 * option of the kernel, if not. */
int dm_require(int control, const char *type, const char *option, struct err *e)
    __attribute__((warn_unused_result));

/* Looks at the device of that name. One that is not there is no failure. ERR_IO. */
int dm_look(int control, const char *name, struct dm_state *state, struct err *e)
    __attribute__((warn_unused_result));

/* Creates a device and its name in /dev/mapper. After a failure nothing is left. Kinds: ERR_BUSY
 * when there is one of that name or uuid, or when what the table names is in use; ERR_USAGE when
 * the kernel does not take the table; ERR_MEMORY, ERR_IO. */
int dm_create(int control, const char *name, const char *uuid, const struct dm_target *target,
              struct err *e) __attribute__((warn_unused_result));

/* Makes the name in /dev/mapper unless it is there. ERR_IO. */
int dm_link(int control, const char *name, struct err *e) __attribute__((warn_unused_result));

/* Puts another table in the place of the one that counts. Kinds as those of dm_create; after a
 * failure the old one counts. */
int dm_replace(int control, const char *name, const struct dm_target *target, struct err *e)
    __attribute__((warn_unused_result));

/* Removes a device and its name in /dev/mapper. While it is open somewhere, be it by udev for the
 * blink of an eye, it tries again until wait_ms have passed: then ERR_BUSY, and the device
 * stays. ERR_NOT_FOUND when there is none. */
int dm_remove(int control, const char *name, unsigned wait_ms, struct err *e)
    __attribute__((warn_unused_result));

/* The first line of the table that counts (type and parameters of it), or with as_status what its
 * target says about its state. ERR_NOT_FOUND, ERR_IO, and ERR_DAMAGED for a text that is longer
 * than DM_TABLE_SIZE. */
int dm_read_target(int control, const char *name, bool as_status, char type[DM_TYPE_SIZE],
                   char text[DM_TABLE_SIZE], struct err *e) __attribute__((warn_unused_result));

/* Holds back all reads until dm_resume, and waits until those that have begun are answered, which
 * the server below must do: for wait_ms at most, then ERR_BUSY, and all is as before. Neither
 * flushes nor freezes a file system. *suspended is false, and nothing was done, when
 * somebody else has suspended it already: that one resumes it, too. A process that
 * suspends must not need a page that lies on the device, and should write down what it is
 * about to suspend: reads wait for ever if it dies. */
int dm_suspend(int control, struct dm_number number, unsigned wait_ms, bool *suspended,
               struct err *e) __attribute__((warn_unused_result));
int dm_resume(int control, struct dm_number number, struct err *e)
    __attribute__((warn_unused_result));

/* The device-mapper devices that lie on an NBD device or on its partitions, at most max of them,
 * and how many there are. others counts the devices of other kinds. sys_block is
 * DEVICE_SYS_BLOCK except in tests. ERR_IO. */
int dm_find_holders(const char *sys_block, unsigned index, struct dm_number *numbers, size_t max,
                    size_t *count, size_t *others, struct err *e)
    __attribute__((warn_unused_result));

#endif
