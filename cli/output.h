/* SPDX-License-Identifier: MIT */
/* output: messages, progress and the end of a program. Results and JSON go to stdout,
 * everything else to stderr. From one thread. */
#ifndef IHOP_CLI_OUTPUT_H
#define IHOP_CLI_OUTPUT_H

#include "base/err.h"
#include "base/events.h"
#include "cli/options.h"
#include "cli/progress.h"

#include <stdint.h>

struct output {
    const char *program;
    const struct common_options *o;
    struct events events; /* to hand to the fetch engine */
    struct progress_view progress;
    uint64_t begun_ms;
};

/* What each program does first, before it opens anything. Ends the program when one of its
 * standard descriptors is closed and nothing can take its place. */
void output_prepare(void);

void output_init(struct output *out, const char *program, const struct common_options *o);

/* May be called often (progress_show). */
void output_progress(struct output *out, const struct progress *p);

/* One message, unless --quiet. */
void output_note(struct output *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Removes the progress bar, before something is printed on stdout. */
void output_clear(struct output *out);

/* Since output_init. */
double output_seconds(const struct output *out);

/* The end of a program. result is 0, or -1 with the error, which is reported here; so is a
 * failure to write to stdout. Returns the exit code. */
int output_end(struct output *out, int result, struct err *e);

#endif
