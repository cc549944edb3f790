/* SPDX-License-Identifier: MIT */
/* interrupt: what is said when Ctrl-C, or a SIGTERM, ends a program. It still ends by that
 * signal. One for each process. */
#ifndef IHOP_CLI_INTERRUPT_H
#define IHOP_CLI_INTERRUPT_H

#include <stdbool.h>

/* From now on. Signals that are ignored stay so. message: a line with its end, which must
 * live on, or NULL for none. */
void interrupt_catch(const char *message);

/* Whether there is a bar on the current line, which then is ended first. */
void interrupt_set_bar(bool shown);

#endif
