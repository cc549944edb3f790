/* SPDX-License-Identifier: MIT */
/* record_text: the form of the small text files in .ihop that programs of others read, too:
 * .ihop/boot and .ihop/floor. For store/ alone.
 *
 * Lines of KEY=VALUE, as U-Boot's "env import -t" and a shell read them; lines that begin with '#'
 * and empty ones say nothing. The last line that counts is "check=" and what cksum(1) prints first
 * for all lines before it. docs/store.md has the rules. Pure; thread-safe.
 */
#ifndef IHOP_STORE_RECORD_TEXT_H
#define IHOP_STORE_RECORD_TEXT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* A line; neither part is ended by a NUL, and neither has one. */
struct record_line {
    const char *key, *value;
    size_t key_size, value_size;
};

bool record_line_is(const struct record_line *line, const char *key);

/* Copies the value and a NUL; false when it does not fit into size bytes. */
bool record_line_value(const struct record_line *line, char *value, size_t size)
    __attribute__((warn_unused_result));

typedef int (*record_take_fn)(void *user, const struct record_line *line, struct err *e);

/* Hands each line before the check to take, which refuses it with ERR_DAMAGED or, as for a key that
 * it does not know, returns 0. Then the check must be right. ERR_DAMAGED says what is wrong,
 * without the name of the file. */
int record_text_read(const char *text, size_t size, record_take_fn take, void *user, struct err *e)
    __attribute__((warn_unused_result));

/* Appends the line with the check to the used bytes of a text of at most size bytes; returns how
 * many there are then, without a NUL. */
size_t record_text_end(char *text, size_t used, size_t size);

#endif
