/* SPDX-License-Identifier: MIT */
/* bar: one line that shows progress and fits the terminal, whatever is measured. */
#ifndef IHOP_CLI_BAR_H
#define IHOP_CLI_BAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bar {
    const char *text;     /* what is being done */
    const char *verb;     /* what happened to the bytes, such as "read"; may be NULL */
    uint64_t done, total; /* bytes; total 0: not known; done may be larger than total */
    double rate;          /* bytes a second; 0: not known yet */
};

#define BAR_LINE 160

/* Makes the line, in printable ASCII: at most width characters, and less than BAR_LINE. In a
 * narrow terminal the cells are left out first, then the rate, the time that is left, and the
 * sizes. Pure. */
void bar_format(const struct bar *bar, size_t width, char line[BAR_LINE]);

/* How many columns a line on the terminal fd may take without wrapping: one less than the
 * terminal has; 79 when its width is not known. Asks each time, as windows change their size. */
size_t bar_width(int fd);

/* Whether the terminal has the sequence that clears a line, judging by TERM. */
bool bar_can_clear(void);

#endif
