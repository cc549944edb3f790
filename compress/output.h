/* SPDX-License-Identifier: MIT */
/* output: prints what ihop-compress says about an archive, for people and for programs. */
#ifndef IHOP_COMPRESS_OUTPUT_H
#define IHOP_COMPRESS_OUTPUT_H

#include "base/err.h"
#include "cli/output.h"
#include "compress/delta.h"
#include "compress/diff.h"
#include "compress/options.h"
#include "format/image.h"

/* Prints the result of a compression, and of the packs that were made with it. */
void compress_output_result(struct output *out, const struct compress_options *o,
                            const struct image *image, const struct delta_results *packs);

/* Prints what --info, or --print-header without an image, asks for. */
void compress_output_info(struct output *out, const struct compress_options *o,
                          const struct image *image);

/* Prints what --diff found. ok is false when the budget was exceeded: with --json the last line
 * is the error then, which is not printed here. */
void compress_output_diff(struct output *out, const struct compress_options *o,
                          const struct diff_result *result, bool ok);

/* Writes the value that --metadata-key asks for to stdout as it is. ERR_NOT_FOUND. */
int compress_output_metadata(const struct compress_options *o, const struct image *image,
                             struct err *e) __attribute__((warn_unused_result));

#endif
