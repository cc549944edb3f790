/* SPDX-License-Identifier: MIT */
/* signing: makes the signatures that the options ask for. What is signed are 64 bytes, an archive's
 * header checksum. Each signature is verified before it is taken.
 *
 * A secret key is in memory only while it signs. Errors name the key, command or file:
 * ERR_NOT_FOUND, ERR_IO, ERR_DAMAGED (no key, a wrong password), ERR_USAGE (a key that wants a
 * password), ERR_ARCHIVE (a signature that is not of these bytes by one of --verify-key),
 * ERR_MEMORY. One thread.
 */
#ifndef IHOP_COMPRESS_SIGNING_H
#define IHOP_COMPRESS_SIGNING_H

#include "base/err.h"
#include "compress/signature_list.h"
#include "compress/signing_options.h"

#include <stddef.h>
#include <stdint.h>

/* Whether the keys can be read, before there is work to lose. Commands are not run. */
int signing_check(const struct signing_options *o, struct err *e)
    __attribute__((warn_unused_result));

/* At most so many bytes do the signatures of --sign and --sign-command take. */
uint64_t signing_space(const struct signing_options *o);

/* Adds the signatures of all signers. *unverified counts those out of files for which no
 * --verify-key was given. */
int signing_run(const struct signing_options *o, struct signature_list *list, size_t *unverified,
                struct err *e) __attribute__((warn_unused_result));

#endif
