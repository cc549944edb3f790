/* SPDX-License-Identifier: MIT */
#include "compress/options.h"

#include "base/array.h"
#include "base/limits.h"
#include "codec/encoder.h"
#include "compress/metadata.h"
#include "format/facts.h"
#include "reader/open.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOT_GIVEN              UINT_MAX
#define SIZE_NOT_GIVEN         UINT64_MAX
#define DEFAULT_LEVEL          6
#define DEFAULT_ROLLSUM_WINDOW 64
#define DEFAULT_BUZHASH_WINDOW 16

static int add_delta_source(void *target, const char *value, const char *second, struct err *e)
{
    struct delta_sources *s = target;

    (void)second;
    if (array_grow((void **)&s->paths, &s->capacity, s->count, sizeof *s->paths, e) < 0)
        return -1;
    s->paths[s->count++] = value;
    return 0;
}

/* ---- the table ---- */

#define AT(member) offsetof(struct compress_options, member)

static const struct option_spec specs[] = {
    {"input", 'i', OPTION_TEXT, AT(input), "IMAGE", "the image, if it is not the first operand"},
    {"force-create", 'f', OPTION_FLAG, AT(force), NULL, "replace ARCHIVE if it exists"},
    {"force", 0, OPTION_FLAG, AT(force), NULL, NULL},
    {"compression", 0, OPTION_WORD, AT(compression_word), "brotli|lzma|zstd|none",
     "how to compress chunks [brotli]"},
    {"compression-level", 0, OPTION_NUMBER, AT(level), "N", "brotli 1-11, lzma 1-9, zstd 1-22 [6]",
     1, 22},
    {"avg-chunk-size", 0, OPTION_SIZE, AT(average_size), "SIZE",
     "the size of chunks aimed at [64KiB]", 1, LIMIT_CHUNK},
    {"min-chunk-size", 0, OPTION_SIZE, AT(min_size), "SIZE",
     "the least of a chunk but the last [16KiB]", 0, LIMIT_CHUNK},
    {"max-chunk-size", 0, OPTION_SIZE, AT(max_size), "SIZE", "the most of a chunk [16MiB]", 1,
     LIMIT_CHUNK},
    {"hash-chunking", 0, OPTION_WORD, AT(hash_word), "RollSum|BuzHash",
     "rolling hash that finds the ends of chunks [RollSum]"},
    {"rolling-window-size", 0, OPTION_SIZE, AT(window_size), "SIZE",
     "bytes that this looks at [RollSum 64, BuzHash 16]", 1, LIMIT_CHUNK},
    {"fixed-size", 0, OPTION_SIZE, AT(fixed_size), "SIZE", "cut chunks of this size instead", 1,
     LIMIT_CHUNK},
    {"hash-length", 0, OPTION_NUMBER, AT(hash_length), "N", "bytes of a chunk's hash to keep [64]",
     LIMIT_HASH_MIN, CHUNK_HASH_SIZE},
    {"metadata-file", 0, OPTION_PAIR, 0, "KEY PATH", "keep a file's content in the header",
     .call = metadata_add_file},
    {"metadata-value", 0, OPTION_PAIR, 0, "KEY VALUE", "keep a text in the header",
     .call = metadata_add_text},
    {"", 0, OPTION_TABLE, AT(facts), .table = metadata_fact_specs},
    {"", 0, OPTION_TABLE, AT(signing), .table = signing_option_specs},
    {"verity", 0, OPTION_FLAG, AT(verity), NULL,
     "append a hash tree for dm-verity, and record its root hash"},
    OPTIONS_JOBS(AT(jobs), "cut, hash and compress"),
    {"print-header", 0, OPTION_FLAG, AT(print_header), NULL,
     "print the header checksum alone, on stdout"},
    {"info", 0, OPTION_FLAG, AT(info), NULL, "print what the header of an archive says"},
    {"delta-from", 0, OPTION_CALL, AT(delta_from), "OLD",
     "make a pack that updates from OLD, an archive or STORE/RELEASE", .call = add_delta_source},
    {"diff", 0, OPTION_TEXT, AT(old), "OLD",
     "print what an update from OLD, an archive or STORE/RELEASE, costs"},
    {"max-download", 0, OPTION_SIZE, AT(max_download), "SIZE",
     "with --diff: fail if it downloads more", 0, UINT64_MAX},
    {"metadata-key", 0, OPTION_TEXT, AT(metadata_key), "KEY",
     "with --info: print this metadata value alone"},
    OPTIONS_COMMON(AT(common)),
    OPTIONS_NETWORK(AT(network)),
    {NULL},
};

