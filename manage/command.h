/* SPDX-License-Identifier: MIT */
/* command: one run of ihop-store, with its options, its store and its output. One thread runs it.
 * Errors name the store or the release, and their kind decides on the exit code. */
#ifndef IHOP_MANAGE_COMMAND_H
#define IHOP_MANAGE_COMMAND_H

#include "base/err.h"
#include "cli/json.h"
#include "cli/key_options.h"
#include "cli/network_options.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/table.h"
#include "format/image.h"
#include "store/gc.h"
#include "store/release_list.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct command_options {
    struct common_options common;
    struct network_options network;
    struct key_options keys; /* verify */
    unsigned wait_seconds, jobs;
    bool dry_run, force, repair;
    unsigned keep;             /* gc: how many releases to keep; 0 for all */
    unsigned partial_age_days; /* gc: how long an interrupted clone keeps its chunks */
    const char *from;          /* verify: the archive to repair from, or NULL */
    const char *metadata_key;  /* info: the metadata to print alone, or NULL */
    unsigned tries;            /* try: how many boots */
    const char **skips;        /* boot: releases not to choose; owned, the texts belong to argv */
    size_t skip_count, skip_capacity;
    bool set; /* minimum: a value is given */
    uint64_t minimum;
};

#define COMMAND_NAMES 2

struct command {
    struct command_options o;
    struct output out;
    char *path;                       /* the store's directory */
    const char *names[COMMAND_NAMES]; /* the releases on the command line, then NULL */
    struct store *store;              /* NULL until command_open */
};

/* Finds STORE and the releases in the operands, which may be "STORE NAME" or "STORE/NAME". The
 * command takes from least to most names. usage is for the message of ERR_USAGE. */
int command_take_operands(struct command *s, int argc, char **argv, size_t least, size_t most,
                          const char *usage, struct err *e) __attribute__((warn_unused_result));

/* Opens the store. If no release was named, a note says which files in it are no releases. */
int command_open(struct command *s, enum store_access access, struct err *e)
    __attribute__((warn_unused_result));

/* Lists the releases to work on: the one that was named, or all. The caller frees *list. */
int command_releases(const struct command *s, struct store_release_list *list, struct err *e)
    __attribute__((warn_unused_result));

/* Reads a release that was listed; *there is false when it was removed since then. */
int command_load(const struct command *s, const char *name, struct image *image, bool *there,
                 struct err *e) __attribute__((warn_unused_result));

/* Takes --set (option_spec.call). */
int command_set_minimum(void *options, const char *value, const char *unused, struct err *e)
    __attribute__((warn_unused_result));

/* Takes --skip (option_spec.call). */
int command_add_skip(void *options, const char *name, const char *unused, struct err *e)
    __attribute__((warn_unused_result));

/* Closes the store and frees what the command owns. */
void command_free(struct command *s);

/* Makes the JSON object of a result, with the members that every result has. */
json_t *command_result(const struct command *s);

/* Ends a command that shows something. If r is 0, it prints the result with --json and the table
 * without; then it frees both. Returns r. */
int command_show(const struct command *s, int r, struct table *t, json_t *result);

/* Writes when the release was published, as "2026-01-31 09:05" in local time, and returns text. */
#define COMMAND_TIME_SIZE 32
const char *command_time(const struct store_release *r, char text[COMMAND_TIME_SIZE]);

/* Each of these functions is one command. */
int command_list(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_info(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_verify(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_gc(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_remove(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_diff(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_du(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_protect(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_unprotect(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_default(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_try(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_good(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_boot(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_selection(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_minimum(struct command *s, struct err *e) __attribute__((warn_unused_result));

#endif
