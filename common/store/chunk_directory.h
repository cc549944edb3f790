/* SPDX-License-Identifier: MIT */
/* chunk_directory: the directory below chunks/ that was used last, kept open: for work on
 * many chunks in the order of their names. For store/ alone.
 *
 * Functions return 0, or -1 with errno, but where they take a struct err. One thread at a
 * time.
 */
#ifndef IHOP_STORE_CHUNK_DIRECTORY_H
#define IHOP_STORE_CHUNK_DIRECTORY_H

#include "base/err.h"
#include "store/store.h"

#include <stdbool.h>

struct chunk_directory {
    const struct store *store;
    int flags;      /* of open: O_PATH to look at files, O_RDONLY to sync */
    char digits[5]; /* its name, which chunks begin with; "": none was entered yet */
    int fd;         /* -1: none, or the last one could not be opened */
    int open_errno; /* why */
};

/* Whether the chunk of this name (store_chunk_name) belongs into the directory that was
 * entered last. */
bool chunk_directory_is_of(const struct chunk_directory *d, const char *name);

/* Turns to the directory of this chunk. One that could not be opened is not tried again
 * before another one was entered. */
int chunk_directory_enter(struct chunk_directory *d, const char *name)
    __attribute__((warn_unused_result));

/* As chunk_directory_enter, and makes the directory if it is missing; *made is set then and
 * left alone otherwise. */
int chunk_directory_make(struct chunk_directory *d, const char *name, bool *made)
    __attribute__((warn_unused_result));

/* Makes the names in the directory durable. */
int chunk_directory_sync(const struct chunk_directory *d, struct err *e)
    __attribute__((warn_unused_result));

/* Closes it. */
void chunk_directory_leave(struct chunk_directory *d);

#endif
