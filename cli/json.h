/* SPDX-License-Identifier: MIT */
/* json: output for programs, made with Jansson. This is the one file that includes jansson.h.
 *
 * Every function here and in Jansson accepts a json_t of NULL, which means that memory ran
 * out; json_print then reports that. From one thread.
 */
#ifndef IHOP_CLI_JSON_H
#define IHOP_CLI_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* A program's last line: an object with the members type ("result"), ok and exit_code. */
json_t *json_new_result(int exit_code);

/* Sets a member of object. Text that is not UTF-8 is made printable first. */
void json_set_text(json_t *object, const char *name, const char *value);
/* A number from 2^63 on becomes a text, as no JSON library is sure to keep it. */
void json_set_number(json_t *object, const char *name, uint64_t value);
void json_set_decimal(json_t *object, const char *name, double value); /* three decimals */
void json_set_bool(json_t *object, const char *name, bool value);

/* Prints object on a line of its own on stdout, flushes, and drops it. */
void json_print(json_t *object);

#endif
