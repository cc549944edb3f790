/* SPDX-License-Identifier: MIT */
/* attach: what ihop-attach does: attach, upgrade, detach, status and list. Errors have the kinds of
 * the exit codes in ihop-attach(8). */
#ifndef IHOP_ATTACH_ATTACH_H
#define IHOP_ATTACH_ATTACH_H

#include "attach/options.h"
#include "base/err.h"
#include "base/limits.h"
#include "cli/output.h"
#include "format/chunk_hash.h"

#include <stdbool.h>

/* A release that is attached. */
struct attached {
    unsigned index;     /* of the device */
    bool is_kept;       /* it was attached and kept before */
    bool is_mapped;     /* what is to be used is the dm-verity device on it */
    unsigned switch_ms; /* how long reads waited for an upgrade; 0: there was none */
    bool is_unvouched;  /* its root hash is one that the release records and nobody has signed */
    bool is_damaged;    /* of that device, the first or the last block cannot be read */
    char release[LIMIT_RELEASE_NAME + 1];
    char id[CHUNK_HASH_HEX]; /* of the image, 128 hex digits */
};

/* Attaches STORE/RELEASE to a device, or when that is NULL to the one that has its image, or to
 * the first one that is free, and leaves a keeper in the background. After a failure nothing of it
 * is left: neither keeper nor server nor lock, so another release can be tried; but not
 * with --foreground, when the process that was called has become the keeper, and a copy of it
 * goes on here. */
int attach_release(const struct attach_options *o, const char *release_path, const char *device,
                   struct attached *done, struct err *e) __attribute__((warn_unused_result));

/* Prints the device, or with --json all of it. */
void attach_print(const struct attach_options *o, const struct attached *done);

/* Says what is to be known of it beside its name: that it was attached before, that nothing vouches
 * for its root hash. */
void attach_tell(struct output *out, const struct attached *done);

/* Attaches the release, leaves a keeper in the background and prints the device. */
int attach_run(const struct attach_options *o, struct output *out, struct err *e)
    __attribute__((warn_unused_result));

/* As attach_run, for what boot selection says: one choice after the other, until one can be
 * attached. A line says why another one cannot. The error is that of the last one. */
int boot_run(const struct attach_options *o, struct output *out, struct err *e)
    __attribute__((warn_unused_result));

/* Gives a device a new keeper and a new server of the programs that are installed now. */
int upgrade_run(const struct attach_options *o, struct output *out, struct err *e)
    __attribute__((warn_unused_result));

/* Stays, and gives the device a new keeper and a new server whenever its keeper has died, until it
 * is detached. The first failure is an error; later ones are tried again, but for ERR_REFUSED and
 * ERR_OTHER_IMAGE. */
int watch_run(const struct attach_options *o, struct output *out, struct err *e)
    __attribute__((warn_unused_result));

int detach_run(const struct attach_options *o, struct output *out, struct err *e)
    __attribute__((warn_unused_result));
int status_run(const struct attach_options *o, struct err *e) __attribute__((warn_unused_result));
int list_run(const struct attach_options *o, struct err *e) __attribute__((warn_unused_result));

#endif
