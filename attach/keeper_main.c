/* SPDX-License-Identifier: MIT */
/* ihop-attach-keeper: keeps one device alive. ihop-attach runs it, nobody else; it has no options.
 * It is a program of its own because it stays for ever with all its memory locked: it links
 * neither libcrypto nor a parser, whose private pages alone take half a megabyte. */
#include "attach/job.h"
#include "attach/keeper.h"
#include "base/io.h"
#include "base/text.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The server must not inherit what the keeper has. */
static void keep_to_itself(const struct keeper_job *job)
{
    const int fds[] = {job->lock, job->release, job->report};

    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        if (fds[i] >= 0)
            (void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
}

int main(int argc, char **argv)
{
    static struct keeper_job job;
    struct err e = ERR_INIT;
    int exit_code = 0;
    uint64_t fd;

    if (io_fill_standard() < 0)
        return 1;
    if (argc != 3 || !text_parse_u64(argv[2], 3, INT_MAX, &fd)) {
        fputs("ihop-attach-keeper is run by ihop-attach alone: see ihop-attach(8)\n", stderr);
        return 2;
    }
    if (job_read((int)fd, &job, &e) < 0) {
        fprintf(stderr, "ihop-attach-keeper: %s\n", e.text);
        return err_exit_code(e.kind);
    }
    close((int)fd);
    keep_to_itself(&job);
    umask(022);
    if (chdir("/") < 0 || keeper_run(&job, &exit_code, &e) < 0) {
        job_report(&job, false, &e);
        if (job.foreground)
            job_wait_heard(&job); /* so that the error is printed before this program ends */
        return err_exit_code(e.kind);
    }
    return exit_code;
}
