/* SPDX-License-Identifier: MIT */
/* output: all that ihop-clone prints. Results as data (--json, --dry-run) go to
 * stdout, everything else to stderr. */
#ifndef IHOP_CLONE_OUTPUT_H
#define IHOP_CLONE_OUTPUT_H

#include "base/err.h"
#include "clone/clone.h"
#include "clone/options.h"
#include "fetch/events.h"

#include <stdbool.h>
#include <stdint.h>

struct output {
    const struct options *o;
    struct fetch_events events; /* to hand to the engine */
    enum progress_style style;  /* resolved */
    bool bar_shown;             /* on the current line */
    uint64_t begun_ms, drawn_ms;
    /* Of the phase at hand, for the rate. */
    enum fetch_phase phase;
    uint64_t phase_begun_ms, phase_first_bytes;
};

void output_init(struct output *out, const struct options *o);

void output_error(struct output *out, const struct err *e);
void output_result(struct output *out, const struct clone_result *result);

#endif
