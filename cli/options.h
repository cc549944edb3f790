/* SPDX-License-Identifier: MIT */
/* options: command lines. Each program lists its options in one table, by which they are
 * parsed and the help is printed. */
#ifndef IHOP_CLI_OPTIONS_H
#define IHOP_CLI_OPTIONS_H

#include "base/err.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_type {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char *: points into argv */
    OPTION_MAYBE,  /* const char *: the text after "--name=", or "" after "--name" alone */
    OPTION_NUMBER, /* unsigned, within min and max */
    OPTION_SIZE,   /* uint64_t, within min and max; takes a suffix */
    OPTION_WORD,   /* unsigned: which of the words in argument, "auto|fs|files" */
    OPTION_CALL,   /* call takes the argument */
    OPTION_PAIR,   /* call takes two arguments, as in --name KEY VALUE */
    OPTION_TABLE,  /* no option: includes another table, whose struct is at offset */
};

struct option_spec {
    const char *name; /* NULL ends the table */
    char letter;      /* 0: none */
    enum option_type type;
    size_t offset;        /* of the option's target in the program's struct */
    const char *argument; /* what the help calls it; NULL: the option takes none */
    const char *help;     /* NULL: another name for the option before it */
    uint64_t min, max;
    /* target: the address at offset; second: NULL except for OPTION_PAIR. */
    int (*call)(void *target, const char *value, const char *second, struct err *e);
    const struct option_spec *table;
};

/* The options that every program has, in a member of its struct. */
struct common_options {
    bool help, version, quiet, verbose, json;
    unsigned progress; /* enum progress_style */
};

enum progress_style { PROGRESS_AUTO, PROGRESS_BAR, PROGRESS_JSON, PROGRESS_NONE };

extern const struct option_spec common_option_specs[];

/* Rows that several tables have. at: the offset of the struct common_options, or of the
 * unsigned that the option sets. work: what the threads do. */
#define OPTIONS_COMMON(at)                                                                         \
    {                                                                                              \
        "", 0, OPTION_TABLE, at, .table = common_option_specs                                      \
    }
#define OPTIONS_JOBS(at, work)                                                                     \
    {                                                                                              \
        "jobs", 'j', OPTION_NUMBER, at, "N", "threads that " work " [processors]", 1, LIMIT_JOBS   \
    }
#define OPTIONS_WAIT(at)                                                                           \
    {                                                                                              \
        "wait", 0, OPTION_NUMBER, at, "SECONDS", "wait for a locked store [0]", 0, LIMIT_WAIT_S    \
    }

/* Fills options, which already hold the defaults. Returns the index in argv of the first
 * operand (argv is reordered so that operands come last), or -1 with ERR_USAGE, whose text
 * names the option and what it takes. Not thread-safe, because getopt is not. */
int options_parse(const struct option_spec *specs, int argc, char **argv, void *options,
                  struct err *e) __attribute__((warn_unused_result));

/* Whether the arguments have --json. For errors that come before the parsing, or from it. */
bool options_want_json(int argc, char **argv);

/* Prints a line on stdout for each option. */
void options_print_help(const struct option_spec *specs);

/* The default of --jobs: the processors of this machine, at most LIMIT_JOBS. */
unsigned options_default_jobs(void);

#endif
