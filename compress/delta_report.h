/* SPDX-License-Identifier: MIT */
/* delta_report: prints what was made of packs, for people and for programs. One thread. */
#ifndef IHOP_COMPRESS_DELTA_REPORT_H
#define IHOP_COMPRESS_DELTA_REPORT_H

#include "cli/json.h"
#include "cli/output.h"
#include "compress/delta.h"
#include "compress/options.h"

/* The result of making packs beside an archive that was there. */
void delta_report_print(struct output *out, const struct compress_options *o,
                        const struct delta_results *results);

/* A line for each pack, on stderr. */
void delta_report_lines(const struct compress_options *o, const struct delta_results *results);

/* The member packs, a list with an object for each. */
void delta_report_members(json_t *line, const struct delta_results *results);

/* The members deltas_ and bytes_ of each codec. */
void delta_report_counts(json_t *line, const struct delta_counts *counts);

/* The name of a codec in all output. */
const char *delta_report_codec(enum delta_codec codec);

#endif
