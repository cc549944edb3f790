/* SPDX-License-Identifier: MIT */
#include "cli/trust_options.h"

#include "base/limits.h"
#include "base/text.h"
#include "cli/device_conf.h"

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

static int set_compatible(void *options, const char *value, const char *unused, struct err *e)
{
    struct trust_options *o = options;

    (void)unused;
    if (device_type_check(value, e) < 0)
        return -1;
    o->compatible = value;
    return 0;
}

#define AT(member) offsetof(struct trust_options, member)

const struct option_spec trust_option_specs[] = {
    {"verify-header", 0, OPTION_CALL, 0, "HEX", "refuse an archive with another header checksum",
     .call = set_pin},
    {"allow-short-hash", 0, OPTION_FLAG, AT(allow_short_hash), NULL,
     "accept chunk hashes of fewer than 16 bytes"},
    {"compatible", 0, OPTION_CALL, 0, "TYPE",
     "refuse an image for other devices [what device.conf says]", .call = set_compatible},
    {"allow-downgrade", 0, OPTION_FLAG, AT(allow_downgrade), NULL,
     "accept a lower version than is installed"},
    {"", 0, OPTION_TABLE, AT(keys), .table = key_option_specs},
    {NULL},
};

int trust_options_finish(struct trust_options *o, struct err *e)
{
    if (key_options_load(&o->keys, e) < 0)
        return -1;
    return o->compatible ? 0 : device_conf_read(key_options_config(&o->keys), o->device_type, e);
}

void trust_options_free(struct trust_options *o)
{
    key_options_free(&o->keys);
}

struct trust trust_options_demanded(const struct trust_options *o)
{
    return (struct trust){.min_hash_length = o->pinned             ? LIMIT_HASH_PINNED
                                             : o->allow_short_hash ? LIMIT_HASH_MIN
                                                                   : LIMIT_HASH_TRUSTED,
                          .pinned_checksum = o->pinned ? o->pin : NULL,
                          .signed_by = key_options_demanded(&o->keys),
                          .compatible = o->compatible     ? o->compatible
                                        : *o->device_type ? o->device_type
                                                          : NULL,
                          .allow_downgrade = o->allow_downgrade};
}

bool trust_options_vouch_for(const struct trust_options *o, const struct image *image)
{
    const struct signature_demand trusted = key_options_trusted(&o->keys);
    struct err ignored = ERR_INIT;

    return o->pinned || signed_image_check(image, &trusted, &ignored) == 0;
}
