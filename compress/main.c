/* SPDX-License-Identifier: MIT */
#include "base/limits.h"
#include "cli/memory.h"
#include "cli/output.h"
#include "compress/add_signature.h"
#include "compress/compress.h"
#include "compress/delta_report.h"
#include "compress/diff.h"
#include "compress/info.h"
#include "compress/options.h"
#include "compress/output.h"
#include "compress/pack_info.h"
#include "compress/print_signed.h"
#include "compress/signature_output.h"

#include <stdio.h>

static void on_compressing(void *user, uint64_t bytes_done, uint64_t bytes_total)
{
    const struct progress p = {.phase = "compressing",
                               .text = "compressing",
                               .verb = "read",
                               .bytes_done = bytes_done,
                               .bytes_total = bytes_total};

    output_progress(user, &p);
}

static void on_signing(void *user)
{
    output_clear(user);
}

static void on_hashing(void *user)
{
    const struct progress p = {.phase = "hash-tree", .text = "making the hash tree"};

    output_progress(user, &p);
}

static void on_writing(void *user)
{
    const struct progress p = {.phase = "syncing", .text = "making it durable"};

    output_progress(user, &p);
}

static void on_reading_old(void *user, uint64_t bytes_done, uint64_t bytes_total)
{
    const struct progress p = {.phase = "reading-old",
                               .text = "reading the old image",
                               .bytes_done = bytes_done,
                               .bytes_total = bytes_total};

    output_progress(user, &p);
}

static void on_encoding(void *user, const struct delta_progress *done)
{
    const struct progress p = {.phase = "deltas",
                               .text = "making deltas",
                               .bytes_done = done->bytes,
                               .bytes_total = done->bytes_total,
                               .chunks_done = done->chunks,
                               .chunks_total = done->chunks_total};

    output_progress(user, &p);
}

static int make_packs(const struct compress_options *o, struct output *out,
                      struct delta_results *results, struct err *e)
{
    const struct delta_events events = {.reading = on_reading_old,
                                        .encoding = on_encoding,
                                        .writing = on_writing,
                                        .notes = &out->events,
                                        .user = out};

    *results = (struct delta_results){0};
    return o->delta_from.count > 0 ? delta_run(o, &events, results, e) : 0;
}

/* Makes packs beside an archive that is there. */
static int add_packs(struct compress_options *o, struct output *out, struct err *e)
{
    struct delta_results results;
    int r;

    network_options_finish(&o->network, &out->events);
    if (delta_check(o, e) < 0)
        return -1;
    r = make_packs(o, out, &results, e);
    if (r == 0)
        delta_report_print(out, o, &results);
    else
        delta_report_lines(o, &results);
    delta_results_free(&results);
    return r;
}

static int make(struct compress_options *o, struct output *out, struct err *e)
{
    const struct compress_events events = {.hashing = on_hashing,
                                           .compressing = on_compressing,
                                           .signing = on_signing,
                                           .writing = on_writing,
                                           .user = out};
    struct delta_results packs;
    struct image image;
    int r;

    network_options_finish(&o->network, &out->events);
    if (o->hash_length < LIMIT_HASH_TRUSTED)
        output_note(out,
                    "warning: with --hash-length %u the chunks cannot be told apart for sure: "
                    "ihop-clone takes such an archive with --allow-short-hash only",
                    o->hash_length);
    if (delta_check(o, e) < 0 || compress_run(o, &events, &image, e) < 0)
        return -1;
    r = make_packs(o, out, &packs, e);
    if (r == 0)
        compress_output_result(out, o, &image, &packs);
    else
        err_context(e, "%s was made, but not all of its packs", o->archive);
    delta_results_free(&packs);
    image_free(&image);
    return r;
}

/* Prints the cost even when it exceeds the budget. */
static int compare(const struct compress_options *o, struct output *out, struct err *e)
{
    struct diff_result result;
    int r = diff_run(o, &out->events, &result, e);

    if (r == 0 || e->kind == ERR_SPACE)
        compress_output_diff(out, o, &result, r == 0);
    diff_free(&result);
    return r;
}

/* Signs an archive that exists. */
static int sign_archive(const struct compress_options *o, struct output *out, struct err *e)
{
    struct add_signature_result result;
    int r = add_signature_run(o, &result, e);

    if (r == 0)
        signature_output_added(out, o, &result);
    add_signature_free(&result);
    return r;
}

static int show_archive(const struct compress_options *o, const struct image *image,
                        struct output *out, struct err *e)
{
    if (o->metadata_key)
        return compress_output_metadata(o, image, e);
    if (o->signing.print_signatures)
        return signature_output_text(o, image, e);
    compress_output_info(out, o, image);
    return 0;
}

static int look_at_header(struct compress_options *o, struct output *out, struct err *e)
{
    struct err why = ERR_INIT;
    struct image image;
    bool is_pack;
    int r;

    if (info_read(o->archive, &o->network, &image, NULL, &why) < 0) {
        r = why.kind == ERR_ARCHIVE ? pack_info_run(o, out, &is_pack, e) : -1;
        if (why.kind == ERR_ARCHIVE && is_pack)
            return r;
        *e = why;
        return -1;
    }
    r = info_read_beside(o->archive, &image, e);
    if (r == 0)
        r = show_archive(o, &image, out, e);
    image_free(&image);
    return r;
}

static int look_at_archive(struct compress_options *o, struct output *out, struct err *e)
{
    network_options_finish(&o->network, &out->events);
    if (o->old)
        return compare(o, out, e);
    return o->signing.print_signed ? print_signed_run(o, e) : look_at_header(o, out, e);
}

static int run_compress_command(struct compress_options *o, struct output *out, struct err *e)
{
    if (o->sign)
        return sign_archive(o, out, e);
    if (o->image)
        return make(o, out, e);
    return o->delta_from.count > 0 ? add_packs(o, out, e) : look_at_archive(o, out, e);
}

int main(int argc, char **argv)
{
    struct compress_options o = {0};
    struct err e = ERR_INIT;
    struct output out;
    int r, code;

    memory_tune();
    output_prepare();
    r = compress_options_parse(argc, argv, &o, &e);
    output_init(&out, "ihop-compress", &o.common);
    if (r == 0 && o.common.help)
        compress_options_help();
    else if (r == 0 && o.common.version)
        puts("ihop-compress " PACKAGE_VERSION);
    else if (r == 0)
        r = run_compress_command(&o, &out, &e);
    code = output_end(&out, r, &e);
    compress_options_free(&o);
    return code;
}
