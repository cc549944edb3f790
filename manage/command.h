/* SPDX-License-Identifier: MIT */
/* command: one run of ihop-store: its options, its store, its output. */
#ifndef IHOP_MANAGE_COMMAND_H
#define IHOP_MANAGE_COMMAND_H

#include "base/err.h"
#include "cli/network_options.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/table.h"
#include "format/image.h"
#include "store/release_list.h"
#include "store/gc.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

struct command_options {
    struct common_options common;
    struct network_options network;
    unsigned wait_seconds, jobs;
    bool dry_run, force, repair;
    unsigned keep;             /* gc: releases to keep; 0: all */
    unsigned partial_age_days; /* gc */
    const char *from;          /* verify: where the archive is */
    const char *metadata_key;  /* info */
};

#define COMMAND_NAMES 2

struct command {
    struct command_options o;
    struct output out;
    char *path;                       /* of the store */
    const char *names[COMMAND_NAMES]; /* releases on the command line; NULL: none */
    struct store *store;
};

/* Finds STORE and the releases in the operands. Both "STORE NAME" and "STORE/NAME"
 * are understood. least and most: how many names the command takes. usage: for the
 * message. */
int command_take_operands(struct command *s, int argc, char **argv, size_t least, size_t most,
                          const char *usage, struct err *e) __attribute__((warn_unused_result));

/* A command about the whole store tells, in one note, which files in it are no releases. */
int command_open(struct command *s, enum store_access access, struct err *e)
    __attribute__((warn_unused_result));

/* The releases to work on: the one that was named, or all. */
int command_releases(const struct command *s, struct store_release_list *list, struct err *e)
    __attribute__((warn_unused_result));

/* Reads a release that was listed; *there is false when it was removed since then. */
int command_load(const struct command *s, const char *name, struct image *image, bool *there,
                 struct err *e) __attribute__((warn_unused_result));

void command_free(struct command *s);

/* The member "ok" and what else every result has. */
json_t *command_result(const struct command *s);

/* The end of a command that shows something: prints, when r is 0, the result or the table,
 * as --json says, and drops both. Returns r. */
int command_show(const struct command *s, int r, struct table *t, json_t *result);

/* "2026-01-31 09:05" in local time. */
#define COMMAND_TIME_SIZE 32
const char *command_time(const struct store_release *r, char text[COMMAND_TIME_SIZE]);

/* Each is one command; returns 0 or -1 with the error. */
int command_list(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_info(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_verify(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_gc(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_remove(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_diff(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_du(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_protect(struct command *s, struct err *e) __attribute__((warn_unused_result));
int command_unprotect(struct command *s, struct err *e) __attribute__((warn_unused_result));

#endif
