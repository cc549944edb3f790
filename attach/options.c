/* SPDX-License-Identifier: MIT */
#include "attach/options.h"

#include "attach/device.h"
#include "base/array.h"
#include "base/limits.h"
#include "format/chunk_hash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(member) offsetof(struct attach_options, member)

static int add_skipped(void *options, const char *name, const char *unused, struct err *e)
{
    struct attach_options *o = options;

    (void)unused;
    if (array_grow((void **)&o->skips, &o->skip_capacity, o->skip_count, sizeof *o->skips, e) < 0)
        return -1;
    o->skips[o->skip_count++] = name;
    return 0;
}

static const struct option_spec specs[] = {
    {"boot", 'b', OPTION_FLAG, AT(boot), NULL, "attach what boot selection says; counts a trial"},
    {"skip", 0, OPTION_CALL, 0, "RELEASE", "with --boot: not this one; may be repeated",
     .call = add_skipped},
    {"detach", 'd', OPTION_FLAG, AT(detach), NULL, "take the device away, unless it is in use"},
    {"upgrade", 'u', OPTION_FLAG, AT(upgrade), NULL,
     "give it a new keeper and server, while in use"},
    {"watch", 'w', OPTION_FLAG, AT(watch), NULL, "stay, and replace a keeper that has died"},
    {"status", 's', OPTION_FLAG, AT(status), NULL, "say what the device is and who keeps it"},
    {"list", 'l', OPTION_FLAG, AT(list), NULL, "the devices of ihop-attach"},
    {"connections", 'C', OPTION_NUMBER, AT(connections), "N", "between kernel and server [2]", 1,
     LIMIT_CONNECTIONS},
    {"timeout", 0, OPTION_NUMBER, AT(timeout_s), "SECONDS",
     "after which a read is tried again [10]", 1, LIMIT_WAIT_S},
    {"dead-timeout", 0, OPTION_NUMBER, AT(dead_timeout_s), "SECONDS",
     "how long reads wait for a new server before they fail [3600]", 1, LIMIT_DEAD_TIMEOUT_S},
    {"id", 0, OPTION_TEXT, AT(id), "HEX", "refuse an image whose checksum does not begin so"},
    {"verity", 0, OPTION_MAYBE, AT(verity), "[=roothash=HEX,offset=BYTES]",
     "verify each block by the hash tree in the image [recorded]"},
    {"", 0, OPTION_TABLE, AT(keys), .table = key_option_specs},
    {"foreground", 'f', OPTION_FLAG, AT(foreground), NULL, "keep the device until it is detached"},
    {"nbdkit", 0, OPTION_TEXT, AT(nbdkit), "PROGRAM", "the server [nbdkit]"},
    {"plugin", 0, OPTION_TEXT, AT(plugin), "FILE", "its plugin [the installed one]"},
    OPTIONS_COMMON(AT(common)),
    {NULL},
};

void attach_options_help(void)
{
    puts("usage: ihop-attach [options] STORE/RELEASE [/dev/nbdN] [-- PARAMETER=VALUE...]\n"
         "       ihop-attach --boot [--skip RELEASE]... STORE [/dev/nbdN] [-- ...]\n"
         "       ihop-attach --detach | --upgrade | --watch | --status /dev/nbdN\n"
         "       ihop-attach --list\n"
         "\n"
         "Makes a release a block device that survives the death of its server. Prints the\n"
         "device. What comes after -- are parameters of the plugin, such as verify=first.\n");
    options_print_help(specs);
    puts("\nExit codes: see ihop-attach(8).");
}

/* The plugin's parameters are cut off before the options are parsed: getopt would move the
 * operands that stand before "--" behind it. */
static int cut_parameters(int argc, char **argv, struct attach_options *o)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--") == 0) {
            o->parameters = argv + i + 1;
            return i;
        }
    o->parameters = argv + argc;
    return argc;
}

/* What is done to a device that is attached already and is named alone. */
static bool names_device(const struct attach_options *o)
{
    return o->detach || o->status || o->upgrade || o->watch;
}

