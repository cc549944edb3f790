/* SPDX-License-Identifier: MIT */
/* signature_output: prints what signs an archive, for people and for programs. */
#ifndef IHOP_COMPRESS_SIGNATURE_OUTPUT_H
#define IHOP_COMPRESS_SIGNATURE_OUTPUT_H

#include "base/err.h"
#include "cli/json.h"
#include "cli/output.h"
#include "compress/add_signature.h"
#include "compress/options.h"
#include "format/image.h"
#include "signature/key_set.h"

/* Lines for --info. keys: --verify-key, by which each signature is judged if there are any. */
void signature_output_lines(const struct image *image, const struct key_set *keys);

/* Sets the member signatures, a list, of a JSON object; or signatures_error, why they cannot be
 * read. */
void signature_output_members(json_t *object, const struct image *image,
                              const struct key_set *keys);

/* Prints the signatures as they are. ERR_NOT_FOUND. */
int signature_output_text(const struct compress_options *o, const struct image *image,
                          struct err *e) __attribute__((warn_unused_result));

/* Prints what became of an archive that was signed. */
void signature_output_added(struct output *out, const struct compress_options *o,
                            const struct add_signature_result *result);

#endif
