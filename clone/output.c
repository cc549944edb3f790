/* SPDX-License-Identifier: MIT */
#include "clone/output.h"

#include "base/io.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DRAW_MS       200
#define BAR_CELLS     24
#define RATE_AFTER_MS 500 /* a rate from less is noise */
#define LINE_SIZE     8192
#define SECTOR        512

static void clear_bar(struct output *out)
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
    clear_bar(out);
    fprintf(stderr, "ihop-clone: %s\n", line);
}

static const char *phase_name(enum fetch_phase phase)
{
    switch (phase) {
    case FETCH_HEADER:
        return "reading the header";
    case FETCH_CHECKING:
        return "checking the store";
    case FETCH_CHUNKS:
        return "fetching";
    case FETCH_SYNCING:
        return "making it durable";
    }
    return "";
}

static double rate_of(const struct output *out, const struct fetch_progress *p)
{
    uint64_t ms = io_now_ms() - out->phase_begun_ms;

    if (ms < RATE_AFTER_MS)
        return 0;
    return (double)(p->bytes_done - out->phase_first_bytes) * 1000 / (double)ms;
}

static void draw_bar(struct output *out, const struct fetch_progress *p)
{
    char done[TEXT_SIZE_BYTES], total[TEXT_SIZE_BYTES], speed[TEXT_SIZE_BYTES], bar[BAR_CELLS + 1];
    double rate = rate_of(out, p);
    double share = p->bytes_total ? (double)p->bytes_done / (double)p->bytes_total : 0;
    size_t cells = (size_t)(share * BAR_CELLS);

    clear_bar(out);
    out->bar_shown = true;
    if (p->bytes_total == 0) {
        fprintf(stderr, "%s...", phase_name(p->phase));
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
    fprintf(stderr, "  %s", phase_name(p->phase));
}

static void print_json_progress(const struct output *out, const struct fetch_progress *p)
{
    static const char *const names[] = {"header", "checking", "chunks", "syncing"};
    char line[512];
    struct json j;

    json_begin(&j, line, sizeof line);
    json_text(&j, "type", "progress");
    json_text(&j, "phase", names[p->phase]);
    json_number(&j, "bytes_done", p->bytes_done);
    json_number(&j, "bytes_total", p->bytes_total);
    json_number(&j, "chunks_done", p->chunks_done);
    json_number(&j, "chunks_total", p->chunks_total);
    json_decimal(&j, "bytes_per_second", rate_of(out, p));
    if (json_end(&j)) {
        puts(line);
        fflush(stdout);
    }
}

static void on_progress(void *user, const struct fetch_progress *p)
{
    struct output *out = user;
    uint64_t now = io_now_ms();
    bool new_phase = out->drawn_ms == 0 || p->phase != out->phase;
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

static void on_note(void *user, const char *text)
{
    struct output *out = user;

    if (!out->o->quiet)
        say(out, text);
}

void output_init(struct output *out, const struct options *o)
{
    *out = (struct output){.o = o, .style = o->progress, .begun_ms = io_now_ms()};
    if (out->style == PROGRESS_AUTO)
        out->style = !o->quiet && isatty(STDERR_FILENO) ? PROGRESS_BAR : PROGRESS_NONE;
    out->events = (struct fetch_events){.progress = on_progress, .note = on_note, .user = out};
}

void output_error(struct output *out, const struct err *e)
{
    char line[LINE_SIZE];
    struct json j;

    say(out, e->text);
    if (!out->o->json)
        return;
    json_begin(&j, line, sizeof line);
    json_text(&j, "type", "result");
    json_bool(&j, "ok", false);
    json_number(&j, "exit_code", (uint64_t)err_exit_code(e->kind));
    json_text(&j, "error", e->text);
    if (json_end(&j))
        puts(line);
}

static double seconds_since(uint64_t begun_ms)
{
    return (double)(io_now_ms() - begun_ms) / 1000;
}

/* What the run took, or with --dry-run would take. */
static uint64_t total_download(const struct clone_result *r)
{
    return r->downloaded + (r->outcome == CLONE_ESTIMATED ? r->cost.download : 0);
}

static uint64_t total_requests(const struct clone_result *r)
{
    return r->requests + (r->outcome == CLONE_ESTIMATED ? r->cost.requests : 0);
}

static uint64_t total_written(const struct clone_result *r)
{
    return r->outcome == CLONE_ESTIMATED ? r->cost.write : r->written;
}

static void print_json_result(const struct output *out, const struct clone_result *r)
{
    static const char *const outcomes[] = {"published", "complete", "restored", "estimated"};
    char line[LINE_SIZE];
    struct json j;

    json_begin(&j, line, sizeof line);
    json_text(&j, "type", "result");
    json_bool(&j, "ok", true);
    json_number(&j, "exit_code", 0);
    json_text(&j, "outcome", outcomes[r->outcome]);
    json_text(&j, "store", out->o->store);
    json_text(&j, "release", out->o->release);
    json_number(&j, "image_size", r->image_size);
    json_text(&j, "source_checksum", r->source_checksum);
    json_text(&j, "header_checksum", r->header_checksum);
    json_number(&j, "chunks_total", r->cost.chunks);
    json_number(&j, "chunks_reused", r->cost.chunks - r->cost.missing);
    json_number(&j, "chunks_fetched", r->cost.missing - r->cost.zero);
    json_number(&j, "chunks_zero", r->cost.zero);
    json_number(&j, "chunks_damaged", r->cost.damaged);
    json_number(&j, "chunks_adopted", r->cost.adopted);
    json_number(&j, "bytes_downloaded", total_download(r));
    json_number(&j, "bytes_written", total_written(r));
    json_number(&j, "requests", total_requests(r));
    json_number(&j, "retries", r->retries);
    json_decimal(&j, "seconds", seconds_since(out->begun_ms));
    if (json_end(&j))
        puts(line);
}

static void format_result(const struct output *out, const struct clone_result *r, char *line,
                          size_t size)
{
    static const char *const words[] = {"done", "already complete", "restored", "would take"};
    char down[TEXT_SIZE_BYTES], written[TEXT_SIZE_BYTES];

    snprintf(line, size,
             "%s/%s: %s: %zu chunks reused, %zu fetched%s, %s downloaded in %llu requests, %s "
             "written, %.1f s",
             out->o->store, out->o->release, words[r->outcome], r->cost.chunks - r->cost.missing,
             r->cost.missing - r->cost.zero, r->cost.damaged ? " (some were damaged)" : "",
             text_size(total_download(r), down), (unsigned long long)total_requests(r),
             text_size(total_written(r), written), seconds_since(out->begun_ms));
    text_make_printable(line);
}

void output_result(struct output *out, const struct clone_result *r)
{
    char line[LINE_SIZE];

    clear_bar(out);
    if (r->image_size % SECTOR != 0)
        on_note(out, "warning: the image's size is not a multiple of 512 bytes: the kernel's block "
                     "device cuts its tail");
    if (out->o->json) {
        print_json_result(out, r);
        return;
    }
    format_result(out, r, line, sizeof line);
    if (r->outcome == CLONE_ESTIMATED)
        puts(line);
    else if (!out->o->quiet)
        fprintf(stderr, "%s\n", line);
    if (out->o->verbose)
        fprintf(stderr, "header checksum (for --verify-header): %s\n", r->header_checksum);
}
