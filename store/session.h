/* SPDX-License-Identifier: MIT */
/* session: one run of ihop-store: its options, its store, its output. */
#ifndef IHOP_STORE_SESSION_H
#define IHOP_STORE_SESSION_H

#include "base/err.h"
#include "cli/http_options.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/table.h"
#include "format/image.h"
#include "store/releases.h"
#include "store/gc.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

struct session_options {
    struct common_options common;
    struct http_flags http;
    unsigned wait_seconds, jobs;
    bool dry_run, force, repair;
    unsigned keep;             /* gc: releases to keep; 0: all */
    unsigned partial_age_days; /* gc */
    const char *from;          /* verify: where the archive is */
    const char *metadata_key;  /* info */
};

#define SESSION_NAMES 2

struct session {
    struct session_options o;
    struct output out;
    char *path;                       /* of the store */
    const char *names[SESSION_NAMES]; /* releases on the command line; NULL: none */
    struct store *store;
};

/* Finds STORE and the releases in the operands. Both "STORE NAME" and "STORE/NAME"
 * are understood. least and most: how many names the command takes. usage: for the
 * message. */
int session_take_operands(struct session *s, int argc, char **argv, size_t least, size_t most,
                          const char *usage, struct err *e) __attribute__((warn_unused_result));

/* A command about the whole store tells, in one note, which files in it are no releases. */
int session_open(struct session *s, enum store_access access, struct err *e)
    __attribute__((warn_unused_result));

/* The releases to work on: the one that was named, or all. */
int session_releases(const struct session *s, struct store_releases *list, struct err *e)
    __attribute__((warn_unused_result));

/* Reads one that was listed: 1, or 0 when it was removed since then. */
int session_load(const struct session *s, const char *name, struct image *image, struct err *e)
    __attribute__((warn_unused_result));

void session_free(struct session *s);

/* The member "ok" and what else every result has. */
json_t *session_result(const struct session *s);

/* The end of a command that shows something: prints, when r is 0, the result or the table,
 * as --json says, and drops both. Returns r. */
int session_show(const struct session *s, int r, struct table *t, json_t *result);

/* "2026-01-31 09:05" in local time. */
#define SESSION_TIME_SIZE 32
const char *session_time(const struct store_release *r, char text[SESSION_TIME_SIZE]);

/* Each is one command; returns 0 or -1 with the error. */
int command_list(struct session *s, struct err *e) __attribute__((warn_unused_result));
int command_info(struct session *s, struct err *e) __attribute__((warn_unused_result));
int command_verify(struct session *s, struct err *e) __attribute__((warn_unused_result));
int command_gc(struct session *s, struct err *e) __attribute__((warn_unused_result));
int command_remove(struct session *s, struct err *e) __attribute__((warn_unused_result));
int command_diff(struct session *s, struct err *e) __attribute__((warn_unused_result));
int command_du(struct session *s, struct err *e) __attribute__((warn_unused_result));
int command_protect(struct session *s, struct err *e) __attribute__((warn_unused_result));
int command_unprotect(struct session *s, struct err *e) __attribute__((warn_unused_result));

#endif
