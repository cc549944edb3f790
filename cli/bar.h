/* SPDX-License-Identifier: MIT */
/* bar: a line of progress that fits the terminal, whatever is measured. */
#ifndef IHOP_CLI_BAR_H
#define IHOP_CLI_BAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bar {
    const char *text;     /* what is being done */
    const char *verb;     /* what happened to the bytes, as in "12 MiB read"; may be NULL */
    uint64_t done, total; /* bytes; total 0: not known; done may be larger than total */
    double rate;          /* bytes a second; 0: not known yet */
};

#define BAR_LINE 160

/* The line, in printable ASCII: at most width characters, and less than BAR_LINE. When that is
 * narrow, the cells go first, then the rate, the time that is left, the sizes. Pure. */
void bar_format(const struct bar *bar, size_t width, char line[BAR_LINE]);

/* Columns that a line on the terminal fd may take without wrapping: one less than it has;
 * 79 where that cannot be told. Asks each time, as windows change their size. */
size_t bar_width(int fd);

/* Whether this terminal knows the sequence that clears a line, by its TERM. */
bool bar_can_clear(void);

#endif
