/* SPDX-License-Identifier: MIT */
/* attachment: what is known about a device that is to get a keeper, on the way from the command
 * line to the keeper's job: what attaching and upgrading share. From one thread. */
#ifndef IHOP_ATTACH_ATTACHMENT_H
#define IHOP_ATTACH_ATTACHMENT_H

#include "attach/job.h"
#include "attach/nbd_netlink.h"
#include "attach/options.h"
#include "base/err.h"
#include "cli/output.h"

struct attachment {
    const struct attach_options *o;
    struct nbd_netlink *channel;
    struct keeper_job job;       /* whose locks belong to the attachment until it is freed */
    struct verity_demand verity; /* with o->verity: completed by what the release records */
    int queue;                   /* the turn among the programs that attach */
};

/* Opens the channel to the kernel, and waits for the turn. The caller frees it, also after a
 * failure. Kinds of nbd_netlink_open and record_queue;
 * ERR_ARCHIVE for --verity without a value, whatever the release. */
int attachment_begin(struct attachment *a, const struct attach_options *o, struct err *e)
    __attribute__((warn_unused_result));
void attachment_free(struct attachment *a);

/* Fills in which programs and parameters of the plugin are used, where the options name some; with
 * defaults those that are used when they do not. ERR_USAGE. */
int attachment_choose_programs(struct attachment *a, bool defaults, struct err *e)
    __attribute__((warn_unused_result));

/* Opens the release of record.store and record.release, with a server's lock on it, and fills in
 * its id and size. id: which image it must be, or NULL. Kinds of store_release_find_image, and
 * ERR_USAGE for an image without bytes. */
int attachment_load_release(struct attachment *a, const char *id, struct err *e)
    __attribute__((warn_unused_result));

/* Starts the keeper. out: for its notes, or NULL. Kinds of launch_keeper. */
int attachment_launch(struct attachment *a, struct output *out, struct err *e)
    __attribute__((warn_unused_result));

#endif
