/* SPDX-License-Identifier: MIT */
/* table: columns for people, on stdout. */
#ifndef IHOP_CLI_TABLE_H
#define IHOP_CLI_TABLE_H

#include "base/err.h"

#include <stddef.h>

#define TABLE_COLUMNS 16 /* at most */

struct table {
    const char *columns; /* one letter each: l or r, how it is aligned */
    char **cells;        /* row after row */
    size_t count, capacity;
};

/* Adds the next cell. Text that could drive a terminal is made printable. */
int table_add(struct table *t, struct err *e, const char *fmt, ...)
    __attribute__((format(printf, 3, 4), warn_unused_result));

/* A row of constant cells, such as the head; cells ends with NULL. */
int table_add_row(struct table *t, const char *const *cells, struct err *e)
    __attribute__((warn_unused_result));

/* Prints all rows and frees them. */
void table_print(struct table *t);
void table_free(struct table *t);

#endif
