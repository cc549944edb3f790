/* SPDX-License-Identifier: MIT */
/* options: the command line of ihop-compress. */
#ifndef IHOP_COMPRESS_OPTIONS_H
#define IHOP_COMPRESS_OPTIONS_H

#include "base/err.h"
#include "chunker/chunker.h"
#include "cli/network_options.h"
#include "cli/options.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct compress_options {
    const char *image;   /* path or "-"; NULL: look at an archive that is there */
    const char *archive; /* path; without an image also a URL */

    struct common_options common;
    bool info, print_header;
    const char *old;       /* --diff: an archive or a release; else NULL */
    uint64_t max_download; /* with it */
    const char *metadata_key;
    struct network_options network; /* for an archive at a URL */

    bool force;
    unsigned jobs;

    /* As given; what they mean is below. */
    const char *input;
    uint64_t average_size, min_size, max_size, window_size, fixed_size;
    unsigned compression_word, hash_word;

    struct chunker_config chunker;
    enum image_compression compression;
    unsigned level, hash_length;

    struct image_metadata *metadata; /* in the order of the keys */
    size_t metadata_count, metadata_capacity;
};

/* Reads the metadata files as well. ERR_USAGE names the option and what it takes.
 * Free with compress_options_free in any case. */
int compress_options_parse(int argc, char **argv, struct compress_options *o, struct err *e)
    __attribute__((warn_unused_result));
void compress_options_free(struct compress_options *o);

/* Prints the help text on stdout. */
void compress_options_help(void);

#endif
