/* SPDX-License-Identifier: MIT */
/* add_signature: signs an archive that exists, in the space behind its header or, when it has no
 * such space, in a file beside it, ARCHIVE.minisig.
 *
 * Whoever reads the archive meanwhile, and whatever a power cut leaves, has it with all its old
 * signatures or with all its new ones: a second file gets the whole content, shared with the first
 * where the file system can do that, is made durable, and takes the name. Writing into the first
 * would take no second copy, but a server reads a block while it is changed, and disks and file
 * systems do not promise to write a block of 4 KiB whole. Programs that sign one archive at the
 * same time wait for one another.
 *
 * One thread.
 */
#ifndef IHOP_COMPRESS_ADD_SIGNATURE_H
#define IHOP_COMPRESS_ADD_SIGNATURE_H

#include "base/err.h"
#include "compress/options.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>

struct add_signature_result {
    struct image image; /* with all signatures */
    char *path;         /* of the file that has them now */
    bool beside;        /* it is not the archive */
    size_t unverified;  /* how many of those that were added could not be verified */
};

/* Signs o->archive with all signers. The caller frees *result, even after a failure. ERR_ARCHIVE:
 * it is no archive, has something else in that space, or a signature is not one of it; ERR_SPACE:
 * its space is too small for all; and the kinds of signing.h and output_file.h. */
int add_signature_run(const struct compress_options *o, struct add_signature_result *result,
                      struct err *e) __attribute__((warn_unused_result));

void add_signature_free(struct add_signature_result *result);

#endif
