/* SPDX-License-Identifier: MIT */
/* metadata: what a new archive says in its header besides its image: any keys of the user, and
 * those of ihop (format/facts.h), which options of their own set as well. One thread. */
#ifndef IHOP_COMPRESS_METADATA_H
#define IHOP_COMPRESS_METADATA_H

#include "base/err.h"
#include "cli/options.h"
#include "compress/options.h"

/* Append an entry to the metadata of a struct compress_options; --metadata-value and
 * --metadata-file. ERR_USAGE: the key is no UTF-8, or the file is not as it should be;
 * ERR_NOT_FOUND, ERR_IO, ERR_MEMORY. */
int metadata_add_text(void *options, const char *key, const char *value, struct err *e)
    __attribute__((warn_unused_result));
int metadata_add_file(void *options, const char *key, const char *path, struct err *e)
    __attribute__((warn_unused_result));

/* The options --image-version, --minimum-version and --compatible, for OPTION_TABLE with a struct
 * metadata_facts at the offset. */
extern const struct option_spec metadata_fact_specs[];

/* Adds what these options say, sorts the metadata by key, as bita does, and checks it: ERR_USAGE
 * for a key that is there twice, an unknown one of ihop's, a malformed value, or too much. Whoever
 * adds more keys calls it again: the options are added once. */
int metadata_finish(struct compress_options *o, struct err *e) __attribute__((warn_unused_result));

#endif
