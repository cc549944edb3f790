/* SPDX-License-Identifier: MIT */
#include "cli/output.h"

#include "base/checked.h"
#include "base/io.h"
#include "base/text.h"
#include "cli/bar.h"
#include "cli/interrupt.h"
#include "cli/json.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DRAW_MS       200
#define RATE_AFTER_MS 500 /* a rate from less is noise */
#define LINE_SIZE     8192

void output_prepare(void)
{
    if (io_fill_standard() < 0) {
        perror("cannot open what is missing of standard input, output and error");
        exit(err_exit_code(ERR_IO));
    }
    /* Errors of a write, not the end of the program. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

/* Where a line cannot be cleared, blanks go over what is shown beyond text. */
static void overwrite(const struct output *out, const char *text)
{
    int beyond = (int)(out->bar_shown - strlen(text));

    if (bar_can_clear())
        fprintf(stderr, "\r%s\033[K", text);
    else
        fprintf(stderr, "\r%s%*s%s", text, beyond > 0 ? beyond : 0, "", *text ? "" : "\r");
}

void output_clear(struct output *out)
{
    if (out->bar_shown > 0)
        overwrite(out, "");
    out->bar_shown = 0;
    interrupt_set_bar(false);
}

/* One message, on a line of its own. */
static void say(struct output *out, const char *text)
{
    char line[LINE_SIZE];

    snprintf(line, sizeof line, "%s", text);
    text_make_printable(line);
    output_clear(out);
    fprintf(stderr, "%s: %s\n", out->program, line);
}

static double rate_of(const struct output *out, const struct output_progress *p)
{
    uint64_t ms = io_now_ms() - out->phase_begun_ms;

    if (ms < RATE_AFTER_MS || p->bytes_done < out->phase_first_bytes)
        return 0;
    return (double)(p->bytes_done - out->phase_first_bytes) * 1000 / (double)ms;
}

static void draw_bar(struct output *out, const struct output_progress *p)
{
    const struct bar bar = {.text = p->text,
                            .verb = p->verb,
                            .done = p->bytes_done,
                            .total = p->bytes_total,
                            .rate = rate_of(out, p)};
    char line[BAR_LINE];

    bar_format(&bar, bar_width(STDERR_FILENO), line);
    overwrite(out, line);
    out->bar_shown = strlen(line);
    interrupt_set_bar(out->bar_shown > 0);
}

static void print_json_progress(const struct output *out, const struct output_progress *p)
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
    json_set_decimal(line, "bytes_per_second", rate_of(out, p));
    json_print(line);
}

void output_progress(struct output *out, const struct output_progress *p)
{
    uint64_t now = io_now_ms();
    bool new_phase = !out->phase || strcmp(p->phase, out->phase) != 0;
    bool last = p->bytes_total > 0 && p->bytes_done == p->bytes_total;

    if (new_phase) {
        out->phase = p->phase;
        out->phase_begun_ms = now;
        out->phase_first_bytes = p->bytes_done;
    }
    if (!new_phase && !last && now - out->drawn_ms < DRAW_MS)
        return;
    out->drawn_ms = now;
    if (out->style == PROGRESS_BAR)
        draw_bar(out, p);
    else if (out->style == PROGRESS_JSON)
        print_json_progress(out, p);
}

static void on_fetch_progress(void *user, const struct events_progress *p)
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
    const struct output_progress progress = {
        .phase = names[p->phase].phase,
        .text = names[p->phase].text,
        .verb = names[p->phase].verb,
        .bytes_done = p->bytes_done,
        .bytes_total = p->bytes_total,
        .chunks_done = p->chunks_done,
        .chunks_total = p->chunks_total,
    };

    output_progress(user, &progress);
}

static void on_fetch_note(void *user, const char *text)
{
    output_note(user, "%s", text);
}

void output_init(struct output *out, const char *program, const struct common_options *o)
{
    *out =
        (struct output){.program = program, .o = o, .style = o->progress, .begun_ms = io_now_ms()};
    if (out->style == PROGRESS_AUTO)
        out->style = !o->quiet && isatty(STDERR_FILENO) ? PROGRESS_BAR : PROGRESS_NONE;
    interrupt_catch(NULL);
    out->events =
        (struct events){.progress = on_fetch_progress, .note = on_fetch_note, .user = out};
}

void output_note(struct output *out, const char *fmt, ...)
{
    char text[LINE_SIZE];
    va_list ap;

    if (out->o->quiet)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    say(out, text);
}

double output_seconds(const struct output *out)
{
    return (double)(io_now_ms() - out->begun_ms) / 1000;
}

static void report_failure(struct output *out, const struct err *e)
{
    json_t *line;

    say(out, e->text);
    if (!out->o->json)
        return;
    line = json_new_result(err_exit_code(e->kind));
    json_set_text(line, "error", e->text);
    if (e->retry_after_s > 0)
        json_set_number(line, "retry_after", e->retry_after_s);
    json_print(line);
}

int output_end(struct output *out, int result, struct err *e)
{
    output_clear(out);
    if (result == 0)
        e->kind = ERR_NONE; /* something on the way may have failed and been mended */
    if (e->kind != ERR_NONE)
        report_failure(out, e);
    if ((fflush(stdout) != 0 || ferror(stdout)) && e->kind == ERR_NONE) {
        err_sys(e, errno, "cannot write to standard output");
        e->kind = ERR_IO; /* full or not: it is not the store */
        say(out, e->text);
    }
    return err_exit_code(e->kind);
}
