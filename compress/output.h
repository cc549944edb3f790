/* SPDX-License-Identifier: MIT */
/* output: what ihop-compress tells about an archive, for people and for programs. */
#ifndef IHOP_COMPRESS_OUTPUT_H
#define IHOP_COMPRESS_OUTPUT_H

#include "base/err.h"
#include "cli/output.h"
#include "compress/diff.h"
#include "compress/options.h"
#include "format/image.h"

/* After a compression. */
void compress_output_result(struct output *out, const struct compress_options *o,
                            const struct image *image);

/* --info, or --print-header of an archive that is there. */
void compress_output_info(struct output *out, const struct compress_options *o,
                          const struct image *image);

/* --diff. ok: within the budget; otherwise the error is the last line. */
void compress_output_diff(struct output *out, const struct compress_options *o,
                          const struct diff_result *result, bool ok);

/* --metadata-key: the value as it is, on stdout. ERR_NOT_FOUND. */
int compress_output_metadata(const struct compress_options *o, const struct image *image,
                             struct err *e) __attribute__((warn_unused_result));

#endif
