/* SPDX-License-Identifier: MIT */
/* minisign_write: writes signatures in the form that minisign.h reads. For whoever signs archives:
 * a device does not link it. Pure but for memory; any thread may call it. */
#ifndef IHOP_SIGNATURE_MINISIGN_WRITE_H
#define IHOP_SIGNATURE_MINISIGN_WRITE_H

#include "base/err.h"
#include "signature/minisign.h"

/* The four lines of a signature, of which comment has no NUL and no end of a line; lines are not
 * looked at. The untrusted comment names the key's id. The caller frees them. NULL with
 * ERR_MEMORY. */
char *minisign_write(const struct minisign_signature *s, struct err *e)
    __attribute__((warn_unused_result));

#endif
