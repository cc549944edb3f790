/* SPDX-License-Identifier: MIT */
/* pem: takes the one block out of a text in PEM (RFC 7468), such as
 *
 *     -----BEGIN PUBLIC KEY-----
 *     MCowBQYDK2VwAyEA...
 *     -----END PUBLIC KEY-----
 *
 * Text before and behind the block is ignored, as openssl writes some, but a second block is not:
 * a key that nobody sees must not be. Pure. */
#ifndef IHOP_SIGNATURE_PEM_H
#define IHOP_SIGNATURE_PEM_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEM_LABEL_SIZE 64
#define PEM_MAX        256 /* bytes of a block: an Ed25519 key has less than half */

struct pem {
    char label[PEM_LABEL_SIZE]; /* such as "PUBLIC KEY" */
    uint8_t bytes[PEM_MAX];
    size_t size; /* 0: it is not base64, or has more than PEM_MAX bytes */
};

/* Whether a text has a block. */
bool pem_is(const void *text, size_t size);

/* ERR_DAMAGED: there is not exactly one block, or it has no end. The text of the error does not
 * name the file. *pem may hold a secret after a failure, too. */
int pem_parse(const void *text, size_t size, struct pem *pem, struct err *e)
    __attribute__((warn_unused_result));

#endif
