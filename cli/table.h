/* SPDX-License-Identifier: MIT */
/* table: prints text in columns on stdout, for people. From one thread. */
#ifndef IHOP_CLI_TABLE_H
#define IHOP_CLI_TABLE_H

#include "base/err.h"

#include <stddef.h>

#define TABLE_COLUMNS 16 /* at most, in one table */

struct table {
    const char *columns; /* a letter for each: aligned to the left (l) or right (r) */
    char **cells;        /* row after row */
    size_t count, capacity;
};

/* Adds the next cell. What could control the terminal is made printable. ERR_MEMORY. */
int table_add(struct table *t, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), warn_unused_result));

/* Adds a row of constant cells, such as the head; NULL ends cells. ERR_MEMORY. */
int table_add_row(struct table *t, const char *const *cells, struct err *e)
    __attribute__((warn_unused_result));

/* Prints all rows and frees them. */
void table_print(struct table *t);
void table_free(struct table *t);

#endif
