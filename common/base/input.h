/* SPDX-License-Identifier: MIT */
/* input: opens what is read from its beginning to its end: an image to compress, a seed.
 */
#ifndef IHOP_BASE_INPUT_H
#define IHOP_BASE_INPUT_H

#include "base/err.h"

#include <stdint.h>

struct input {
    int fd;           /* the caller's to close; -1 after a failure */
    uint64_t size;    /* bytes; 0: not known (a pipe), or nothing */
    const char *name; /* for messages: the path, or "standard input" */
};

/* How messages speak of it. */
struct input_words {
    const char *what;    /* before the name, such as "seed " */
    const char *instead; /* than a directory, terminal or endless device */
    enum err_kind wrong; /* the kind for a directory or a terminal */
};

/* Opens path, or standard input for "-". Links are followed, and a FIFO is waited for. Only
 * what has an end is taken: a file, a block device, a pipe, a character device that knows
 * its size (UBI, MTD). What standard input is, its user chose; but not a terminal.
 * ERR_NOT_FOUND, ERR_IO, words->wrong. */
int input_open(const char *path, const struct input_words *words, struct input *in, struct err *e)
    __attribute__((warn_unused_result));

#endif
