/* SPDX-License-Identifier: MIT */
/* missing: which chunks of a table the store lacks.
 *
 * A chunk that has its name and its size is whole, because of how it got there
 * (staging.h), unless the store is not trusted; then its content is hashed. A
 * chunk's path that is anything but a regular file is an error (ERR_IO): no link
 * is followed and no FIFO waited for.
 */
#ifndef IHOP_STORE_MISSING_H
#define IHOP_STORE_MISSING_H

#include "base/err.h"
#include "format/chunk_table.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_missing {
    bool *missing;                       /* for each chunk of the table; owned */
    size_t missing_count, damaged_count; /* damaged ones are missing, too */
    size_t denied_count; /* with STORE_CHECK_READABLE: there, not zero, and not readable */
};

void store_missing_free(struct store_missing *m);

enum store_check {
    STORE_CHECK_SIZE,     /* name, type and size; the rule for our own stores */
    STORE_CHECK_READABLE, /* and whether this user may read it */
    STORE_CHECK_TRUST,    /* size, and the content, where the store is not trusted */
    STORE_CHECK_CONTENT,  /* and the content of each chunk */
};

/* Called now and then while contents are hashed; done and total are bytes. Calls come
 * from several threads, one at a time. */
typedef void (*store_check_progress)(void *user, uint64_t done, uint64_t total);

/* Looks for all chunks. Uses threads, as many as there are cores when it hashes; they are
 * joined when it returns. The caller frees *m after a success. With store NULL every chunk
 * is missing. Kinds: ERR_IO, ERR_MEMORY. */
int store_find_missing(const struct store *store, const struct chunk_table *chunks,
                       enum store_check check, store_check_progress progress, void *user,
                       struct store_missing *m, struct err *e) __attribute__((warn_unused_result));

#endif
