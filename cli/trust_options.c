/* SPDX-License-Identifier: MIT */
#include "cli/trust_options.h"

#include "base/limits.h"
#include "base/text.h"

#include <stddef.h>

static int set_pin(void *options, const char *value, const char *unused, struct err *e)
{
    struct trust_options *o = options;

    (void)unused;
    if (text_unhex(value, o->pin, sizeof o->pin) != CHUNK_HASH_SIZE)
        return err_set(e, ERR_USAGE, "--verify-header takes the header checksum: 128 hex digits");
    o->pinned = true;
    return 0;
}

#define AT(member) offsetof(struct trust_options, member)

const struct option_spec trust_option_specs[] = {
    {"verify-header", 0, OPTION_CALL, 0, "HEX", "refuse an archive with another header checksum",
     .call = set_pin},
    {"allow-short-hash", 0, OPTION_FLAG, AT(allow_short_hash), NULL,
     "accept chunk hashes of fewer than 16 bytes"},
    {NULL},
};

struct trust trust_options_demanded(const struct trust_options *o)
{
    return (struct trust){.min_hash_length = o->pinned             ? LIMIT_HASH_PINNED
                                             : o->allow_short_hash ? LIMIT_HASH_MIN
                                                                   : LIMIT_HASH_TRUSTED,
                          .pinned_checksum = o->pinned ? o->pin : NULL};
}