void compress_options_help(void)
{
    puts("usage: ihop-compress [options] IMAGE|- ARCHIVE\n"
         "       ihop-compress --info|--print-header [options] ARCHIVE|URL\n"
         "       ihop-compress --add-signature FILE|KEY [options] ARCHIVE\n"
         "       ihop-compress --delta-from OLD [options] [IMAGE] ARCHIVE\n"
         "       ihop-compress --diff OLD [options] ARCHIVE|URL\n"
         "\n"
         "Makes ARCHIVE, a bita archive (.cba), of a disk image, or tells about one.\n");
    options_print_help(specs);
    puts("\nSizes take a suffix: k, M, G or KiB, MiB, GiB. Exit codes: see ihop-compress(1).");
}

/* ---- from the words to the parameters ---- */

static int set_compression(struct compress_options *o, struct err *e)
{
    static const enum image_compression ids[] = {IMAGE_BROTLI, IMAGE_LZMA, IMAGE_ZSTD, IMAGE_NONE};
    static const char *const names[] = {"brotli", "lzma", "zstd", "none"};
    uint32_t max;

    o->compression = ids[o->compression_word];
    max = encoder_max_level(o->compression);
    if (max == 0)
        o->level = 0;
    if (o->level > max)
        return err_set(e, ERR_USAGE, "--compression-level takes 1 to %u for %s, not %u", max,
                       names[o->compression_word], o->level);
    return 0;
}

/* The average is rounded down to a power of two, 2^n, and n - 1 bits give it, as in bita. */
static uint32_t filter_bits(uint64_t average)
{
    return average < 2 ? 0 : 62 - (uint32_t)__builtin_clzll(average);
}

static int choose_chunker(struct compress_options *o, struct err *e)
{
    struct chunker_config *c = &o->chunker;
    bool buzhash = o->hash_word == 1;

    if (o->fixed_size) {
        *c = (struct chunker_config){.algorithm = IMAGE_FIXED_SIZE,
                                     .max_size = (uint32_t)o->fixed_size};
        return chunker_config_check(c, e);
    }
    if (o->min_size > o->average_size || o->average_size > o->max_size)
        return err_set(e, ERR_USAGE,
                       "--avg-chunk-size (%llu) must be within --min-chunk-size (%llu) and "
                       "--max-chunk-size (%llu)",
                       (unsigned long long)o->average_size, (unsigned long long)o->min_size,
                       (unsigned long long)o->max_size);
    if (!o->window_size)
        o->window_size = buzhash ? DEFAULT_BUZHASH_WINDOW : DEFAULT_ROLLSUM_WINDOW;
    *c = (struct chunker_config){.algorithm = buzhash ? IMAGE_BUZHASH : IMAGE_ROLLSUM,
                                 .filter_bits = filter_bits(o->average_size),
                                 .window_size = (uint32_t)o->window_size,
                                 .min_size = (uint32_t)o->min_size,
                                 .max_size = (uint32_t)o->max_size};
    return chunker_config_check(c, e);
}

/* Whether the options ask to look at an archive that exists, instead of making one. */
static bool is_look(const struct compress_options *o, int operands)
{
    return o->info || o->old || o->metadata_key || o->signing.print_signed ||
           o->signing.print_signatures || (o->print_header && operands == 1 && !o->input);
}

/* Whether they ask to sign an archive that exists. */
static bool is_sign(const struct compress_options *o, int operands)
{
    return signing_options_has(&o->signing, SIGNER_FILE) ||
           (o->signing.count > 0 && operands == 1 && !o->input);
}

static int check_purpose(const struct compress_options *o, bool look, struct err *e)
{
    if (look && o->input)
        return err_set(e, ERR_USAGE,
                       "--info and --diff tell about an archive: they take no --input");
    if (o->sign && o->input)
        return err_set(e, ERR_USAGE,
                       "--add-signature signs an archive that exists: it takes no "
                       "--input (with an image, use --sign)");
    if (look && o->delta_from.count > 0)
        return err_set(e, ERR_USAGE,
                       "--delta-from makes packs, and --info and --diff tell about what is "
                       "there: leave out one of the options");
    if (o->sign && o->delta_from.count > 0)
        return err_set(e, ERR_USAGE,
                       "an archive that exists is either signed or given packs: sign it first, "
                       "as packs have its signatures, and then make the packs");
    if (look && o->signing.count > 0)
        return err_set(e, ERR_USAGE,
                       "an archive is either signed or told about: leave out one of "
                       "the options");
    return 0;
}

