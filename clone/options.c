/* SPDX-License-Identifier: MIT */
#include "clone/options.h"

#include "base/array.h"
#include "base/limits.h"
#include "store/boot_selection.h"
#include "store/foreign.h"
#include "store/release_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int add_seed(void *options, const char *path, const char *unused, struct err *e)
{
    struct clone_options *o = options;

    (void)unused;
    if (array_grow((void **)&o->seeds, &o->seed_capacity, o->seed_count, sizeof *o->seeds, e) < 0)
        return -1;
    o->seeds[o->seed_count++] = path;
    return 0;
}

#define AT(member) offsetof(struct clone_options, member)

static const struct option_spec specs[] = {
    {"force", 'f', OPTION_FLAG, AT(force), NULL,
     "replace the release if it holds a different image"},
    {"force-create", 0, OPTION_FLAG, AT(force), NULL, NULL},
    {"dry-run", 'n', OPTION_FLAG, AT(dry_run), NULL, "say what it would cost, and change nothing"},
    {"recheck", 0, OPTION_FLAG, AT(recheck), NULL,
     "hash the chunks in the store instead of trusting their names"},
    {"seed", 0, OPTION_CALL, 0, "FILE|DEVICE|-",
     "take chunks from there before downloading; may be repeated", .call = add_seed},
    {"delta", 0, OPTION_TEXT, AT(delta), "URL|FILE",
     "update by this delta pack, not by one beside ARCHIVE"},
    {"no-delta", 0, OPTION_FLAG, AT(no_delta), NULL, "update by no delta pack"},
    {"", 0, OPTION_TABLE, AT(trust), .table = trust_option_specs},
    {"record-url", 0, OPTION_TEXT, AT(record_url), "URL", "record this as the archive's address"},
    {"compat-store", 0, OPTION_FLAG, AT(compat_store), NULL,
     "make a new store that the original ihop can use"},
    OPTIONS_JOBS(AT(jobs), "decode and verify"),
    {"max-download", 0, OPTION_SIZE, AT(max_download), "SIZE", "refuse if more would be downloaded",
     0, UINT64_MAX},
    {"max-write", 0, OPTION_SIZE, AT(max_write), "SIZE",
     "refuse if more would be written to the store", 0, UINT64_MAX},
    {"min-free", 0, OPTION_SIZE, AT(min_free), "SIZE", "refuse if less would stay free", 0,
     INT64_MAX},
    {"make-room", 0, OPTION_FLAG, AT(make_room), NULL,
     "remove the oldest releases if space is short"},
    {"try", 0, OPTION_FLAG, AT(try), NULL, "then put it on trial: the next boots take it"},
    {"tries", 0, OPTION_NUMBER, AT(tries), "N", "for so many boots [3]", 1, LIMIT_BOOT_TRIES},
    OPTIONS_WAIT(AT(wait_seconds)),
    {"sync", 0, OPTION_WORD, AT(sync), "auto|fs|files",
     "how to make chunks durable: at once or each [auto]"},
    OPTIONS_NETWORK(AT(network)),
    OPTIONS_COMMON(AT(common)),
    {NULL},
};

void clone_options_help(void)
{
    puts("usage: ihop-clone [options] ARCHIVE STORE/RELEASE\n"
         "\n"
         "Fetches from ARCHIVE (the URL or path of a .cba file, or of a delta pack for it) the\n"
         "chunks that STORE lacks, and publishes the image in it as RELEASE.\n");
    options_print_help(specs);
    puts("\nSizes take a suffix: k, M, G or KiB, MiB, GiB. Exit codes: see ihop-clone(1).");
}

static int take_clone_operands(struct clone_options *o, int argc, char **argv, struct err *e)
{
    if (argc != 2)
        return err_set(e, ERR_USAGE,
                       "%s: use ihop-clone [options] ARCHIVE STORE/RELEASE (--help "
                       "tells more)",
                       argc < 2 ? "an argument is missing" : "too many arguments");
    if (store_path_is(argv[0], STORE_FILE_RELEASE))
        return err_set(e, ERR_USAGE,
                       "%s is a release in a store, not an archive: are the operands swapped? Use "
                       "ihop-clone ARCHIVE STORE/RELEASE",
                       argv[0]);
    if (!strchr(argv[1], '/') && store_path_is(argv[1], STORE_FILE_FOREIGN))
        return store_foreign_check(".", argv[1], STORE_FOREIGN_REPLACE, e);
    o->archive = argv[0];
    return release_name_split(argv[1], &o->store, &o->release, e);
}

int clone_options_parse(int argc, char **argv, struct clone_options *o, struct err *e)
{
    int first;

    *o = (struct clone_options){
        .jobs = options_default_jobs(), .max_download = UINT64_MAX, .max_write = UINT64_MAX};
    network_options_init(&o->network);
    first = options_parse(specs, argc, argv, o, e);
    if (first < 0)
        return -1;
    if (o->common.help || o->common.version)
        return 0;
    if (o->tries > 0 && !o->try)
        return err_set(e, ERR_USAGE, "--tries is for --try");
    if (o->delta && o->no_delta)
        return err_set(e, ERR_USAGE, "--delta and --no-delta exclude each other");
    if (o->tries == 0)
        o->tries = BOOT_TRIES;
    return take_clone_operands(o, argc - first, argv + first, e);
}

void clone_options_free(struct clone_options *o)
{
    network_options_free(&o->network);
    trust_options_free(&o->trust);
    free(o->store);
    free(o->seeds);
}
