/* SPDX-License-Identifier: MIT */
#include "cli/trust_options.h"

#include "base/io.h"
#include "base/limits.h"
#include "base/text.h"
#include "cli/device_conf.h"
#include "format/facts.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>

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
    if (!facts_is_device_type(value, strlen(value)))
        return err_set(e, ERR_USAGE,
                       "--compatible takes a device type: 1 to %d bytes, no control character, no "
                       "blank at an end",
                       LIMIT_DEVICE_TYPE);
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
    {"config", 0, OPTION_TEXT, AT(config), "DIRECTORY",
     "where device.conf is [" CONFIG_DIRECTORY "]"},
    {NULL},
};

const char *trust_options_config(const struct trust_options *o)
{
    return o->config ? o->config : CONFIG_DIRECTORY;
}

int trust_options_finish(struct trust_options *o, struct err *e)
{
    /* A directory that somebody names and that is not there is a mistake, not a device without a
     * type. */
    if (o->config && !io_is_directory(AT_FDCWD, o->config, 0))
        return err_set(e, ERR_USAGE, "--config: %s is no directory", o->config);
    return o->compatible ? 0 : device_conf_read(trust_options_config(o), o->device_type, e);
}

struct trust trust_options_demanded(const struct trust_options *o)
{
    return (struct trust){.min_hash_length = o->pinned             ? LIMIT_HASH_PINNED
                                             : o->allow_short_hash ? LIMIT_HASH_MIN
                                                                   : LIMIT_HASH_TRUSTED,
                          .pinned_checksum = o->pinned ? o->pin : NULL,
                          .compatible = o->compatible     ? o->compatible
                                        : *o->device_type ? o->device_type
                                                          : NULL,
                          .allow_downgrade = o->allow_downgrade};
}
