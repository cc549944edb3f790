/* SPDX-License-Identifier: MIT */
/* signature_list: the signatures of one archive as text, to which others are added. One thread. */
#ifndef IHOP_COMPRESS_SIGNATURE_LIST_H
#define IHOP_COMPRESS_SIGNATURE_LIST_H

#include "base/err.h"
#include "signature/minisign.h"
#include "signature/public_key.h"

#include <stddef.h>
#include <stdint.h>

struct signature_list {
    uint8_t message[64]; /* what is signed */
    char *text;          /* owned; NULL: there are none */
    size_t size;
};

/* Begins with the signatures of a text, which may be none. Comments and order stay as they are.
 * ERR_ARCHIVE when it is anything else; ERR_MEMORY. */
int signature_list_begin(struct signature_list *list, const uint8_t message[64], const void *text,
                         size_t size, struct err *e) __attribute__((warn_unused_result));

/* Appends the signature that lines (with or without the last end of a line) hold, in place of those
 * that have its id, or that key made; key may be NULL. ERR_USAGE: that would be more than an
 * archive may have; ERR_MEMORY. */
int signature_list_add(struct signature_list *list, const struct minisign_signature *s,
                       const char *lines, size_t size, const struct public_key *key, struct err *e)
    __attribute__((warn_unused_result));

void signature_list_free(struct signature_list *list);

#endif
