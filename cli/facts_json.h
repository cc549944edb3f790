/* SPDX-License-Identifier: MIT */
/* facts_json: what an image says about itself (format/facts.h), for programs. One thread. */
#ifndef IHOP_CLI_FACTS_JSON_H
#define IHOP_CLI_FACTS_JSON_H

#include "cli/json.h"
#include "format/image.h"

/* Sets the members version, minimum_version, compatible (a list), verity_root_hash and
 * verity_hash_offset, those that the image has; or, when what it says is malformed, facts_error. */
void facts_to_json(json_t *object, const struct image *image);

#endif
