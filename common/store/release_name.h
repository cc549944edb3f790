/* SPDX-License-Identifier: MIT */
/* release_name: which names a release may have. Names come from users and, in the
 * plugin, from NBD clients. Thread-safe. */
#ifndef IHOP_STORE_RELEASE_NAME_H
#define IHOP_STORE_RELEASE_NAME_H

#include "base/err.h"

#include <stdbool.h>

/* A name has 1 to 200 bytes of UTF-8 without slash, control character or leading dot. It is
 * neither "chunks", in upper or lower case, nor a name that fsck gives. ERR_USAGE says which
 * rule is broken. */
int release_name_check(const char *name, struct err *e) __attribute__((warn_unused_result));

/* Whether fsck of a FAT file system gives this name to what it finds (FSCK0000.REC). */
bool release_name_is_fsck(const char *name);

/* Splits STORE/RELEASE. *store is allocated for the caller, *name points into path. "x/y/"
 * and "y" alone are ERR_USAGE. */
int release_name_split(const char *path, char **store, const char **name, struct err *e)
    __attribute__((warn_unused_result));

#endif
