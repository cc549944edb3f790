/* SPDX-License-Identifier: MIT */
/* interrupt: prints a last message when Ctrl-C or SIGTERM ends the program, which still ends
 * by that signal. There is one message for the process. */
#ifndef IHOP_CLI_INTERRUPT_H
#define IHOP_CLI_INTERRUPT_H

#include <stdbool.h>

/* Sets the message: a line with its line end, which must stay valid, or NULL for none. A
 * signal that is ignored stays ignored. */
void interrupt_catch(const char *message);

/* Whether a progress bar is on the current line; then the line is ended before the message. */
void interrupt_set_bar(bool shown);

#endif
