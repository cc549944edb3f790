/* SPDX-License-Identifier: MIT */
#include "cli/output.h"

#include "base/io.h"
#include "base/text.h"
#include "cli/json.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DRAW_MS       200
#define BAR_CELLS     24
#define RATE_AFTER_MS 500 /* a rate from less is noise */
#define LINE_SIZE     8192

void output_prepare(void)
{
    if (io_fill_standard() < 0) {
        perror("cannot open what is missing of standard input, output and error");
        exit(err_exit_code(ERR_IO));
    }
    umask(022); /* another user may serve the store */
    /* Errors of a write, not the end of the program. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

void output_clear(struct output *out)
{
    if (out->bar_shown)
        fputs("\r\033[K", stderr);
    out->bar_shown = false;
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

    if (ms < RATE_AFTER_MS)
        return 0;
    return (double)(p->bytes_done - out->phase_first_bytes) * 1000 / (double)ms;
}

static void draw_bar(struct output *out, const struct output_progress *p)
{
    char done[TEXT_SIZE_BYTES], total[TEXT_SIZE_BYTES], speed[TEXT_SIZE_BYTES], bar[BAR_CELLS + 1];
    double rate = rate_of(out, p);
    double share = p->bytes_total ? (double)p->bytes_done / (double)p->bytes_total : 0;
    size_t cells = (size_t)(share * BAR_CELLS);

    output_clear(out);
    out->bar_shown = true;
    if (p->bytes_total == 0) {
        fprintf(stderr, "%s...", p->text);
        if (p->bytes_done > 0)
            fprintf(stderr, "  %s", text_size(p->bytes_done, done));
        return;
    }
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', cells);
    bar[BAR_CELLS] = '\0';
    fprintf(stderr, "[%s] %3.0f%%  %s of %s", bar, share * 100, text_size(p->bytes_done, done),
            text_size(p->bytes_total, total));
    if (rate > 0) {
        unsigned long left = (unsigned long)((double)(p->bytes_total - p->bytes_done) / rate);

        fprintf(stderr, "  %s/s  %lu:%02lu left", text_size((uint64_t)rate, speed), left / 60,
                left % 60);
    }
    fprintf(stderr, "  %s", p->text);
}

static void print_json_progress(const struct output *out, const struct output_progress *p)
{
    json_t *line = json_object();

    json_set_text(line, "type", "progress");
    json_set_text(line, "phase", p->phase);
    json_set_number(line, "bytes_done", p->bytes_done);
    json_set_number(line, "bytes_total", p->bytes_total);
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

static void on_fetch_progress(void *user, const struct fetch_progress *p)
{
    static const struct {
        const char *phase, *text;
    } names[] = {
        [FETCH_HEADER] = {"header", "reading the header"},
        [FETCH_CHECKING] = {"checking", "checking the store"},
        [FETCH_SEEDING] = {"seeding", "searching the seed"},
        [FETCH_CHUNKS] = {"chunks", "fetching"},
        [FETCH_SYNCING] = {"syncing", "making it durable"},
    };
    const struct output_progress progress = {
        .phase = names[p->phase].phase,
        .text = names[p->phase].text,
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
    out->events =
        (struct fetch_events){.progress = on_fetch_progress, .note = on_fetch_note, .user = out};
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

static void report(struct output *out, const struct err *e)
{
    json_t *line;

    say(out, e->text);
    if (!out->o->json)
        return;
    line = json_new_result(err_exit_code(e->kind));
    json_set_text(line, "error", e->text);
    json_print(line);
}

int output_end(struct output *out, int result, struct err *e)
{
    output_clear(out);
    if (result == 0)
        e->kind = ERR_NONE; /* something on the way may have failed and been mended */
    if (e->kind != ERR_NONE)
        report(out, e);
    if ((fflush(stdout) != 0 || ferror(stdout)) && e->kind == ERR_NONE) {
        err_sys(e, errno, "cannot write to standard output");
        e->kind = ERR_IO; /* full or not: it is not the store */
        say(out, e->text);
    }
    return err_exit_code(e->kind);
}
