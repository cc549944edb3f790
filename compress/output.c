/* SPDX-License-Identifier: MIT */
#include "compress/output.h"

#include "base/text.h"
#include "cli/cost.h"
#include "cli/facts_json.h"
#include "cli/json.h"
#include "codec/decoder.h"
#include "compress/delta_report.h"
#include "compress/signature_output.h"
#include "format/facts.h"

#include <stdio.h>

#define LINE_SIZE 8192

/* What is printed of an image but has to be computed. */
struct derived {
    char header_checksum[CHUNK_HASH_HEX], source_checksum[CHUNK_HASH_HEX];
    uint64_t unique_bytes; /* source sizes of all chunks in the table */
    uint64_t stored_bytes; /* their sizes in the archive */
};

static void derive_from(const struct image *image, struct derived *f)
{
    *f = (struct derived){0};
    text_hex(image->header_checksum, CHUNK_HASH_SIZE, f->header_checksum);
    text_hex(image->source_checksum, CHUNK_HASH_SIZE, f->source_checksum);
    for (size_t i = 0; i < image->chunks.count; i++) {
        f->unique_bytes += image->chunks.items[i].source_size;
        f->stored_bytes += image->chunks.items[i].archive_size;
    }
}

/* ---- JSON ---- */

static void set_chunker_members(json_t *line, const struct image *image)
{
    json_set_text(line, "hash_chunking", image_chunker_name(image));
    if (image->chunker == IMAGE_FIXED_SIZE) {
        json_set_number(line, "fixed_size", image->max_chunk_size);
        return;
    }
    json_set_number(line, "rolling_window_size", image->window_size);
    json_set_number(line, "min_chunk_size", image->min_chunk_size);
    json_set_number(line, "avg_chunk_size", image_average_chunk_size(image));
    json_set_number(line, "max_chunk_size", image->max_chunk_size);
}

/* Makes the JSON object with the members that both results have. */
static json_t *new_result(const struct compress_options *o, const struct image *image,
                          const struct derived *f)
{
    json_t *line = json_new_result(0);

    json_set_text(line, "archive", o->archive);
    json_set_number(line, "archive_size", image->archive_size);
    json_set_number(line, "header_size", image->header_size);
    json_set_text(line, "header_checksum", f->header_checksum);
    json_set_number(line, "image_size", image->source_size);
    json_set_text(line, "source_checksum", f->source_checksum);
    json_set_number(line, "chunks_total", image->order_count);
    json_set_number(line, "chunks_unique", image->chunks.count);
    json_set_number(line, "unique_bytes", f->unique_bytes);
    json_set_number(line, "stored_bytes", f->stored_bytes);
    json_set_text(line, "compression", decoder_ops_of(image->compression)->name);
    json_set_number(line, "compression_level", image->compression_level);
    json_set_number(line, "hash_length", image->chunks.hash_length);
    set_chunker_members(line, image);
    return line;
}

static void print_json_result(const struct output *out, const struct compress_options *o,
                              const struct image *image, const struct derived *f,
                              const struct delta_results *packs)
{
    json_t *line = new_result(o, image, f);

    if (o->delta_from.count > 0)
        delta_report_members(line, packs);
    signature_output_members(line, image, &o->signing.verify_keys);
    json_set_decimal(line, "seconds", output_seconds(out));
    json_print(line);
}

static void print_json_info(const struct compress_options *o, const struct image *image,
                            const struct derived *f)
{
    json_t *line = new_result(o, image, f), *metadata = json_object();

    json_set_text(line, "built_with", image->application_version);
    for (size_t i = 0; i < image->metadata_count; i++)
        json_set_number(metadata, image->metadata[i].key, image->metadata[i].size);
    json_object_set_new(line, "metadata", metadata);
    facts_to_json(line, image);
    signature_output_members(line, image, &o->signing.verify_keys);
    json_print(line);
}

/* ---- text ---- */

