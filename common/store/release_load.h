/* SPDX-License-Identifier: MIT */
/* release_load: reading the releases of a store, and their names. Thread-safe. */
#ifndef IHOP_STORE_RELEASE_LOAD_H
#define IHOP_STORE_RELEASE_LOAD_H

#include "base/err.h"
#include "format/image.h"
#include "store/store.h"

/* Reads a release. If lock_fd is not NULL, this takes a server's lock on the very file that
 * was read, and *lock_fd becomes its descriptor: while that is open, gc keeps the
 * release's chunks, even when the name is replaced or removed. When somebody else has
 * locked the file, that takes a few seconds at most.
 * Kinds: ERR_NOT_FOUND (also for a foreign file), ERR_DAMAGED, ERR_IO, ERR_MEMORY; with
 * lock_fd also ERR_BUSY. The caller frees *image. */
int store_release_load(const struct store *store, const char *name, struct image *image,
                       int *lock_fd, struct err *e) __attribute__((warn_unused_result));

/* As store_release_load without a lock, for the metadata alone (release_parse_metadata). */
int store_release_metadata(const struct store *store, const char *name, struct image *image,
                           struct err *e) __attribute__((warn_unused_result));

/* Names of files, sorted; freed by the caller with store_names_free. */
struct store_names {
    char **names;
    size_t count, capacity;
};
/* Lists all releases, whole or damaged, and in others, which may be NULL, all other files of
 * STORE but directories: foreign files, those that this user may not read, and those whose
 * names no release may have. Kinds: ERR_IO, ERR_MEMORY. */
int store_scan(const struct store *store, struct store_names *releases, struct store_names *others,
               struct err *e) __attribute__((warn_unused_result));
int store_release_names(const struct store *store, struct store_names *list, struct err *e)
    __attribute__((warn_unused_result));

/* A list of names in a message: "a, b, c and 3 more". */
#define STORE_NAMES_TOLD 5
#define STORE_NAME_TOLD  60 /* bytes of each */
#define STORE_NAMES_TEXT (STORE_NAMES_TOLD * (STORE_NAME_TOLD + 2) + 40)

/* Writes "STORE: 2 files are no releases and were left alone: a, b". */
#define STORE_OTHERS_TEXT (STORE_NAMES_TEXT + 512)
const char *store_others_tell(const struct store *store, const struct store_names *others,
                              char text[STORE_OTHERS_TEXT]);

/* store_release_load for a name that a user gave: when there is no such release, the
 * message names those that are there. */
int store_release_find(const struct store *store, const char *name, struct image *image,
                       int *lock_fd, struct err *e) __attribute__((warn_unused_result));

/* Fails with the message that there is no such release, and which there are. */
int store_release_missing(const struct store *store, const char *name, struct err *e)
    __attribute__((warn_unused_result));

void store_names_free(struct store_names *list);

#endif
