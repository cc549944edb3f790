/* SPDX-License-Identifier: MIT */
/* info: reads the header of an archive that exists, to show what it says. One thread. */
#ifndef IHOP_COMPRESS_INFO_H
#define IHOP_COMPRESS_INFO_H

#include "base/err.h"
#include "cli/network_options.h"
#include "format/image.h"
#include "reader/reader.h"

/* Reads the header of the archive at a path or URL. The caller frees *image. *stats, unless stats
 * is NULL, tells what that took. ERR_ARCHIVE, and the kinds of a reader (reader/reader.h). */
int info_read(const char *archive, const struct network_options *network, struct image *image,
              struct reader_stats *stats, struct err *e) __attribute__((warn_unused_result));

/* Gives an image without signatures those of the file beside its archive, ARCHIVE.minisig, unless
 * that is at a URL or there is none. ERR_IO, ERR_DAMAGED, ERR_MEMORY. */
int info_read_beside(const char *archive, struct image *image, struct err *e)
    __attribute__((warn_unused_result));

#endif
