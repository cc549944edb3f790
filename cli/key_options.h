/* SPDX-License-Identifier: MIT */
/* key_options: the options that say whose signatures are demanded. Without --verify-key the keys
 * are those in keys.d, in the directory of settings; there may be none, and then nobody's are. */
#ifndef IHOP_CLI_KEY_OPTIONS_H
#define IHOP_CLI_KEY_OPTIONS_H

#include "base/err.h"
#include "cli/options.h"
#include "signature/key_set.h"
#include "signature/signed_image.h"

#include <stdbool.h>
#include <stddef.h>

#define KEY_OPTIONS_DIRECTORY "keys.d"

struct key_options {
    const char *config; /* --config: the directory of settings; NULL: the one of the build */
    const char **paths; /* --verify-key; owned, the texts belong to argv */
    size_t path_count, path_capacity;
    unsigned needed;     /* --signatures; 0: not given */
    bool allow_unsigned; /* --allow-unsigned */

    struct key_set set; /* set by key_options_load */
};

/* Its rows, for OPTION_TABLE with a struct key_options at the offset. */
extern const struct option_spec key_option_specs[];

/* The directory of settings: a path that exists, or the one of the build, which may be missing. */
const char *key_options_config(const struct key_options *o);

/* Reads the keys. Any that cannot be read is an error. Kinds: ERR_USAGE (no such --config, fewer
 * keys than --signatures), and those of key_set.h. */
int key_options_load(struct key_options *o, struct err *e) __attribute__((warn_unused_result));
void key_options_free(struct key_options *o);

/* What is demanded: nothing with --allow-unsigned, or without any key. It points into o. */
struct signature_demand key_options_demanded(const struct key_options *o);

/* What would be demanded without --allow-unsigned. */
struct signature_demand key_options_trusted(const struct key_options *o);

#endif
