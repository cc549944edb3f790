/* SPDX-License-Identifier: MIT */
/* job: what ihop-attach hands to the keeper, a program of its own, and what comes back.
 *
 * The job is text (lines.h) in a file without a name; descriptors are inherited under the numbers
 * that it says. The keeper answers through a pipe with reports: any number of notes, then one
 * that says whether the device can be used. From one thread.
 */
#ifndef IHOP_ATTACH_JOB_H
#define IHOP_ATTACH_JOB_H

#include "attach/device.h"
#include "attach/record.h"
#include "base/err.h"

#include <stdbool.h>

struct keeper_job {
    unsigned index;      /* of the device */
    unsigned take_over;  /* 1: the device is connected already */
    unsigned mapped;     /* 1: another process opens a device on it: see keeper_run */
    unsigned foreground; /* 1: messages go to stderr, else to the kernel's log */
    int lock;            /* of the record; -1: a keeper lives, from whom it is to be taken */
    int release;         /* a server's lock on the release: gc keeps its chunks */
    int report;          /* the pipe for reports */
    char identifier[DEVICE_IDENTIFIER_SIZE];
    struct record record; /* what is asked for; of a device that is taken over, with the processes
                             that were and what they had suspended */
};

struct report {
    bool is_note;
    struct err e; /* the note, or the result: of kind ERR_NONE when all is well */
};

/* Writes a job to a file without a name; *fd is its descriptor. ERR_IO, ERR_MEMORY. */
int job_write(const struct keeper_job *job, int *fd, struct err *e)
    __attribute__((warn_unused_result));

/* Reads the job that fd holds from its beginning. ERR_PROTOCOL: it is none. */
int job_read(int fd, struct keeper_job *job, struct err *e) __attribute__((warn_unused_result));

/* Sends a report, if anybody waits for it. */
void job_report(const struct keeper_job *job, bool is_note, const struct err *e);

/* Waits until the process that takes reports has ended, for some seconds at most. */
void job_wait_heard(const struct keeper_job *job);

#endif
