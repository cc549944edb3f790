/* SPDX-License-Identifier: MIT */
/* trust_options: the options that say which archives are accepted, and what they demand
 * (fetch/trust.h). A new demand is a row here and a member of both structs. */
#ifndef IHOP_CLI_TRUST_OPTIONS_H
#define IHOP_CLI_TRUST_OPTIONS_H

#include "base/limits.h"
#include "cli/key_options.h"
#include "cli/options.h"
#include "fetch/trust.h"
#include "format/chunk_hash.h"

#include <stdbool.h>
#include <stdint.h>

struct trust_options {
    uint8_t pin[CHUNK_HASH_SIZE]; /* --verify-header */
    bool pinned;
    bool allow_short_hash;
    struct key_options keys;
    const char *compatible; /* --compatible; NULL: what device.conf says */
    bool allow_downgrade;

    char device_type[LIMIT_DEVICE_TYPE + 1]; /* of device.conf, or "" */
};

/* Its rows, for OPTION_TABLE with a struct trust_options at the offset. */
extern const struct option_spec trust_option_specs[];

/* Reads what the command line leaves to files. To be called once, before trust_options_demanded.
 * Kinds: ERR_USAGE, and those of device_conf.h and key_options.h. */
int trust_options_finish(struct trust_options *o, struct err *e)
    __attribute__((warn_unused_result));
void trust_options_free(struct trust_options *o);

/* What was demanded; what depends on a store (minimum, newest, installed_checksum) is the caller's
 * to set. It points into o, which must outlive it. */
struct trust trust_options_demanded(const struct trust_options *o);

/* Whether an image that was accepted would have been so without --allow-unsigned. */
bool trust_options_vouch_for(const struct trust_options *o, const struct image *image);

#endif
