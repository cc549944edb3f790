/* SPDX-License-Identifier: MIT */
#include "cli/output.h"

#include "base/io.h"
#include "base/text.h"
#include "cli/interrupt.h"
#include "cli/json.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_SIZE 8192

void output_prepare(void)
{
    if (io_fill_standard() < 0) {
        perror("cannot open what is missing of standard input, output and error");
        exit(err_exit_code(ERR_IO));
    }
    /* These signals would end the program: a write is to fail with an error instead. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

void output_clear(struct output *out)
{
    progress_clear(&out->progress);
}

void output_progress(struct output *out, const struct progress *p)
{
    progress_show(&out->progress, p);
}

/* Prints a message on a line of its own. */
static void print_message(struct output *out, const char *text)
{
    char line[LINE_SIZE];

    snprintf(line, sizeof line, "%s", text);
    text_make_printable(line);
    output_clear(out);
    fprintf(stderr, "%s: %s\n", out->program, line);
}

static void on_fetch_progress(void *user, const struct events_progress *p)
{
    struct output *out = user;

    progress_show_event(&out->progress, p);
}

static void on_fetch_note(void *user, const char *text)
{
    output_note(user, "%s", text);
}

void output_init(struct output *out, const char *program, const struct common_options *o)
{
    *out = (struct output){.program = program, .o = o, .begun_ms = io_now_ms()};
    progress_init(&out->progress, o->progress, o->quiet);
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
    print_message(out, text);
}

double output_seconds(const struct output *out)
{
    return (double)(io_now_ms() - out->begun_ms) / 1000;
}

static void report_failure(struct output *out, const struct err *e)
{
    json_t *line;

    print_message(out, e->text);
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
        e->kind = ERR_NONE; /* a failure on the way may have been overcome */
    if (e->kind != ERR_NONE)
        report_failure(out, e);
    if ((fflush(stdout) != 0 || ferror(stdout)) && e->kind == ERR_NONE) {
        err_sys(e, errno, "cannot write to standard output");
        e->kind = ERR_IO; /* not ERR_SPACE, which means the store's file system */
        print_message(out, e->text);
    }
    return err_exit_code(e->kind);
}
