/* SPDX-License-Identifier: MIT */
/* json: what programs print for programs, by way of Jansson.
 *
 * The one place that includes jansson.h. A json_t of NULL (no memory) is taken
 * by every function of Jansson and here; json_print then reports it.
 */
#ifndef IHOP_CLI_JSON_H
#define IHOP_CLI_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* The last line of a program: type "result", ok, exit_code. */
json_t *json_new_result(int exit_code);

/* Sets a member of object. Text that is not UTF-8 is made printable first. */
void json_set_text(json_t *object, const char *name, const char *value);
void json_set_number(json_t *object, const char *name, uint64_t value);
void json_set_decimal(json_t *object, const char *name, double value); /* three decimals */
void json_set_bool(json_t *object, const char *name, bool value);

/* Prints object on a line of its own on stdout, flushes, and drops it. */
void json_print(json_t *object);

#endif
