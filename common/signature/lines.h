/* SPDX-License-Identifier: MIT */
/* lines: goes through the lines of a text that is not terminated. A line ends with LF or CR LF,
 * which are no part of it; the last one may lack its LF. Pure. */
#ifndef IHOP_SIGNATURE_LINES_H
#define IHOP_SIGNATURE_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct lines {
    const char *at, *end;
    size_t number; /* of the present line, from 1 */
    const char *line;
    size_t size; /* of the line */
};

static inline struct lines lines_of(const void *text, size_t size)
{
    return (struct lines){.at = text, .end = (const char *)text + size};
}

/* Goes to the next line; false at the end. */
static inline bool lines_next(struct lines *l)
{
    const char *end;

    if (l->at == l->end)
        return false;
    end = memchr(l->at, '\n', (size_t)(l->end - l->at));
    l->line = l->at;
    l->size = (size_t)((end ? end : l->end) - l->at);
    l->at = end ? end + 1 : l->end;
    l->number++;
    if (l->size > 0 && l->line[l->size - 1] == '\r')
        l->size--;
    return true;
}

/* Whether the line begins with a text. */
static inline bool lines_begins(const struct lines *l, const char *text)
{
    size_t size = strlen(text);

    return l->size >= size && memcmp(l->line, text, size) == 0;
}

#endif
