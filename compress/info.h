/* SPDX-License-Identifier: MIT */
/* info: reads the header of an archive that is there, to tell about it. */
#ifndef IHOP_COMPRESS_INFO_H
#define IHOP_COMPRESS_INFO_H

#include "base/err.h"
#include "compress/options.h"
#include "format/image.h"

/* o->archive is a path or a URL. The caller frees *image. ERR_ARCHIVE, and the kinds
 * of a reader (fetch/reader.h). */
int info_read(const struct compress_options *o, struct image *image, struct err *e)
    __attribute__((warn_unused_result));

#endif
