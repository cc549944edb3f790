/* SPDX-License-Identifier: MIT */
/* signing_options: the options of ihop-compress about signatures. Texts belong to argv. */
#ifndef IHOP_COMPRESS_SIGNING_OPTIONS_H
#define IHOP_COMPRESS_SIGNING_OPTIONS_H

#include "cli/options.h"
#include "signature/key_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum signer_kind {
    SIGNER_KEY,     /* --sign: a secret key */
    SIGNER_COMMAND, /* --sign-command */
    SIGNER_FILE,    /* --add-signature: a secret key, or a file with signatures */
};

struct signer {
    enum signer_kind kind;
    const char *value;
};

struct signing_options {
    struct signer *signers; /* in the order of the command line */
    size_t count, capacity;
    struct key_set verify_keys; /* --verify-key */
    const char *password_file;  /* NULL: there is none */
    const char *comment;        /* the trusted comment of signatures that are made */
    uint64_t space;             /* least number of bytes for signatures in a new archive */
    const char *print_signed;   /* NULL, "" or "checksum" */
    bool print_signatures;
};

#define SIGNING_DEFAULT_SPACE (4 * KIB)

/* Sets the defaults, before options_parse. */
void signing_options_init(struct signing_options *o);

/* Checks what options_parse has filled. ERR_USAGE. */
int signing_options_finish(const struct signing_options *o, struct err *e)
    __attribute__((warn_unused_result));

void signing_options_free(struct signing_options *o);

/* Whether one of the signers is of this kind. */
bool signing_options_has(const struct signing_options *o, enum signer_kind kind);

extern const struct option_spec signing_option_specs[];

#endif
