/* SPDX-License-Identifier: MIT */
/* info: reads the header of an archive that is there, to tell about it. */
#ifndef IHOP_COMPRESS_INFO_H
#define IHOP_COMPRESS_INFO_H

#include "base/err.h"
#include "cli/network_options.h"
#include "reader/reader.h"
#include "format/image.h"

/* archive is a path or a URL. stats: what reading the header took, or NULL. The caller
 * frees *image. ERR_ARCHIVE, and the kinds of a reader (reader/reader.h). */
int info_read(const char *archive, const struct network_options *network, struct image *image,
              struct reader_stats *stats, struct err *e) __attribute__((warn_unused_result));

#endif
