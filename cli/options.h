/* SPDX-License-Identifier: MIT */
/* options: command lines, from a table. Each program lists its options once; the
 * table parses them and prints the help.
 */
#ifndef IHOP_CLI_OPTIONS_H
#define IHOP_CLI_OPTIONS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char *: points into argv */
    OPTION_NUMBER, /* unsigned, within min and max */
    OPTION_SIZE,   /* uint64_t, within min and max; takes a suffix */
    OPTION_WORD,   /* unsigned: which of the words in argument, "auto|fs|files" */
    OPTION_CALL,   /* call decides */
    OPTION_PAIR,   /* call decides on two arguments, as in --name KEY VALUE */
    OPTION_TABLE,  /* not an option: those of table, whose struct is at offset */
};

struct option_spec {
    const char *name; /* NULL ends the table */
    char letter;      /* 0: none */
    enum option_type type;
    size_t offset;        /* of the target in the program's struct */
    const char *argument; /* NULL: takes none */
    const char *help;     /* NULL: another name for the option before it */
    uint64_t min, max;
    /* target: the address that offset tells; second: NULL but for OPTION_PAIR. */
    int (*call)(void *target, const char *value, const char *second, struct err *e);
    const struct option_spec *table;
};

/* What every program takes, in a member of its struct. */
struct common_options {
    bool help, version, quiet, verbose, json;
    unsigned progress; /* enum progress_style */
};

enum progress_style { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_JSON, PROGRESS_NONE };

/* To be included in each table, at the common_options. */
extern const struct option_spec common_option_specs[];

/* Fills options, which already hold the defaults. Returns the index in argv of the
 * first operand (argv is reordered, operands come last), or -1 with ERR_USAGE,
 * which names the option and what it takes. Not thread-safe (getopt). */
int options_parse(const struct option_spec *specs, int argc, char **argv, void *options,
                  struct err *e) __attribute__((warn_unused_result));

/* Whether the arguments have --json, before they are parsed or when they cannot be. */
bool options_want_json(int argc, char **argv);

/* Prints a line for each option on stdout. */
void options_print_help(const struct option_spec *specs);

/* Processors of this machine, at most LIMIT_JOBS: the default of --jobs. */
unsigned options_default_jobs(void);

#endif