static void print_compress_result(const struct output *out, const struct compress_options *o,
                                  const struct image *image, const struct derived *f)
{
    char from[TEXT_SIZE_BYTES], to[TEXT_SIZE_BYTES], line[LINE_SIZE];

    snprintf(line, sizeof line, "%s: done: %s made of %s, %zu chunk%s, %zu of them unique, %.1f s",
             o->archive, text_size(image->archive_size, to), text_size(image->source_size, from),
             image->order_count, text_s(image->order_count), image->chunks.count,
             output_seconds(out));
    text_make_printable(line);
    fprintf(stderr, "%s\nheader checksum (for --verify-header): %s\n", line, f->header_checksum);
}

static void print_size(const char *label, uint64_t bytes)
{
    char text[TEXT_SIZE_BYTES];

    printf("  %s: %s (%llu bytes)\n", label, text_size(bytes, text), (unsigned long long)bytes);
}

/* Prints a text from the archive without the control characters that a terminal obeys. */
static void print_foreign(const char *text)
{
    char line[LINE_SIZE];

    snprintf(line, sizeof line, "%s", text);
    text_make_printable(line);
    fputs(line, stdout);
}

static void print_metadata_keys(const struct image *image)
{
    fputs("  Metadata: ", stdout);
    for (size_t i = 0; i < image->metadata_count; i++) {
        print_foreign(image->metadata[i].key);
        printf(" (%zu bytes)%s", image->metadata[i].size,
               i + 1 < image->metadata_count ? ", " : "");
    }
    puts(image->metadata_count > 0 ? "" : "none");
}

static void print_facts(const struct image *image)
{
    struct facts f;
    struct err why = ERR_INIT;
    size_t at = 0, size;
    const char *name;

    if (facts_read(image, &f, &why) < 0) {
        fputs("  Malformed, and refused by ihop-clone: ", stdout);
        print_foreign(why.text);
        puts("");
        return;
    }
    if (f.has_version)
        printf("  Image version: %llu\n", (unsigned long long)f.version);
    if (f.has_minimum)
        printf("  Minimum version: %llu\n", (unsigned long long)f.minimum);
    while ((name = facts_next_type(&f, &at, &size)))
        printf("  For devices of type: %.*s\n", (int)size, name);
    if (!f.has_verity)
        return;
    fputs("  Verity root hash: ", stdout);
    for (size_t i = 0; i < f.root_hash_size; i++)
        printf("%02x", f.root_hash[i]);
    printf("\n  Verity hash offset: %llu bytes\n", (unsigned long long)f.hash_offset);
}

static void print_chunker(const struct image *image)
{
    printf("  Chunking algorithm: %s\n", image_chunker_name(image));
    if (image->chunker == IMAGE_FIXED_SIZE) {
        print_size("Fixed chunk size", image->max_chunk_size);
        return;
    }
    printf("  Rolling hash window size: %u bytes\n", image->window_size);
    print_size("Chunk minimum size", image->min_chunk_size);
    print_size("Chunk maximum size", image->max_chunk_size);
    print_size("Chunk average target size", image_average_chunk_size(image));
}

static void print_info(const struct compress_options *o, const struct image *image,
                       const struct derived *f)
{
    fputs("Archive:\n  Built with version: ", stdout);
    print_foreign(image->application_version);
    puts("");
    print_size("Archive size", image->archive_size);
    print_size("Header size", image->header_size);
    print_metadata_keys(image);
    print_facts(image);
    printf("  Header checksum: %s\n", f->header_checksum);
    signature_output_lines(image, &o->signing.verify_keys);
    printf("  Chunk hash length: %zu bytes\n", image->chunks.hash_length);
    printf("  Chunk compression: %s", decoder_ops_of(image->compression)->name);
    if (image->compression != IMAGE_NONE)
        printf(" (level %u)", image->compression_level);
    puts("");
    print_chunker(image);
    printf("Source:\n  Source checksum: %s\n", f->source_checksum);
    printf("  Chunks in source: %zu (unique: %zu)\n", image->order_count, image->chunks.count);
    print_size("Average chunk size",
               image->chunks.count > 0 ? f->unique_bytes / image->chunks.count : 0);
    print_size("Source size", image->source_size);
}

