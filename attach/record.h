/* SPDX-License-Identifier: MIT */
/* record: what the keeper of a device writes down in /run, so that others find it: --status, the
 * program that detaches, and the keeper that takes over.
 *
 *     /run/ihop-attach/nbd0        the record: lines "key value", replaced as a whole
 *     /run/ihop-attach/nbd0.lock   locked by the keeper as long as it lives; never removed,
 *                                  because a lock on a removed file locks nothing
 *     /run/ihop-attach/nbd0.*.sock the sockets of its servers
 *
 * What must survive a lost record is in the kernel: the identifier (device.h). A record is
 * nothing but a help, so one that cannot be parsed is like none. Functions may be used by any
 * thread.
 */
#ifndef IHOP_ATTACH_RECORD_H
#define IHOP_ATTACH_RECORD_H

#include "base/err.h"
#include "base/limits.h"
#include "format/chunk_hash.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define RECORD_DIRECTORY "/run/ihop-attach"

/* A process, and when it began, in the kernel's clock ticks: a number of a process is used again,
 * the two together are not. */
struct process {
    pid_t pid; /* 0: none */
    uint64_t started;
};

struct record {
    struct process keeper, server;
    char store[PATH_MAX]; /* absolute; may contain anything but a newline */
    char release[LIMIT_RELEASE_NAME + 1];
    char id[CHUNK_HASH_HEX]; /* of the image */
    unsigned connections, timeout_s, dead_timeout_s;
    unsigned restarts; /* how often a server was started again */
};

/* Fills process for a pid; false when there is none such. */
bool process_identify(pid_t pid, struct process *process);

/* A descriptor that stands for the process (pidfd_open), or -1 when it has ended. */
int process_open(const struct process *process);

/* Takes the keeper's lock of a device, making directory if need be; *fd holds it. Waits for
 * wait_ms at most, then ERR_BUSY: a keeper lives. ERR_IO. */
int record_lock(const char *directory, unsigned index, unsigned wait_ms, int *fd, struct err *e)
    __attribute__((warn_unused_result));

/* Reads the record of a device. False when there is none that can be used. */
bool record_read(const char *directory, unsigned index, struct record *record);

/* Replaces the record. Not synced, since nothing in /run survives a power cut. ERR_IO, ERR_SPACE.
 */
int record_write(const char *directory, unsigned index, const struct record *record, struct err *e)
    __attribute__((warn_unused_result));

/* Removes the record and what is left of sockets of servers; for whoever holds the lock. */
void record_remove(const char *directory, unsigned index);

/* Removes the sockets alone. */
void record_remove_sockets(const char *directory, unsigned index);

#endif
