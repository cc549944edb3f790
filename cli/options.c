/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include "base/limits.h"
#include "base/text.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MAX_SPECS   64
#define HELP_COLUMN 33  /* of the help, where the text about an option begins */
#define LONG_CODES  256 /* getopt's code of a long option is this plus its index */

#define AT(member) offsetof(struct common_options, member)

const struct option_spec common_option_specs[] = {
    {"progress", 0, OPTION_WORD, AT(progress), "auto|bar|json|none",
     "how to show progress [auto: a bar on a terminal]"},
    {"json", 0, OPTION_FLAG, AT(json), NULL, "print the result as JSON on stdout"},
    {"quiet", 'q', OPTION_FLAG, AT(quiet), NULL, "print errors only"},
    {"verbose", 'v', OPTION_FLAG, AT(verbose), NULL, "say more"},
    {"version", 'V', OPTION_FLAG, AT(version), NULL, "print the version"},
    {"help", 'h', OPTION_FLAG, AT(help), NULL, "print this help"},
    {NULL},
};

/* Stores which of the words in "a|b|c" value is. */
static int set_word(const struct option_spec *s, unsigned *target, const char *value, struct err *e)
{
    const char *word = s->argument;
    size_t size = strlen(value);

    for (unsigned i = 0; word; i++) {
        size_t n = strcspn(word, "|");

        if (n == size && memcmp(word, value, n) == 0) {
            *target = i;
            return 0;
        }
        word = word[n] ? word + n + 1 : NULL;
    }
    return err_set(e, ERR_USAGE, "--%s takes %s, not '%s'", s->name, s->argument, value);
}

static int set_number(const struct option_spec *s, unsigned *target, const char *value,
                      struct err *e)
{
    uint64_t n;

    if (!text_parse_u64(value, s->min, s->max, &n))
        return err_set(e, ERR_USAGE, "--%s takes a whole number from %llu to %llu, not '%s'",
                       s->name, (unsigned long long)s->min, (unsigned long long)s->max, value);
    *target = (unsigned)n;
    return 0;
}

static int set_option(const struct option_spec *s, void *options, const char *value,
                      const char *second, struct err *e)
{
    void *target = (char *)options + s->offset;

    switch (s->type) {
    case OPTION_FLAG:
        *(bool *)target = true;
        return 0;
    case OPTION_TEXT:
    case OPTION_MAYBE:
        *(const char **)target = value ? value : "";
        return 0;
    case OPTION_NUMBER:
        return set_number(s, target, value, e);
    case OPTION_SIZE:
        if (!text_parse_size(value, s->min, s->max, target))
            return err_set(e, ERR_USAGE, "--%s takes a size such as 500k or 20MiB, not '%s'",
                           s->name, value);
        return 0;
    case OPTION_WORD:
        return set_word(s, target, value, e);
    case OPTION_CALL:
    case OPTION_PAIR:
        return s->call(target, value, second, e);
    case OPTION_TABLE:
        break;
    }
    return 0;
}

/* All options of a table and of the tables in it, and where their structs begin. */
struct flat_specs {
    const struct option_spec *specs[MAX_SPECS];
    void *options[MAX_SPECS];
    size_t count;
};

static void flatten_specs(const struct option_spec *specs, void *options, struct flat_specs *flat)
{
    for (; specs->name; specs++) {
        if (specs->type == OPTION_TABLE) {
            flatten_specs(specs->table, (char *)options + specs->offset, flat);
        } else if (flat->count < MAX_SPECS) {
            flat->specs[flat->count] = specs;
            flat->options[flat->count++] = options;
        }
    }
}

