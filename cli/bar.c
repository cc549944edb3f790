/* SPDX-License-Identifier: MIT */
#include "cli/bar.h"

#include "base/checked.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define CELLS_MAX     24
#define CELLS_MIN     4 /* fewer cells show nothing */
#define FRAME         3 /* "[" and "] " */
#define WIDTH_DEFAULT 80
#define GAP           2
#define PART_SIZE     80
#define LONGEST_S     (100 * 3600) /* nobody would believe a longer time */

enum { PERCENT, SIZES, RATE, LEFT, TEXT, PARTS };

struct parts {
    char text[PARTS][PART_SIZE]; /* empty: left out */
};

static void describe_parts(const struct bar *b, struct parts *p)
{
    char done[TEXT_SIZE_BYTES], total[TEXT_SIZE_BYTES], rate[TEXT_SIZE_BYTES];

    *p = (struct parts){0};
    snprintf(p->text[TEXT], PART_SIZE, "%s%s", b->text, b->total > 0 ? "" : "...");
    if (b->total > 0)
        snprintf(p->text[SIZES], PART_SIZE, "%s of %s", text_size(b->done, done),
                 text_size(b->total, total));
    else if (b->done > 0)
        snprintf(p->text[SIZES], PART_SIZE, "%s%s%s", text_size(b->done, done), b->verb ? " " : "",
                 b->verb ? b->verb : "");
    if (b->rate > 0 && b->rate < (double)INT64_MAX)
        snprintf(p->text[RATE], PART_SIZE, "%s/s", text_size((uint64_t)b->rate, rate));
}

static void describe_end(const struct bar *b, double share, struct parts *p)
{
    double left = b->rate > 0 ? (double)(b->total - b->done) / b->rate : LONGEST_S;

    snprintf(p->text[PERCENT], PART_SIZE, "%3.0f%%", share * 100);
    if (left < LONGEST_S)
        snprintf(p->text[LEFT], PART_SIZE, "%u:%02u left", (unsigned)left / 60,
                 (unsigned)left % 60);
}

static size_t length_of(const struct parts *p)
{
    size_t length = 0;

    for (size_t i = 0; i < PARTS; i++)
        if (p->text[i][0])
            length += strlen(p->text[i]) + (length > 0 ? GAP : 0);
    return length;
}

/* Leaves out what does not fit, the least important part first. */
static void fit_parts(struct parts *p, size_t width)
{
    static const int by_weight[] = {RATE, LEFT, SIZES, TEXT, PERCENT};

    for (size_t i = 0; i < PARTS && length_of(p) > width; i++)
        p->text[by_weight[i]][0] = '\0';
}

/* Writes the parts in order. When the total is not known, the text comes first. */
static char *put_parts(char *at, const struct parts *p, bool has_end)
{
    static const int with_end[] = {PERCENT, SIZES, RATE, LEFT, TEXT};
    static const int without[] = {TEXT, SIZES, RATE, LEFT, PERCENT};
    const int *order = has_end ? with_end : without;
    char *begin = at;

    for (size_t i = 0; i < PARTS; i++)
        if (p->text[order[i]][0])
            at += sprintf(at, "%*s%s", at > begin ? GAP : 0, "", p->text[order[i]]);
    return at;
}

/* Writes the cells, which take what is left of the width. */
static char *put_cells(char *at, size_t left, double share)
{
    size_t cells = left < FRAME ? 0 : min_size(left - FRAME, CELLS_MAX);
    size_t full = (size_t)(share * (double)cells);

    if (cells < CELLS_MIN)
        return at;
    *at++ = '[';
    memset(at, '.', cells);
    memset(at, '#', full);
    at += cells;
    *at++ = ']';
    *at++ = ' ';
    return at;
}

void bar_format(const struct bar *bar, size_t width, char line[BAR_LINE])
{
    struct bar b = *bar;
    struct parts p;
    char *at = line;
    double share = 1;

    /* An input may have grown since it was measured. */
    if (b.total > 0)
        b.total = max_u64(b.total, b.done);
    if (b.total > 0)
        share = (double)b.done / (double)b.total;
    width = min_size(width, BAR_LINE - 1);
    describe_parts(&b, &p);
    if (b.total > 0)
        describe_end(&b, share, &p);
    fit_parts(&p, width);
    if (b.total > 0)
        at = put_cells(at, width - length_of(&p), share);
    *put_parts(at, &p, b.total > 0) = '\0';
}

size_t bar_width(int fd)
{
    struct winsize size = {0};

    if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
        size.ws_col = WIDTH_DEFAULT;
    return size.ws_col - 1U;
}

bool bar_can_clear(void)
{
    const char *term = getenv("TERM");

    return term && *term && strcmp(term, "dumb") != 0;
}