static int check_actions(const struct attach_options *o, int operands, struct err *e)
{
    int most = o->list ? 0 : names_device(o) ? 1 : 2;

    if (o->list + o->detach + o->status + o->upgrade + o->watch + o->boot > 1)
        return err_set(
            e, ERR_USAGE,
            "--boot, --detach, --upgrade, --watch, --status and --list exclude one another");
    if (o->boot && o->foreground)
        return err_set(e, ERR_USAGE, "--boot leaves its keeper in the background: without -f");
    if (o->skip_count > 0 && !o->boot)
        return err_set(e, ERR_USAGE, "--skip is for --boot");
    if (operands < most && operands < 1)
        return err_set(e, ERR_USAGE, "%s is missing (--help tells more)",
                       most == 1 ? "the device"
                       : o->boot ? "the store"
                                 : "STORE/RELEASE");
    if (operands > most)
        return err_set(e, ERR_USAGE, "too many arguments (--help tells more)");
    if (o->verity && (o->list || names_device(o)))
        return err_set(e, ERR_USAGE, "--verity is for attaching");
    if (o->parameters[0] && (o->list || (names_device(o) && !o->upgrade)))
        return err_set(e, ERR_USAGE, "parameters after -- are for attaching");
    return 0;
}

/* An option that would have no effect is a mistake of whoever gave it. Programs are let through:
 * wrappers name them in each call. */
static int check_settings(const struct attach_options *o, struct err *e)
{
    const char *action = o->list     ? "--list"
                         : o->detach ? "--detach"
                         : o->watch  ? "--watch"
                                     : "--status";

    if (o->upgrade && (o->connections || o->id))
        return err_set(e, ERR_USAGE,
                       "%s cannot be changed while the device is attached: --upgrade without it",
                       o->connections ? "the number of connections" : "the image");
    if (o->upgrade && (o->keys.path_count > 0 || o->keys.needed || o->keys.allow_unsigned))
        return err_set(e, ERR_USAGE,
                       "--upgrade looks at no signature: the image stays what was attached");
    if (!o->list && (!names_device(o) || o->upgrade))
        return 0;
    if (o->keys.path_count > 0 || o->keys.needed || o->keys.allow_unsigned)
        return err_set(e, ERR_USAGE, "%s looks at no signature: keys are for attaching", action);
    if (o->connections || o->timeout_s || o->dead_timeout_s || o->id || o->foreground)
        return err_set(e, ERR_USAGE, "%s takes no options for attaching", action);
    return 0;
}

static int check_id(const char *id, struct err *e)
{
    if (id && (strlen(id) == 0 || strlen(id) > 2 * CHUNK_HASH_SIZE ||
               id[strspn(id, "0123456789abcdefABCDEF")] != '\0'))
        return err_set(e, ERR_USAGE, "--id takes up to %d hex digits, not '%s'",
                       2 * CHUNK_HASH_SIZE, id);
    return 0;
}

/* What is no NBD device is wrong usage on a machine without NBD, too. */
static int check_operands(const struct attach_options *o, struct err *e)
{
    const char *device = o->operands[names_device(o) ? 0 : 1];
    unsigned index;

    return device ? device_parse(device, &index, e) : 0;
}

int attach_options_parse(int argc, char **argv, struct attach_options *options, struct err *e)
{
    int first;

    *options = (struct attach_options){.list = false};
    argc = cut_parameters(argc, argv, options);
    first = options_parse(specs, argc, argv, options, e);
    if (first < 0)
        return -1;
    if (options->common.help || options->common.version)
        return 0;
    if (check_id(options->id, e) < 0 || check_actions(options, argc - first, e) < 0 ||
        check_settings(options, e) < 0)
        return -1;
    for (int i = 0; first + i < argc; i++)
        options->operands[i] = argv[first + i];
    if (check_operands(options, e) < 0)
        return -1;
    if (options->verity && verity_demand_parse(*options->verity ? options->verity : "recorded",
                                               &options->verity_demand, e) < 0)
        return -1;
    return !options->list && !names_device(options) ? key_options_load(&options->keys, e) : 0;
}

void attach_options_free(struct attach_options *options)
{
    free(options->skips);
    key_options_free(&options->keys);
}
