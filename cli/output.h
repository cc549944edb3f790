/* SPDX-License-Identifier: MIT */
/* output: messages, progress and the end of a program. Results as data go to
 * stdout, everything else to stderr. From one thread.
 */
#ifndef IHOP_CLI_OUTPUT_H
#define IHOP_CLI_OUTPUT_H

#include "base/err.h"
#include "cli/options.h"
#include "base/events.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct output {
    const char *program;
    const struct common_options *o;
    struct events events;      /* to hand to the engine */
    enum progress_style style; /* resolved */
    size_t bar_shown;          /* characters on the current line */
    uint64_t begun_ms, drawn_ms;
    /* Of the phase at hand, for the rate. */
    const char *phase;
    uint64_t phase_begun_ms, phase_first_bytes;
};

struct output_progress {
    const char *phase; /* a constant, for programs */
    const char *text;  /* the same, for people */
    const char *verb;  /* what happened to the bytes when the total is not known, or NULL */
    uint64_t bytes_done, bytes_total; /* total 0: not known; too small: the input has grown */
    uint64_t chunks_done, chunks_total;
};

/* What a program of ours does first, before it opens anything. Ends the program when
 * its standard descriptors are closed and cannot be filled. */
void output_prepare(void);

void output_init(struct output *out, const char *program, const struct common_options *o);

/* May be called often: draws, or prints, five times a second. */
void output_progress(struct output *out, const struct output_progress *p);

/* One message, unless --quiet. */
void output_note(struct output *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Takes the bar away, before something is printed on stdout. */
void output_clear(struct output *out);

double output_seconds(const struct output *out); /* since output_init */

/* result: 0, or -1 with the error, which it reports; or one of stdout. Returns the
 * exit code. */
int output_end(struct output *out, int result, struct err *e);

#endif