/* Without an image nothing is made of which these could tell how. */
static int check_packs_alone(const struct compress_options *o, struct err *e)
{
    const struct {
        bool given;
        const char *name;
    } making[] = {
        {o->compression_word != NOT_GIVEN, "compression"},
        {o->level != NOT_GIVEN, "compression-level"},
        {o->average_size != SIZE_NOT_GIVEN, "avg-chunk-size"},
        {o->min_size != SIZE_NOT_GIVEN, "min-chunk-size"},
        {o->max_size != SIZE_NOT_GIVEN, "max-chunk-size"},
        {o->hash_word != NOT_GIVEN, "hash-chunking"},
        {o->window_size != 0, "rolling-window-size"},
        {o->fixed_size != 0, "fixed-size"},
        {o->hash_length != NOT_GIVEN, "hash-length"},
        {o->metadata_count > 0, "metadata-value, --metadata-file"},
        {o->facts.version.given, "image-version"},
        {o->facts.minimum.given, "minimum-version"},
        {o->facts.type_count > 0, "compatible"},
        {o->signing.space != SIGNING_DEFAULT_SPACE, "signature-space"},
        {o->verity, "verity"},
    };

    for (size_t i = 0; i < sizeof making / sizeof making[0]; i++)
        if (making[i].given)
            return err_set(e, ERR_USAGE,
                           "--%s is for making an archive of an image, and --delta-from has got "
                           "no image here: only packs are made, for %s as it is",
                           making[i].name, o->archive);
    if (reader_is_url(o->archive))
        return err_set(e, ERR_USAGE,
                       "packs are made beside the archive, and %s is a URL: download it first",
                       o->archive);
    return 0;
}

/* What was not given takes its default. */
static void fill_defaults(struct compress_options *o)
{
    if (o->compression_word == NOT_GIVEN)
        o->compression_word = 0;
    if (o->hash_word == NOT_GIVEN)
        o->hash_word = 0;
    if (o->level == NOT_GIVEN)
        o->level = DEFAULT_LEVEL;
    if (o->hash_length == NOT_GIVEN)
        o->hash_length = CHUNK_HASH_SIZE;
    if (o->average_size == SIZE_NOT_GIVEN)
        o->average_size = 64 * KIB;
    if (o->min_size == SIZE_NOT_GIVEN)
        o->min_size = 16 * KIB;
    if (o->max_size == SIZE_NOT_GIVEN)
        o->max_size = 16 * MIB;
}

static int take_compress_operands(struct compress_options *o, int argc, char **argv, struct err *e)
{
    bool look = is_look(o, argc);
    int want;

    o->sign = is_sign(o, argc);
    want = look || o->sign || o->input || (o->delta_from.count > 0 && argc == 1) ? 1 : 2;
    if (check_purpose(o, look, e) < 0)
        return -1;
    if (argc != want)
        return err_set(e, ERR_USAGE, "%s: use ihop-compress [options] %s (--help tells more)",
                       argc < want ? "an argument is missing" : "too many arguments",
                       o->sign    ? "ARCHIVE"
                       : look     ? "ARCHIVE|URL"
                       : o->input ? "--input IMAGE ARCHIVE"
                                  : "IMAGE|- ARCHIVE");
    if (!look && !o->sign && (o->input || argc == 2))
        o->image = o->input ? o->input : argv[0];
    o->archive = argv[argc - 1];
    return 0;
}

/* What --verity records nobody else does; and it needs an image. */
static int check_verity(const struct compress_options *o, struct err *e)
{
    if (!o->verity)
        return 0;
    if (!o->image)
        return err_set(e, ERR_USAGE, "--verity is for making an archive of an image");
    for (size_t i = 0; i < o->metadata_count; i++)
        if (strcmp(o->metadata[i].key, FACTS_ROOT_HASH) == 0 ||
            strcmp(o->metadata[i].key, FACTS_HASH_OFFSET) == 0)
            return err_set(e, ERR_USAGE, "--verity records %s itself: leave that key out",
                           o->metadata[i].key);
    return 0;
}

int compress_options_parse(int argc, char **argv, struct compress_options *o, struct err *e)
{
    int first;

    *o = (struct compress_options){.jobs = options_default_jobs(),
                                   .average_size = SIZE_NOT_GIVEN,
                                   .min_size = SIZE_NOT_GIVEN,
                                   .max_size = SIZE_NOT_GIVEN,
                                   .compression_word = NOT_GIVEN,
                                   .hash_word = NOT_GIVEN,
                                   .level = NOT_GIVEN,
                                   .hash_length = NOT_GIVEN,
                                   .max_download = UINT64_MAX};
    network_options_init(&o->network);
    signing_options_init(&o->signing);
    first = options_parse(specs, argc, argv, o, e);
    if (first < 0)
        return -1;
    if (o->common.help || o->common.version)
        return 0;
    if (take_compress_operands(o, argc - first, argv + first, e) < 0)
        return -1;
    if (o->delta_from.count > 0 && !o->image && check_packs_alone(o, e) < 0)
        return -1;
    fill_defaults(o);
    if (signing_options_finish(&o->signing, e) < 0 || set_compression(o, e) < 0 ||
        choose_chunker(o, e) < 0)
        return -1;
    return metadata_finish(o, e) < 0 ? -1 : check_verity(o, e);
}

void compress_options_free(struct compress_options *o)
{
    network_options_free(&o->network);
    signing_options_free(&o->signing);
    for (size_t i = 0; i < o->metadata_count; i++) {
        free(o->metadata[i].key);
        free(o->metadata[i].value);
    }
    free(o->metadata);
    free(o->facts.types);
    free(o->delta_from.paths);
}
