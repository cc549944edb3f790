/* SPDX-License-Identifier: MIT */
/* input: opens a file or device that is read from its beginning to its end, such as an image
 * to compress or a seed. */
#ifndef IHOP_BASE_INPUT_H
#define IHOP_BASE_INPUT_H

#include "base/err.h"

#include <stdint.h>

struct input {
    int fd;           /* the caller's to close; -1 after a failure */
    uint64_t size;    /* bytes; 0: not known (a pipe), or nothing */
    const char *name; /* for messages: the path, or "standard input" */
};

/* The words of the messages about an input. */
struct input_words {
    const char *what;    /* before the name, such as "seed " */
    const char *instead; /* what to name in place of a directory, terminal or endless device */
    enum err_kind wrong; /* the kind for a directory or a terminal */
};

/* Opens path, or standard input for "-". Links are followed, and opening a FIFO waits for its
 * writer. Only what has an end is accepted: a file, a block device, a pipe, a character device
 * that knows its size (UBI, MTD). Standard input may be anything but a directory or a terminal,
 * because the user chose it. ERR_NOT_FOUND, ERR_IO, words->wrong. */
int input_open(const char *path, const struct input_words *words, struct input *in, struct err *e)
    __attribute__((warn_unused_result));

#endif
