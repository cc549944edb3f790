/* SPDX-License-Identifier: MIT */
#include "attach/job.h"

#include "base/cleanup.h"
#include "base/io.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HEARD_WAIT_MS 5000 /* for a process that only has a line to print */
#define JOB_TEXT_SIZE (RECORD_TEXT_SIZE + 2048)

static const struct line job_lines[] = {
#define AT(member) offsetof(struct keeper_job, member)
    {"index", LINE_NUMBER, AT(index), 0, LIMIT_NBD_DEVICE},
    {"take-over", LINE_NUMBER, AT(take_over), 0, 1},
    {"mapped", LINE_NUMBER, AT(mapped), 0, 1},
    {"foreground", LINE_NUMBER, AT(foreground), 0, 1},
    {"lock", LINE_FD, AT(lock), 0, INT_MAX},
    {"release-lock", LINE_FD, AT(release), 0, INT_MAX},
    {"report", LINE_FD, AT(report), 0, INT_MAX},
    {"identifier", LINE_TEXT, AT(identifier), DEVICE_IDENTIFIER_SIZE, 0},
#undef AT
};

#define JOB_LINES (sizeof job_lines / sizeof *job_lines)

int job_write(const struct keeper_job *job, int *fd, struct err *e)
{
    char text[JOB_TEXT_SIZE] = "";
    CLEANUP_FD int file = memfd_create("ihop-attach", MFD_CLOEXEC);

    if (file < 0)
        return err_sys(e, errno, "cannot prepare the keeper");
    if (lines_print(job_lines, JOB_LINES, job, text, sizeof text, e) < 0 ||
        lines_print(record_lines, record_line_count, &job->record, text, sizeof text, e) < 0)
        return -1;
    if (io_pwrite_full(file, text, strlen(text), 0) < 0)
        return err_sys(e, errno, "cannot prepare the keeper");
    *fd = steal_fd(&file);
    return 0;
}

int job_read(int fd, struct keeper_job *job, struct err *e)
{
    char text[JOB_TEXT_SIZE];
    ssize_t n = io_pread_full(fd, text, sizeof text - 1, 0);
    struct keeper_job found;

    if (n < 0)
        return err_sys(e, errno, "cannot read what is to be kept");
    text[n] = '\0';
    if (!lines_parse(job_lines, JOB_LINES, text, &found) ||
        !lines_parse(record_lines, record_line_count, text, &found.record))
        return err_set(e, ERR_PROTOCOL, "ihop-attach and its keeper are of different versions");
    *job = found;
    return 0;
}

void job_report(const struct keeper_job *job, bool is_note, const struct err *e)
{
    const struct report r = {.is_note = is_note, .e = *e};

    if (job->report >= 0 && io_write_full(job->report, &r, sizeof r) < 0)
        return; /* nobody waits for it any more */
}

void job_wait_heard(const struct keeper_job *job)
{
    struct pollfd p = {.fd = job->report}; /* POLLERR comes without being asked for */

    if (job->report >= 0)
        (void)poll(&p, 1, HEARD_WAIT_MS);
}
