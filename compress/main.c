/* SPDX-License-Identifier: MIT */
#include "base/limits.h"
#include "cli/memory.h"
#include "cli/output.h"
#include "compress/add_signature.h"
#include "compress/compress.h"
#include "compress/diff.h"
#include "compress/info.h"
#include "compress/options.h"
#include "compress/output.h"
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

static int make(struct compress_options *o, struct output *out, struct err *e)
{
    const struct compress_events events = {.hashing = on_hashing,
                                           .compressing = on_compressing,
                                           .signing = on_signing,
                                           .writing = on_writing,
                                           .user = out};
    struct image image;

    if (o->hash_length < LIMIT_HASH_TRUSTED)
        output_note(out,
                    "warning: with --hash-length %u the chunks cannot be told apart for sure: "
                    "ihop-clone takes such an archive with --allow-short-hash only",
                    o->hash_length);
    if (compress_run(o, &events, &image, e) < 0)
        return -1;
    compress_output_result(out, o, &image);
    image_free(&image);
    return 0;
}

/* Prints the cost even when it exceeds the budget. */
static int compare(const struct compress_options *o, struct output *out, struct err *e)
{
    struct diff_result result;
    int r = diff_run(o, &result, e);

    if (r == 0 || e->kind == ERR_SPACE)
        compress_output_diff(out, o, &result, r == 0);
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

static int look_at_archive(struct compress_options *o, struct output *out, struct err *e)
{
    struct image image;
    int r;

    network_options_finish(&o->network, &out->events);
    if (o->old)
        return compare(o, out, e);
    if (o->signing.print_signed)
        return print_signed_run(o, e);
    if (info_read(o->archive, &o->network, &image, NULL, e) < 0)
        return -1;
    r = info_read_beside(o->archive, &image, e);
    if (r == 0)
        r = show_archive(o, &image, out, e);
    image_free(&image);
    return r;
}

static int run_compress_command(struct compress_options *o, struct output *out, struct err *e)
{
    if (o->sign)
        return sign_archive(o, out, e);
    return o->image ? make(o, out, e) : look_at_archive(o, out, e);
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
