/* SPDX-License-Identifier: MIT */
/* name: which names a release may have. Names come from users and, in the
 * plugin, from NBD clients. */
#ifndef IHOP_STORE_NAME_H
#define IHOP_STORE_NAME_H

#include "base/err.h"

#include <stdbool.h>

/* 1 to 200 bytes of UTF-8 without slash, control character or leading dot, and
 * not "chunks" in any case nor a name of fsck's. ERR_USAGE says which rule is broken. */
int store_name_check(const char *name, struct err *e) __attribute__((warn_unused_result));

/* Whether fsck of a FAT file system gives such names to what it finds (FSCK0000.REC). */
bool store_name_is_fsck(const char *name);

/* Splits STORE/RELEASE. *store is allocated, *name points into path. "x/y/" and
 * "y" alone are ERR_USAGE. */
int store_name_split(const char *path, char **store, const char **name, struct err *e)
    __attribute__((warn_unused_result));

#endif