/* Makes getopt_long's tables from ours. */
static void make_getopt_tables(const struct flat_specs *flat, struct option *longs, char *letters)
{
    *letters++ = ':'; /* a missing argument is reported as ':', an unknown option as '?' */
    for (size_t i = 0; i < flat->count; i++) {
        const struct option_spec *s = flat->specs[i];

        longs[i] = (struct option){.name = s->name,
                                   .has_arg = !s->argument              ? no_argument
                                              : s->type == OPTION_MAYBE ? optional_argument
                                                                        : required_argument,
                                   .val = LONG_CODES + (int)i};
        if (s->letter)
            *letters++ = s->letter;
        if (s->letter && s->argument)
            *letters++ = ':';
    }
    longs[flat->count] = (struct option){0};
    *letters = '\0';
}

static size_t find_spec(const struct flat_specs *flat, int code)
{
    size_t i = 0;

    if (code >= LONG_CODES)
        return (size_t)(code - LONG_CODES);
    while (i < flat->count && flat->specs[i]->letter != code)
        i++;
    return i;
}

static int explain_option(int code, char **argv, struct err *e)
{
    if (code == ':')
        return err_set(e, ERR_USAGE, "option '%s' needs a value", argv[optind - 1]);
    if (optopt > 0 && optopt < LONG_CODES) /* a letter, maybe one of several in an argument */
        return err_set(e, ERR_USAGE, "unknown option '-%c' (--help lists all)", optopt);
    return err_set(e, ERR_USAGE, "unknown or ambiguous option '%s' (--help lists all)",
                   argv[optind - 1]);
}

bool options_want_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

/* Sets --json even if the parsing failed before it: the error is printed as JSON, too. */
static void find_json(const struct flat_specs *flat, int argc, char **argv)
{
    for (size_t i = 0; i < flat->count; i++)
        if (strcmp(flat->specs[i]->name, "json") == 0)
            *(bool *)((char *)flat->options[i] + flat->specs[i]->offset) =
                options_want_json(argc, argv);
}

static int parse_flat(const struct flat_specs *flat, int argc, char **argv, struct err *e)
{
    struct option longs[MAX_SPECS + 1];
    char letters[2 * MAX_SPECS + 2];
    int code;

    make_getopt_tables(flat, longs, letters);
    optind = 0; /* makes getopt begin anew, whatever was parsed before */
    opterr = 0;
    while ((code = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const char *second = NULL;
        size_t i;

        if (code == '?' || code == ':')
            return explain_option(code, argv, e);
        i = find_spec(flat, code);
        if (flat->specs[i]->type == OPTION_PAIR &&
            !(second = optind < argc ? argv[optind++] : NULL))
            return err_set(e, ERR_USAGE, "option --%s needs %s", flat->specs[i]->name,
                           flat->specs[i]->argument);
        if (set_option(flat->specs[i], flat->options[i], optarg, second, e) < 0)
            return -1;
    }
    return optind;
}

int options_parse(const struct option_spec *specs, int argc, char **argv, void *options,
                  struct err *e)
{
    struct flat_specs flat = {.count = 0};
    int first;

    flatten_specs(specs, options, &flat);
    first = parse_flat(&flat, argc, argv, e);
    if (first < 0)
        find_json(&flat, argc, argv);
    return first;
}

static void print_option(const struct option_spec *s)
{
    char left[64];

    if (!s->help)
        return;
    snprintf(left, sizeof left, "%s%c%s --%s%s%s", s->letter ? "-" : " ",
             s->letter ? s->letter : ' ', s->letter ? "," : " ", s->name,
             s->argument && s->type != OPTION_MAYBE ? " " : "", s->argument ? s->argument : "");
    if (strlen(left) >= HELP_COLUMN)
        printf("  %s\n  %*s %s\n", left, HELP_COLUMN, "", s->help);
    else
        printf("  %-*s %s\n", HELP_COLUMN, left, s->help);
}

void options_print_help(const struct option_spec *specs)
{
    for (; specs->name; specs++)
        if (specs->type == OPTION_TABLE)
            options_print_help(specs->table);
        else
            print_option(specs);
}

unsigned options_default_jobs(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return processors < 1 ? 1 : processors > LIMIT_JOBS ? LIMIT_JOBS : (unsigned)processors;
}
