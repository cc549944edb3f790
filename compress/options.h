/* SPDX-License-Identifier: MIT */
/* options: the command line of ihop-compress. Texts belong to argv; the metadata is owned. */
#ifndef IHOP_COMPRESS_OPTIONS_H
#define IHOP_COMPRESS_OPTIONS_H

#include "base/err.h"
#include "chunker/chunker.h"
#include "cli/network_options.h"
#include "cli/options.h"
#include "compress/signing_options.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of metadata.h, as given. */
struct metadata_number {
    uint64_t value;
    bool given;
};
struct metadata_facts {
    struct metadata_number version, minimum;
    const char **types; /* owned; the texts belong to argv */
    size_t type_count, type_capacity;
};

/* Archives, or releases in a store. */
struct delta_sources {
    const char **paths; /* owned; the texts belong to argv */
    size_t count, capacity;
};

struct compress_options {
    const char *image;   /* path or "-"; NULL to look at an archive that exists, or to sign it */
    const char *archive; /* path; to look at, it may be a URL */
    bool sign;           /* the archive, which exists */

    struct common_options common;
    bool info, print_header;
    struct delta_sources delta_from;
    const char *old;       /* with --diff an archive or a release; otherwise NULL */
    uint64_t max_download; /* bytes, with --diff */
    const char *metadata_key;
    struct network_options network; /* for an archive at a URL */

    bool force;
    bool verity; /* append a hash tree for dm-verity, and record it */
    unsigned jobs;

    /* These are as given. The members after them have what they mean. */
    const char *input;
    uint64_t average_size, min_size, max_size, window_size, fixed_size;
    unsigned compression_word, hash_word;

    struct chunker_config chunker;
    enum image_compression compression;
    unsigned level, hash_length;

    struct metadata_facts facts;
    struct signing_options signing;

    struct image_metadata *metadata; /* in the order of the keys */
    size_t metadata_count, metadata_capacity;
};

/* Parses the command line and reads the metadata files. ERR_USAGE names the option and what it
 * takes. The caller frees *o, even after a failure. */
int compress_options_parse(int argc, char **argv, struct compress_options *o, struct err *e)
    __attribute__((warn_unused_result));
void compress_options_free(struct compress_options *o);

/* Prints the help text on stdout. */
void compress_options_help(void);

#endif
