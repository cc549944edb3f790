/* SPDX-License-Identifier: MIT */
/* ihop-store: looks after a chunk store. */
#include "manage/command.h"

#include "base/limits.h"
#include "store/boot_selection.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define AT(member) offsetof(struct command_options, member)

static const struct option_spec reading_specs[] = {
    OPTIONS_WAIT(AT(wait_seconds)), OPTIONS_COMMON(AT(common)), {NULL}};

static const struct option_spec info_specs[] = {
    {"metadata-key", 0, OPTION_TEXT, AT(metadata_key), "KEY",
     "print this metadata value as it is, and nothing else"},
    OPTIONS_WAIT(AT(wait_seconds)),
    OPTIONS_COMMON(AT(common)),
    {NULL},
};

static const struct option_spec verify_specs[] = {
    {"repair", 0, OPTION_FLAG, AT(repair), NULL, "fetch the bad and missing chunks again"},
    {"from", 0, OPTION_TEXT, AT(from), "ARCHIVE",
     "URL or path of the archive [the one that the release records]"},
    {"", 0, OPTION_TABLE, AT(keys), .table = key_option_specs},
    OPTIONS_JOBS(AT(jobs), "decode and verify"),
    OPTIONS_WAIT(AT(wait_seconds)),
    OPTIONS_NETWORK(AT(network)),
    OPTIONS_COMMON(AT(common)),
    {NULL},
};

static const struct option_spec gc_specs[] = {
    {"dry-run", 'n', OPTION_FLAG, AT(dry_run), NULL, "say what would go, and change nothing"},
    {"keep", 0, OPTION_NUMBER, AT(keep), "N",
     "also remove all but the N youngest releases; served and protected ones stay", 1, UINT32_MAX},
    {"partial-age", 0, OPTION_NUMBER, AT(partial_age_days), "DAYS",
     "keep the chunks of an interrupted clone this long [30]", 0, LIMIT_PARTIAL_AGE_DAYS},
    OPTIONS_WAIT(AT(wait_seconds)),
    OPTIONS_COMMON(AT(common)),
    {NULL},
};

static const struct option_spec remove_specs[] = {
    {"force", 'f', OPTION_FLAG, AT(force), NULL, "even while it is being served"},
    OPTIONS_WAIT(AT(wait_seconds)),
    OPTIONS_COMMON(AT(common)),
    {NULL},
};

static const struct option_spec try_specs[] = {
    {"tries", 0, OPTION_NUMBER, AT(tries), "N", "so many boots take it [3]", 1, LIMIT_BOOT_TRIES},
    OPTIONS_WAIT(AT(wait_seconds)),
    OPTIONS_COMMON(AT(common)),
    {NULL},
};

static const struct option_spec boot_specs[] = {
    {"dry-run", 'n', OPTION_FLAG, AT(dry_run), NULL, "only look: count and record nothing"},
    {"skip", 0, OPTION_CALL, 0, "RELEASE", "do not choose this one; may be repeated",
     .call = command_add_skip},
    OPTIONS_COMMON(AT(common)),
    {NULL},
};

static const struct option_spec minimum_specs[] = {
    {"set", 0, OPTION_CALL, 0, "N", "take no version below N from now on",
     .call = command_set_minimum},
    {"force", 'f', OPTION_FLAG, AT(force), NULL,
     "even if that lets in what was refused, or if it is not known what it was"},
    OPTIONS_WAIT(AT(wait_seconds)),
    OPTIONS_COMMON(AT(common)),
    {NULL},
};

static const struct option_spec plain_specs[] = {OPTIONS_COMMON(AT(common)), {NULL}};

