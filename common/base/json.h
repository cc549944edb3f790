/* SPDX-License-Identifier: MIT */
/* json: writes one JSON object into a buffer of fixed size (RFC 8259). An object
 * that does not fit is cut; json_end then returns false. */
#ifndef IHOP_BASE_JSON_H
#define IHOP_BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
    char *text;
    size_t size, used;
    bool comma, full;
};

void json_begin(struct json *j, char *text, size_t size);
void json_text(struct json *j, const char *name, const char *value);
void json_number(struct json *j, const char *name, uint64_t value);
void json_decimal(struct json *j, const char *name, double value); /* three decimals */
void json_bool(struct json *j, const char *name, bool value);
bool json_end(struct json *j);

#endif
