/* SPDX-License-Identifier: MIT */
#include "cli/key_options.h"

#include "base/array.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static int add_key_path(void *options, const char *value, const char *unused, struct err *e)
{
    struct key_options *o = options;

    (void)unused;
    if (array_grow((void **)&o->paths, &o->path_capacity, o->path_count, sizeof *o->paths, e) < 0)
        return -1;
    o->paths[o->path_count++] = value;
    return 0;
}

#define AT(member) offsetof(struct key_options, member)

const struct option_spec key_option_specs[] = {
    {"verify-key", 0, OPTION_CALL, 0, "FILE|DIRECTORY",
     "trust these public keys, of minisign or PEM, and no others [keys.d]", .call = add_key_path},
    {"signatures", 0, OPTION_NUMBER, AT(needed), "N",
     "how many different keys must have signed [1]", 1, LIMIT_KEYS},
    {"allow-unsigned", 0, OPTION_FLAG, AT(allow_unsigned), NULL,
     "accept what no trusted key has signed"},
    {"config", 0, OPTION_TEXT, AT(config), "DIRECTORY",
     "where device.conf and keys.d are [" CONFIG_DIRECTORY "]"},
    {NULL},
};

const char *key_options_config(const struct key_options *o)
{
    return o->config ? o->config : CONFIG_DIRECTORY;
}

static int load_default(struct key_options *o, struct err *e)
{
    CLEANUP_FREE char *directory = NULL;

    if (asprintf(&directory, "%s/" KEY_OPTIONS_DIRECTORY, key_options_config(o)) < 0) {
        directory = NULL;
        return err_nomem(e, "reading keys");
    }
    return key_set_add_default(&o->set, directory, e);
}

int key_options_load(struct key_options *o, struct err *e)
{
    /* A directory that somebody names and that is not there is a mistake, not one without keys. */
    if (o->config && !io_is_directory(AT_FDCWD, o->config, 0))
        return err_set(e, ERR_USAGE, "--config: %s is no directory", o->config);
    for (size_t i = 0; i < o->path_count; i++)
        if (key_set_add(&o->set, o->paths[i], e) < 0)
            return -1;
    if (o->path_count == 0 && load_default(o, e) < 0)
        return -1;
    if (o->needed > o->set.count)
        return err_set(e, ERR_USAGE,
                       "--signatures %u can never be met: %zu different key%s %s trusted",
                       o->needed, o->set.count, o->set.count == 1 ? "" : "s",
                       o->set.count == 1 ? "is" : "are");
    return 0;
}

void key_options_free(struct key_options *o)
{
    free(o->paths);
    key_set_free(&o->set);
}

struct signature_demand key_options_trusted(const struct key_options *o)
{
    return (struct signature_demand){.keys = o->set.count > 0 ? &o->set : NULL,
                                     .needed = o->needed};
}

struct signature_demand key_options_demanded(const struct key_options *o)
{
    return o->allow_unsigned ? (struct signature_demand){0} : key_options_trusted(o);
}
