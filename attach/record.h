/* SPDX-License-Identifier: MIT */
/* record: what the keeper of a device writes down in /run, so that others find it: --status, the
 * program that detaches, and the keeper that takes over.
 *
 *     /run/ihop-attach/nbd0        the record: lines "key value", replaced as a whole
 *     /run/ihop-attach/nbd0.lock   locked by the keeper as long as it lives; never removed,
 *                                  because a lock on a removed file locks nothing
 *     /run/ihop-attach/nbd0.pid    the keeper's number alone, for systemd's PIDFile=
 *     /run/ihop-attach/nbd0.*.sock the sockets of its servers
 *     /run/ihop-attach/lock        locked by a program that attaches or upgrades, until it is
 *                                  done: one after the other they choose a device
 *
 * What must survive a lost record is in the kernel: the identifier (device.h). A record is
 * nothing but a help, so one that cannot be parsed is like none. Functions may be used by any
 * thread.
 */
#ifndef IHOP_ATTACH_RECORD_H
#define IHOP_ATTACH_RECORD_H

#include "attach/lines.h"
#include "attach/process.h"
#include "base/err.h"
#include "base/limits.h"
#include "format/chunk_hash.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define RECORD_DIRECTORY "/run/ihop-attach"
#define RECORD_BOOT_SIZE 40
#define RECORD_LIST_SIZE 2048

struct record {
    char boot[RECORD_BOOT_SIZE]; /* the kernel's id of the boot in which it was written */
    struct process keeper, server;
    char nbdkit[PATH_MAX], plugin[PATH_MAX]; /* what the server is started from */
    char parameters[RECORD_LIST_SIZE];       /* more of the plugin's, each ended by a newline */
    char store[PATH_MAX];                    /* absolute; none of these may contain a newline */
    char release[LIMIT_RELEASE_NAME + 1];
    char id[CHUNK_HASH_HEX]; /* of the image */
    uint64_t size;           /* of the image, bytes */
    unsigned connections, timeout_s, dead_timeout_s;
    unsigned restarts;  /* how often a server was started again */
    unsigned switch_ms; /* how long reads were held by the last upgrade; 0: there was none */
    /* Device-mapper devices, each "MAJOR:MINOR" and a newline, that the keeper has suspended to
     * replace the server: whoever takes over resumes them. */
    char suspended[RECORD_LIST_SIZE];
};

/* The lines of the members above, for whoever writes more beside them. */
extern const struct line record_lines[];
extern const size_t record_line_count;

/* Bytes of a record as text, with the NUL. */
#define RECORD_TEXT_SIZE (4 * PATH_MAX + 2048)

/* Takes the keeper's lock of a device, making directory if need be; *fd holds it. Waits for
 * wait_ms at most, then ERR_BUSY: a keeper lives. ERR_IO. */
int record_lock(const char *directory, unsigned index, unsigned wait_ms, int *fd, struct err *e)
    __attribute__((warn_unused_result));

/* Waits for its turn among the programs that attach; *fd holds it. ERR_BUSY, ERR_IO. */
int record_queue(const char *directory, unsigned wait_ms, int *fd, struct err *e)
    __attribute__((warn_unused_result));

/* Reads the record of a device. False when there is none that can be used, or it is one of another
 * boot. */
bool record_read(const char *directory, unsigned index, struct record *record);

/* Replaces the record, and the number of the keeper. Sets boot. Not synced, since nothing in /run
 * survives a power cut. ERR_IO, ERR_SPACE.
 */
int record_write(const char *directory, unsigned index, struct record *record, struct err *e)
    __attribute__((warn_unused_result));

/* Writes the number of a keeper that is about to take over: systemd wants to read it before the old
 * one ends. */
int record_write_pid(const char *directory, unsigned index, pid_t keeper, struct err *e)
    __attribute__((warn_unused_result));

/* Removes the record; for whoever holds the lock. */
void record_remove(const char *directory, unsigned index);

#endif
