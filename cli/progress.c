/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include "base/checked.h"
#include "base/io.h"
#include "cli/bar.h"
#include "cli/interrupt.h"
#include "cli/json.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DRAW_MS       200
#define RATE_AFTER_MS 500 /* the rate of a shorter time is noise */

void progress_init(struct progress_view *view, enum progress_style style, bool quiet)
{
    *view = (struct progress_view){.style = style};
    if (style == PROGRESS_AUTO)
        view->style = !quiet && isatty(STDERR_FILENO) ? PROGRESS_BAR : PROGRESS_NONE;
}

/* Replaces what is on the line by text. A terminal that cannot clear a line gets blanks over
 * the rest. */
static void overwrite(const struct progress_view *view, const char *text)
{
    int beyond = (int)(view->bar_shown - strlen(text));

    if (bar_can_clear())
        fprintf(stderr, "\r%s\033[K", text);
    else
        fprintf(stderr, "\r%s%*s%s", text, beyond > 0 ? beyond : 0, "", *text ? "" : "\r");
}

void progress_clear(struct progress_view *view)
{
    if (view->bar_shown > 0)
        overwrite(view, "");
    view->bar_shown = 0;
    interrupt_set_bar(false);
}

static double rate_of(const struct progress_view *view, const struct progress *p)
{
    uint64_t ms = io_now_ms() - view->phase_begun_ms;

    if (ms < RATE_AFTER_MS || p->bytes_done < view->phase_first_bytes)
        return 0;
    return (double)(p->bytes_done - view->phase_first_bytes) * 1000 / (double)ms;
}

static void draw_bar(struct progress_view *view, const struct progress *p)
{
    const struct bar bar = {.text = p->text,
                            .verb = p->verb,
                            .done = p->bytes_done,
                            .total = p->bytes_total,
                            .rate = rate_of(view, p)};
    char line[BAR_LINE];

    bar_format(&bar, bar_width(STDERR_FILENO), line);
    overwrite(view, line);
    view->bar_shown = strlen(line);
    interrupt_set_bar(view->bar_shown > 0);
}

static void print_json_progress(const struct progress_view *view, const struct progress *p)
{
    json_t *line = json_object();

    json_set_text(line, "type", "progress");
    json_set_text(line, "phase", p->phase);
    json_set_number(line, "bytes_done", p->bytes_done);
    /* An input may have grown since it was measured. */
    json_set_number(line, "bytes_total",
                    p->bytes_total > 0 ? max_u64(p->bytes_total, p->bytes_done) : 0);
    json_set_number(line, "chunks_done", p->chunks_done);
    json_set_number(line, "chunks_total", p->chunks_total);
    json_set_decimal(line, "bytes_per_second", rate_of(view, p));
    json_print(line);
}

void progress_show(struct progress_view *view, const struct progress *p)
{
    uint64_t now = io_now_ms();
    bool new_phase = !view->phase || strcmp(p->phase, view->phase) != 0;
    bool last = p->bytes_total > 0 && p->bytes_done == p->bytes_total;

    if (new_phase) {
        view->phase = p->phase;
        view->phase_begun_ms = now;
        view->phase_first_bytes = p->bytes_done;
    }
    if (!new_phase && !last && now - view->drawn_ms < DRAW_MS)
        return;
    view->drawn_ms = now;
    if (view->style == PROGRESS_BAR)
        draw_bar(view, p);
    else if (view->style == PROGRESS_JSON)
        print_json_progress(view, p);
}

void progress_show_event(struct progress_view *view, const struct events_progress *p)
{
    static const struct {
        const char *phase, *text, *verb;
    } names[] = {
        [EVENTS_HEADER] = {"header", "reading the header"},
        [EVENTS_CHECKING] = {"checking", "checking the store"},
        [EVENTS_SEEDING] = {"seeding", "searching the seed", "read"},
        [EVENTS_CHUNKS] = {"chunks", "fetching"},
        [EVENTS_SYNCING] = {"syncing", "making it durable"},
    };
    const struct progress progress = {
        .phase = names[p->phase].phase,
        .text = names[p->phase].text,
        .verb = names[p->phase].verb,
        .bytes_done = p->bytes_done,
        .bytes_total = p->bytes_total,
        .chunks_done = p->chunks_done,
        .chunks_total = p->chunks_total,
    };

    progress_show(view, &progress);
}
