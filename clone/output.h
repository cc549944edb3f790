/* SPDX-License-Identifier: MIT */
/* output: the result of ihop-clone, for people and for programs. */
#ifndef IHOP_CLONE_OUTPUT_H
#define IHOP_CLONE_OUTPUT_H

#include "cli/output.h"
#include "clone/clone.h"
#include "clone/options.h"

/* Prints the result of a run that succeeded, as --json, --quiet and --verbose ask for it. */
void clone_output_result(struct output *out, const struct clone_options *o,
                         const struct clone_result *result);

#endif
