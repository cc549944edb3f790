/* SPDX-License-Identifier: MIT */
#include "clone/output.h"

#include "base/text.h"
#include "cli/cost.h"
#include "cli/json.h"
#include "clone/trial.h"

#include <stdio.h>

#define LINE_SIZE 8192
#define SECTOR    512

/* These sums are what the run took, or with --dry-run what it would take. */
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

static void add_delta(json_t *line, const struct clone_delta *d)
{
    json_t *delta = json_object();

    json_set_text(delta, "pack", d->pack);
    json_set_text(delta, "from", d->from);
    json_set_number(delta, "bytes", d->bytes);
    json_set_number(delta, "saved", d->saved);
    json_object_set_new(line, "delta", delta);
}

static void print_clone_json(const struct output *out, const struct clone_options *o,
                             const struct clone_result *r)
{
    static const char *const outcomes[] = {"published", "complete", "restored", "estimated"};
    json_t *line = json_new_result(0);

    json_set_text(line, "outcome", outcomes[r->outcome]);
    json_set_text(line, "store", o->store);
    json_set_text(line, "release", o->release);
    json_set_number(line, "image_size", r->image_size);
    json_set_text(line, "source_checksum", r->source_checksum);
    json_set_text(line, "header_checksum", r->header_checksum);
    cost_to_json(line, &r->cost, true);
    json_set_number(line, "chunks_damaged", r->damaged);
    json_set_number(line, "bytes_downloaded", total_download(r));
    json_set_number(line, "bytes_written", total_written(r));
    if (r->outcome == CLONE_ESTIMATED)
        json_set_number(line, "bytes_written_least", r->cost.write_least);
    json_set_number(line, "requests", total_requests(r));
    json_set_number(line, "retries", r->retries);
    if (*r->delta.pack)
        add_delta(line, &r->delta);
    json_set_decimal(line, "seconds", output_seconds(out));
    if (r->tried)
        json_set_text(line, "trial", trial_word(r->armed));
    json_print(line);
}

static void format_result(const struct output *out, const struct clone_options *o,
                          const struct clone_result *r, char *line, size_t size)
{
    static const char *const words[] = {"done", "already complete", "restored", "would take"};
    char down[TEXT_SIZE_BYTES], written[TEXT_SIZE_BYTES], seeded[48] = "", saved[64] = "";
    char size_saved[TEXT_SIZE_BYTES];

    if (o->seed_count > 0)
        snprintf(seeded, sizeof seeded, " %zu from seeds,", r->cost.ways[WAY_SEED].chunks);
    if (r->delta.saved > 0)
        snprintf(saved, sizeof saved, " (saved %s by a delta pack)",
                 text_size(r->delta.saved, size_saved));
    snprintf(
        line, size,
        "%s/%s: %s: %zu chunk%s reused,%s %zu fetched%s, %s downloaded in %llu request%s%s, %s%s "
        "written, %.1f s",
        o->store, o->release, words[r->outcome], cost_reused(&r->cost),
        text_s(cost_reused(&r->cost)), seeded, r->cost.fetched,
        r->damaged ? " (some were damaged)" : "", text_size(total_download(r), down),
        (unsigned long long)total_requests(r), text_s(total_requests(r)), saved,
        r->outcome == CLONE_ESTIMATED && r->cost.write_least < r->cost.write ? "at most " : "",
        text_size(total_written(r), written), output_seconds(out));
    text_make_printable(line);
}

void clone_output_result(struct output *out, const struct clone_options *o,
                         const struct clone_result *r)
{
    char line[LINE_SIZE];

    output_clear(out);
    if (r->image_size % SECTOR != 0)
        output_note(out, "warning: the image's size is not a multiple of 512 bytes: the kernel's "
                         "block device cuts its tail");
    if (o->common.json) {
        print_clone_json(out, o, r);
        return;
    }
    format_result(out, o, r, line, sizeof line);
    if (r->outcome == CLONE_ESTIMATED)
        puts(line);
    else if (!o->common.quiet)
        fprintf(stderr, "%s\n", line);
    if (r->tried)
        output_note(out, "%s/%s is %s", o->store, o->release, trial_text(r->armed));
    if (o->common.verbose)
        fprintf(stderr, "header checksum (for --verify-header): %s\n", r->header_checksum);
}
