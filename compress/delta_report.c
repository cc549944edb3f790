/* SPDX-License-Identifier: MIT */
#include "compress/delta_report.h"

#include "base/checked.h"
#include "base/text.h"

#include <stdio.h>

#define LINE_SIZE 8192

const char *delta_report_codec(enum delta_codec codec)
{
    static const char *const names[DELTA_CODECS] = {
        [DELTA_COPY] = "copy", [DELTA_ZSTD] = "zstd", [DELTA_BSDIFF] = "bsdiff"};

    return names[codec];
}

static size_t count_all(const struct delta_result *r)
{
    size_t count = 0;

    for (enum delta_codec c = 0; c < DELTA_CODECS; c++)
        count += r->counts.deltas[c];
    return count;
}

static void print_pack(const struct delta_result *r)
{
    char size[TEXT_SIZE_BYTES], with[TEXT_SIZE_BYTES], without[TEXT_SIZE_BYTES], line[LINE_SIZE];
    size_t count = count_all(r);

    if (r->same)
        snprintf(line, sizeof line, "%s: the same image as another old one: %s is for it, too",
                 r->old, r->path);
    else
        snprintf(line, sizeof line,
                 "%s: done: %s for %zu chunk%s; an update from %s downloads %s instead of %s",
                 r->path, text_size(r->size, size), count, text_s(count), r->old,
                 text_size(r->update, with), text_size(r->update_without, without));
    text_make_printable(line);
    fprintf(stderr, "%s\n", line);
}

void delta_report_lines(const struct compress_options *o, const struct delta_results *results)
{
    if (o->common.quiet)
        return;
    for (size_t i = 0; i < results->count; i++)
        if (results->items[i].same || results->items[i].pays)
            print_pack(&results->items[i]);
}

void delta_report_counts(json_t *line, const struct delta_counts *counts)
{
    char name[32];

    for (enum delta_codec c = 0; c < DELTA_CODECS; c++) {
        snprintf(name, sizeof name, "deltas_%s", delta_report_codec(c));
        json_set_number(line, name, counts->deltas[c]);
        snprintf(name, sizeof name, "bytes_%s", delta_report_codec(c));
        json_set_number(line, name, counts->bytes[c]);
    }
}

static json_t *pack_to_json(const struct delta_result *r)
{
    json_t *pack = json_object();

    json_set_text(pack, "old", r->old);
    json_set_text(pack, "pack", r->path);
    if (r->same)
        return pack;
    json_set_number(pack, "pack_size", r->size);
    json_set_bool(pack, "header_patch", r->has_patch);
    json_set_number(pack, "bytes_downloaded", r->update);
    json_set_number(pack, "bytes_downloaded_without", r->update_without);
    delta_report_counts(pack, &r->counts);
    return pack;
}

void delta_report_members(json_t *line, const struct delta_results *results)
{
    json_t *packs = json_array();

    for (size_t i = 0; i < results->count; i++)
        json_array_append_new(packs, pack_to_json(&results->items[i]));
    json_object_set_new(line, "packs", packs);
}

void delta_report_print(struct output *out, const struct compress_options *o,
                        const struct delta_results *results)
{
    json_t *line;

    output_clear(out);
    if (!o->common.json) {
        delta_report_lines(o, results);
        return;
    }
    line = json_new_result(0);
    json_set_text(line, "archive", o->archive);
    delta_report_members(line, results);
    json_set_decimal(line, "seconds", output_seconds(out));
    json_print(line);
}
