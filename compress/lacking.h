/* SPDX-License-Identifier: MIT */
/* lacking: which chunks of a new image a device that has an old one lacks. */
#ifndef IHOP_COMPRESS_LACKING_H
#define IHOP_COMPRESS_LACKING_H

#include "base/err.h"
#include "format/image.h"

#include <stdbool.h>

/* For each chunk of new whether old lacks it. When the hashes have different lengths, all are
 * lacking, because a chunk's hash is its name. The caller frees the array; NULL with ERR_MEMORY. */
bool *lacking_find(const struct image *old, const struct image *new, struct err *e);

#endif
