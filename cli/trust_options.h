/* SPDX-License-Identifier: MIT */
/* trust_options: the options that say which archives are accepted, and what they demand
 * (fetch/trust.h). A new demand is a row here and a member of both structs. */
#ifndef IHOP_CLI_TRUST_OPTIONS_H
#define IHOP_CLI_TRUST_OPTIONS_H

#include "cli/options.h"
#include "fetch/trust.h"
#include "format/chunk_hash.h"

#include <stdbool.h>
#include <stdint.h>

struct trust_options {
    uint8_t pin[CHUNK_HASH_SIZE]; /* --verify-header */
    bool pinned;
    bool allow_short_hash;
};

/* Its rows, for OPTION_TABLE with a struct trust_options at the offset. */
extern const struct option_spec trust_option_specs[];

/* What was demanded. It points into o, which must outlive it. */
struct trust trust_options_demanded(const struct trust_options *o);

#endif
