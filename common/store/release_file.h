/* SPDX-License-Identifier: MIT */
/* release_file: reading the releases of a store. */
#ifndef IHOP_STORE_RELEASE_FILE_H
#define IHOP_STORE_RELEASE_FILE_H

#include "base/err.h"
#include "format/image.h"
#include "store/store.h"

/* Reads release name. With lock_fd, takes a server's lock on the very file that
 * was read and hands over its descriptor: while it is open, gc keeps the
 * release's chunks, even when the name is replaced or removed meanwhile. That takes
 * a few seconds at most, when somebody else has locked it.
 * Kinds: ERR_NOT_FOUND, ERR_DAMAGED, ERR_IO, ERR_MEMORY; ERR_BUSY with lock_fd. The
 * caller frees *image. */
int store_release_load(const struct store *store, const char *name, struct image *image,
                       int *lock_fd, struct err *e) __attribute__((warn_unused_result));

/* The names of all files that could be releases, sorted; freed by the caller
 * with store_names_free. */
struct store_names {
    char **names;
    size_t count, room;
};
int store_release_names(const struct store *store, struct store_names *list, struct err *e)
    __attribute__((warn_unused_result));
void store_names_free(struct store_names *list);

#endif