static const struct command_spec {
    const char *name, *usage, *help;
    size_t least, most; /* how many names of releases it takes */
    const struct option_spec *specs;
    int (*run)(struct command *s, struct err *e);
} commands[] = {
    {"list", "list STORE", "the releases, the oldest first", 0, 0, reading_specs, command_list},
    {"info", "info STORE[/RELEASE]", "all about the store, or about a release", 0, 1, info_specs,
     command_info},
    {"verify", "verify [--repair] STORE[/RELEASE]", "hash all chunks again", 0, 1, verify_specs,
     command_verify},
    {"gc", "gc [--keep N] STORE", "free what no release needs", 0, 0, gc_specs, command_gc},
    {"remove", "remove STORE/RELEASE", "take a release away; gc then frees its chunks", 1, 1,
     remove_specs, command_remove},
    {"diff", "diff STORE/A STORE/B", "what two releases share", 2, 2, reading_specs, command_diff},
    {"du", "du STORE", "what each release costs, alone and shared", 0, 0, reading_specs,
     command_du},
    {"protect", "protect STORE/RELEASE", "keep it from gc --keep, remove and --make-room", 1, 1,
     reading_specs, command_protect},
    {"unprotect", "unprotect STORE/RELEASE", "let gc --keep, remove and --make-room have it again",
     1, 1, reading_specs, command_unprotect},
    {"default", "default STORE/RELEASE", "what boots from now on", 1, 1, reading_specs,
     command_default},
    {"try", "try [--tries N] STORE/RELEASE", "what the next boots take, until it is good", 1, 1,
     try_specs, command_try},
    {"good", "good STORE[/RELEASE]", "what was booted works: a trial becomes the default", 0, 1,
     plain_specs, command_good},
    {"boot", "boot [--skip RELEASE] STORE", "choose what boots now, count it, print it", 0, 0,
     boot_specs, command_boot},
    {"selection", "selection STORE", "what boots, what is on trial, what was booted", 0, 0,
     plain_specs, command_selection},
    {"minimum", "minimum [--set N [--force]] STORE", "the lowest version that the store takes", 0,
     0, minimum_specs, command_minimum},
};

#define COMMAND_COUNT (sizeof commands / sizeof *commands)

static void print_help(void)
{
    puts("usage: ihop-store COMMAND [options] STORE[/RELEASE]\n"
         "\n"
         "Looks after a store of releases, made by ihop-clone.\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %-34s %s\n", commands[i].usage, commands[i].help);
    puts("\nSTORE RELEASE works as well as STORE/RELEASE. ihop-store COMMAND --help lists the\n"
         "options of a command. Exit codes: see ihop-store(1).");
}

static const struct command_spec *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

static int run_command(const struct command_spec *command, struct command *s, int argc, char **argv,
                       struct err *e)
{
    int first = options_parse(command->specs, argc, argv, &s->o, e);

    output_init(&s->out, "ihop-store", &s->o.common);
    if (first < 0)
        return -1;
    if (s->o.common.help) {
        printf("usage: ihop-store %s\n\n%s.\n\n", command->usage, command->help);
        options_print_help(command->specs);
        return 0;
    }
    if (s->o.common.version) {
        puts("ihop-store " PACKAGE_VERSION);
        return 0;
    }
    network_options_finish(&s->o.network, &s->out.events);
    if (command_take_operands(s, argc - first, argv + first, command->least, command->most,
                              command->usage, e) < 0)
        return -1;
    return command->run(s, e);
}

/* Moves the command before the options, which may stand before it on the command line. */
static void move_command(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        char *command = argv[i];

        if (!find_command(command))
            continue;
        memmove(argv + 2, argv + 1, (size_t)(i - 1) * sizeof *argv);
        argv[1] = command;
        return;
    }
}

static int no_command(struct command *s, int argc, char **argv, struct err *e)
{
    s->o.common.json = options_want_json(argc, argv);
    if (argc < 2)
        return err_set(e, ERR_USAGE, "a command is missing (--help lists all)");
    return err_set(e, ERR_USAGE, "%s '%s' (--help lists all)",
                   argv[1][0] == '-' ? "no command after" : "unknown command", argv[1]);
}

static int run_selected(struct command *s, int argc, char **argv, struct err *e)
{
    const struct command_spec *command;

    if (argc > 1 && argv[1][0] == '-')
        move_command(argc, argv);
    command = argc > 1 ? find_command(argv[1]) : NULL;

    if (command)
        return run_command(command, s, argc - 1, argv + 1, e);
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
        print_help();
    else if (argc > 1 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0))
        puts("ihop-store " PACKAGE_VERSION);
    else
        return no_command(s, argc, argv, e);
    return 0;
}

int main(int argc, char **argv)
{
    struct command s = {.o = {.jobs = options_default_jobs(),
                              .tries = BOOT_TRIES,
                              .partial_age_days = STORE_PARTIAL_AGE_S / 86400}};
    struct err e = ERR_INIT;
    int r, code;

    output_prepare();
    umask(022); /* A server that runs as another user may have to read the store. */
    network_options_init(&s.o.network);
    output_init(&s.out, "ihop-store", &s.o.common);
    r = run_selected(&s, argc, argv, &e);
    code = output_end(&s.out, r, &e);
    command_free(&s);
    return code;
}
