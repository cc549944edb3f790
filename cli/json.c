/* SPDX-License-Identifier: MIT */
#include "cli/json.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS 15 /* at most, of a double; json_set_decimal has rounded it */

json_t *json_new_result(int exit_code)
{
    json_t *result = json_object();

    json_set_text(result, "type", "result");
    json_set_bool(result, "ok", exit_code == 0);
    json_set_number(result, "exit_code", (uint64_t)exit_code);
    return result;
}

void json_set_text(json_t *object, const char *name, const char *value)
{
    json_t *text = json_string(value);
    char *copy;

    if (!text && (copy = strdup(value))) {
        text_make_printable(copy);
        text = json_string(copy);
        free(copy);
    }
    json_object_set_new(object, name, text);
}

void json_set_number(json_t *object, const char *name, uint64_t value)
{
    char digits[24];

    /* Jansson has no larger numbers. */
    if (value > INT64_MAX) {
        snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
        json_set_text(object, name, digits);
        return;
    }
    json_object_set_new(object, name, json_integer((json_int_t)value));
}

void json_set_decimal(json_t *object, const char *name, double value)
{
    json_object_set_new(object, name, json_real((double)(uint64_t)(value * 1000 + 0.5) / 1000));
}

void json_set_bool(json_t *object, const char *name, bool value)
{
    json_object_set_new(object, name, json_boolean(value));
}

void json_print(json_t *object)
{
    if (!object || json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(DIGITS)) < 0)
        fputs("{\"ok\":false,\"error\":\"out of memory\"}", stdout);
    putchar('\n');
    fflush(stdout);
    json_decref(object);
}
