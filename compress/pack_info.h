/* SPDX-License-Identifier: MIT */
/* pack_info: tells what a delta pack says, for --info. One thread. */
#ifndef IHOP_COMPRESS_PACK_INFO_H
#define IHOP_COMPRESS_PACK_INFO_H

#include "base/err.h"
#include "cli/output.h"
#include "compress/options.h"

#include <stdbool.h>

/* Prints what is said by the pack at o->archive, a path or URL. *is_pack is false, and nothing is
 * printed, when it is none. ERR_ARCHIVE, and the kinds of a reader. */
int pack_info_run(const struct compress_options *o, struct output *out, bool *is_pack,
                  struct err *e) __attribute__((warn_unused_result));

#endif