/* ---- both ---- */

void compress_output_result(struct output *out, const struct compress_options *o,
                            const struct image *image, const struct delta_results *packs)
{
    struct derived f;

    derive_from(image, &f);
    output_clear(out);
    if (o->common.json)
        print_json_result(out, o, image, &f, packs);
    else if (!o->print_header && !o->common.quiet)
        print_compress_result(out, o, image, &f);
    if (!o->common.json)
        delta_report_lines(o, packs);
    if (o->print_header && !o->common.json)
        puts(f.header_checksum);
}

void compress_output_info(struct output *out, const struct compress_options *o,
                          const struct image *image)
{
    struct derived f;

    derive_from(image, &f);
    output_clear(out);
    if (o->common.json)
        print_json_info(o, image, &f);
    else if (o->print_header)
        puts(f.header_checksum);
    else
        print_info(o, image, &f);
}

static json_t *pack_of_diff(const struct diff_result *r)
{
    json_t *delta = json_object();

    json_set_text(delta, "pack", r->pack);
    json_set_text(delta, "from", r->from);
    json_set_number(delta, "bytes", r->pack_download);
    json_set_number(delta, "bytes_downloaded_without", r->download_without);
    json_set_number(delta, "requests_without", r->requests_without);
    return delta;
}

static void print_pack_of_diff(const struct diff_result *r)
{
    char without[TEXT_SIZE_BYTES];

    fputs("with the pack ", stdout);
    print_foreign(r->pack);
    printf("; without it %s (%llu bytes) would be downloaded in %llu request%s\n",
           text_size(r->download_without, without), (unsigned long long)r->download_without,
           (unsigned long long)r->requests_without, text_s(r->requests_without));
}

static void print_json_diff(const struct compress_options *o, const struct diff_result *r, bool ok)
{
    json_t *line = ok ? json_new_result(0) : json_object();

    if (!ok)
        json_set_text(line, "type", "cost");
    json_set_text(line, "old", o->old);
    json_set_text(line, "archive", o->archive);
    cost_to_json(line, &r->cost, false);
    json_set_number(line, "bytes_downloaded", r->download);
    json_set_number(line, "bytes_written", r->cost.write);
    json_set_number(line, "bytes_written_least", r->cost.write_least);
    json_set_number(line, "requests", r->requests);
    if (r->has_pack)
        json_object_set_new(line, "delta", pack_of_diff(r));
    json_print(line);
}

void compress_output_diff(struct output *out, const struct compress_options *o,
                          const struct diff_result *r, bool ok)
{
    uint64_t write = r->cost.write;
    size_t reused = cost_reused(&r->cost);
    char down[TEXT_SIZE_BYTES], written[TEXT_SIZE_BYTES];

    output_clear(out);
    if (o->common.json)
        print_json_diff(o, r, ok);
    else if (!o->common.quiet)
        printf(
            "%zu chunk%s reused, %zu fetched, %s (%llu bytes) downloaded in %llu request%s, %s%s "
            "written\n",
            reused, text_s(reused), r->cost.fetched, text_size(r->download, down),
            (unsigned long long)r->download, (unsigned long long)r->requests, text_s(r->requests),
            r->cost.write_least < write ? "at most " : "", text_size(write, written));
    if (r->has_pack && !o->common.json && !o->common.quiet)
        print_pack_of_diff(r);
}

int compress_output_metadata(const struct compress_options *o, const struct image *image,
                             struct err *e)
{
    const struct image_metadata *m = image_find_metadata(image, o->metadata_key);

    if (!m)
        return err_set(e, ERR_NOT_FOUND, "%s has no metadata named '%s'", o->archive,
                       o->metadata_key);
    fwrite(m->value, 1, m->size, stdout); /* output_end checks for errors. */
    return 0;
}
