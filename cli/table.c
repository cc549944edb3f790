/* SPDX-License-Identifier: MIT */
#include "cli/table.h"

#include "base/array.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP "  "

int table_add(struct table *t, struct err *e, const char *fmt, ...)
{
    va_list ap;
    int n;

    if (array_grow((void **)&t->cells, &t->capacity, t->count, sizeof *t->cells, e) < 0)
        return -1;
    va_start(ap, fmt);
    n = vasprintf(&t->cells[t->count], fmt, ap);
    va_end(ap);
    if (n < 0)
        return err_nomem(e, "making a table");
    text_make_printable(t->cells[t->count++]);
    return 0;
}

int table_add_row(struct table *t, const char *const *cells, struct err *e)
{
    for (; *cells; cells++)
        if (table_add(t, e, "%s", *cells) < 0)
            return -1;
    return 0;
}

/* Counts characters: all bytes except the continuation bytes of UTF-8. */
static size_t width_of(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void measure_columns(const struct table *t, size_t columns, size_t *widths)
{
    for (size_t i = 0; i < t->count; i++) {
        size_t width = width_of(t->cells[i]);

        if (width > widths[i % columns])
            widths[i % columns] = width;
    }
}

static void print_cell(const char *text, size_t width, char alignment, bool last)
{
    int pad = (int)(width - width_of(text));

    if (alignment == 'r')
        printf("%*s%s%s", pad, "", text, last ? "\n" : GAP);
    else
        printf("%s%*s%s", text, last ? 0 : pad, "", last ? "\n" : GAP);
}

void table_print(struct table *t)
{
    size_t columns = strlen(t->columns), widths[TABLE_COLUMNS] = {0};

    measure_columns(t, columns, widths);
    for (size_t i = 0; i < t->count; i++)
        print_cell(t->cells[i], widths[i % columns], t->columns[i % columns],
                   (i + 1) % columns == 0);
    table_free(t);
}

void table_free(struct table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->cells[i]);
    free(t->cells);
    t->cells = NULL;
    t->count = t->capacity = 0;
}
