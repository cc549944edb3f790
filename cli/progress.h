/* SPDX-License-Identifier: MIT */
/* progress: shows how far a program is, as a bar on a terminal or as lines of JSON, on
 * stderr and stdout. From one thread. */
#ifndef IHOP_CLI_PROGRESS_H
#define IHOP_CLI_PROGRESS_H

#include "base/events.h"
#include "cli/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    const char *phase;    /* a constant, for programs */
    const char *text;     /* what is being done, for people */
    const char *verb;     /* what happened to the bytes, for an unknown total; may be NULL */
    uint64_t bytes_done;  /* may exceed the total, when the input has grown */
    uint64_t bytes_total; /* 0: not known */
    uint64_t chunks_done, chunks_total;
};

/* What is on the screen. */
struct progress_view {
    enum progress_style style; /* never PROGRESS_AUTO */
    size_t bar_shown;          /* characters on the current line */
    uint64_t drawn_ms;
    /* The present phase, to compute the rate. */
    const char *phase;
    uint64_t phase_begun_ms, phase_first_bytes;
};

/* With PROGRESS_AUTO the style depends on stderr, and on quiet. */
void progress_init(struct progress_view *view, enum progress_style style, bool quiet);

/* May be called often: it draws or prints five times a second, and at the end of a phase. */
void progress_show(struct progress_view *view, const struct progress *p);

/* Shows what the fetch engine reports. */
void progress_show_event(struct progress_view *view, const struct events_progress *p);

/* Removes the bar, before something else is printed. */
void progress_clear(struct progress_view *view);

#endif
