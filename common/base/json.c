/* SPDX-License-Identifier: MIT */
#include "base/json.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static void put(struct json *j, const char *text)
{
    size_t n = strlen(text);

    if (n >= j->size - j->used) {
        j->full = true;
        return;
    }
    memcpy(j->text + j->used, text, n + 1);
    j->used += n;
}

/* Broken UTF-8 becomes '?': a JSON text is UTF-8. */
static void put_string(struct json *j, const char *value)
{
    bool valid = text_is_utf8(value, strlen(value));
    char piece[8];

    put(j, "\"");
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;

        if (c == '"' || c == '\\')
            snprintf(piece, sizeof piece, "\\%c", c);
        else if (c < 0x20)
            snprintf(piece, sizeof piece, "\\u%04x", c);
        else
            snprintf(piece, sizeof piece, "%c", c >= 0x80 && !valid ? '?' : c);
        put(j, piece);
    }
    put(j, "\"");
}

static void put_name(struct json *j, const char *name)
{
    put(j, j->comma ? "," : "");
    j->comma = true;
    put_string(j, name);
    put(j, ":");
}

void json_begin(struct json *j, char *text, size_t size)
{
    *j = (struct json){.text = text, .size = size};
    put(j, "{");
}

void json_text(struct json *j, const char *name, const char *value)
{
    put_name(j, name);
    put_string(j, value);
}

void json_number(struct json *j, const char *name, uint64_t value)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    put_name(j, name);
    put(j, digits);
}

void json_decimal(struct json *j, const char *name, double value)
{
    char digits[64];

    snprintf(digits, sizeof digits, "%.3f", value);
    put_name(j, name);
    put(j, digits);
}

void json_bool(struct json *j, const char *name, bool value)
{
    put_name(j, name);
    put(j, value ? "true" : "false");
}

bool json_end(struct json *j)
{
    put(j, "}");
    return !j->full;
}
