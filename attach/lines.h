/* SPDX-License-Identifier: MIT */
/* lines: structs as text, a line "key value" for each member: what a keeper writes down about its
 * device, and what it is told to do.
 *
 * A table says which members there are. Reading wants each of them once, but for those that may be
 * missing, with a good value, and skips lines that are in no table, which a later version may
 * write. Thread-safe.
 */
#ifndef IHOP_ATTACH_LINES_H
#define IHOP_ATTACH_LINES_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum line_type {
    LINE_TEXT,   /* char[size], without newlines */
    LINE_LIST,   /* char[size]: texts, each ended by a newline: any number of lines */
    LINE_NUMBER, /* unsigned */
    LINE_MAYBE,  /* unsigned; 0 when there is no line, as in what an earlier version wrote */
    LINE_FD,     /* int: a descriptor, or -1 */
    LINE_PID,    /* pid_t */
    LINE_LONG,   /* uint64_t */
};

struct line {
    const char *key;
    enum line_type type;
    size_t offset, size; /* size: of a text's array */
    uint64_t max;        /* of a number */
};

/* The most that a table may have. */
#define LINES_MAX 32

/* Appends the members of object to text, which has room for size bytes with the NUL. ERR_SPACE
 * when it has not. */
int lines_print(const struct line *lines, size_t count, const void *object, char *text, size_t size,
                struct err *e) __attribute__((warn_unused_result));

/* Reads the members of object. False when one is missing, is there twice or has a bad value;
 * object is of no use then. */
bool lines_parse(const struct line *lines, size_t count, const char *text, void *object)
    __attribute__((warn_unused_result));

#endif
