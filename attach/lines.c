/* SPDX-License-Identifier: MIT */
#include "attach/lines.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#define NUMBER_SIZE 24 /* of a value that is no text, with the NUL */

static bool set_text(const struct line *line, char *target, const char *value, size_t size)
{
    size_t used = line->type == LINE_LIST ? strlen(target) : 0;
    bool newline = line->type == LINE_LIST;

    if (used + size + newline >= line->size)
        return false;
    memcpy(target + used, value, size);
    if (newline)
        target[used + size] = '\n';
    target[used + size + newline] = '\0';
    return true;
}

static bool set_number(const struct line *line, void *target, const char *value, size_t size)
{
    char text[NUMBER_SIZE];
    uint64_t n;

    if (size >= sizeof text)
        return false;
    memcpy(text, value, size);
    text[size] = '\0';
    if (line->type == LINE_FD && strcmp(text, "-1") == 0) {
        *(int *)target = -1;
        return true;
    }
    if (!text_parse_u64(text, 0, line->max, &n))
        return false;
    if (line->type == LINE_PID)
        *(pid_t *)target = (pid_t)n;
    else if (line->type == LINE_FD)
        *(int *)target = (int)n;
    else if (line->type == LINE_NUMBER || line->type == LINE_MAYBE)
        *(unsigned *)target = (unsigned)n;
    else
        *(uint64_t *)target = n;
    return true;
}

/* Which line a row is; NULL when it is none. */
static const struct line *find_line(const struct line *lines, size_t count, const char *row,
                                    size_t size)
{
    const char *space = memchr(row, ' ', size);

    for (size_t i = 0; space && i < count; i++)
        if (strlen(lines[i].key) == (size_t)(space - row) &&
            memcmp(row, lines[i].key, (size_t)(space - row)) == 0)
            return &lines[i];
    return NULL;
}

static bool parse_row(const struct line *line, const char *row, size_t size, void *object)
{
    size_t skip = strlen(line->key) + 1;
    void *target = (char *)object + line->offset;

    return line->type == LINE_TEXT || line->type == LINE_LIST
               ? set_text(line, target, row + skip, size - skip)
               : set_number(line, target, row + skip, size - skip);
}

static bool is_list(const struct line *line)
{
    return line->type == LINE_LIST;
}

/* Sets the members that may have no line and had none; returns which they are. */
static uint32_t set_missing(const struct line *lines, size_t count, uint32_t seen, void *object)
{
    uint32_t missing = 0;

    for (size_t i = 0; i < count; i++)
        if (lines[i].type == LINE_MAYBE && !(seen & UINT32_C(1) << i)) {
            *(unsigned *)(void *)((char *)object + lines[i].offset) = 0;
            missing |= UINT32_C(1) << i;
        }
    return missing;
}

bool lines_parse(const struct line *lines, size_t count, const char *text, void *object)
{
    uint32_t seen = 0;

    for (size_t i = 0; i < count; i++)
        if (is_list(&lines[i])) { /* may have no line at all */
            seen |= UINT32_C(1) << i;
            *((char *)object + lines[i].offset) = '\0';
        }
    for (const char *row = text; *row;) {
        size_t size = strcspn(row, "\n");
        const struct line *line = find_line(lines, count, row, size);

        if (row[size] != '\n') /* cut short */
            return false;
        if (line) {
            uint32_t bit = UINT32_C(1) << (line - lines);

            if ((seen & bit && !is_list(line)) || !parse_row(line, row, size, object))
                return false;
            seen |= bit;
        }
        row += size + 1;
    }
    seen |= set_missing(lines, count, seen, object);
    return seen == (UINT32_C(1) << count) - 1;
}

static void print_number(const struct line *line, const void *source, char text[NUMBER_SIZE])
{
    if (line->type == LINE_PID)
        snprintf(text, NUMBER_SIZE, "%ld", (long)*(const pid_t *)source);
    else if (line->type == LINE_FD)
        snprintf(text, NUMBER_SIZE, "%d", *(const int *)source);
    else if (line->type == LINE_NUMBER || line->type == LINE_MAYBE)
        snprintf(text, NUMBER_SIZE, "%u", *(const unsigned *)source);
    else
        snprintf(text, NUMBER_SIZE, "%llu", (unsigned long long)*(const uint64_t *)source);
}

static bool print_row(const char *key, const char *value, size_t value_size, char *text,
                      size_t *used, size_t size)
{
    int n = snprintf(text + *used, size - *used, "%s %.*s\n", key, (int)value_size, value);

    if (n < 0 || (size_t)n >= size - *used)
        return false;
    *used += (size_t)n;
    return true;
}

static bool print_list(const struct line *line, const char *list, char *text, size_t *used,
                       size_t size)
{
    for (size_t n; *list; list += n + 1) {
        n = strcspn(list, "\n");
        if (!print_row(line->key, list, n, text, used, size))
            return false;
        if (list[n] == '\0')
            break;
    }
    return true;
}

int lines_print(const struct line *lines, size_t count, const void *object, char *text, size_t size,
                struct err *e)
{
    size_t used = strlen(text);
    bool fits = true;

    for (size_t i = 0; i < count && fits; i++) {
        const void *source = (const char *)object + lines[i].offset;
        char number[NUMBER_SIZE];

        if (is_list(&lines[i])) {
            fits = print_list(&lines[i], source, text, &used, size);
            continue;
        }
        if (lines[i].type == LINE_TEXT) {
            fits = print_row(lines[i].key, source, strlen(source), text, &used, size);
            continue;
        }
        print_number(&lines[i], source, number);
        fits = print_row(lines[i].key, number, strlen(number), text, &used, size);
    }
    return fits ? 0 : err_set(e, ERR_SPACE, "what a keeper writes down does not fit");
}
