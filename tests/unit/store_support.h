/* SPDX-License-Identifier: MIT */
/* store_support: a store in a fresh directory, for the tests of staging, missing,
 * publish and what looks after a whole store. */
#ifndef IHOP_TESTS_UNIT_STORE_SUPPORT_H
#define IHOP_TESTS_UNIT_STORE_SUPPORT_H

#include "support.h"

#include "store/chunk_file.h"
#include "store/missing.h"
#include "store/store.h"

#include <stdbool.h>

/* Opens DIRECTORY/store for writing, in this sync mode. */
struct store *store_support_open(const char *directory, enum store_sync sync, bool four_digits);

/* Writes these chunks of the image through a store_writer and commits them. */
void store_support_add(struct store *s, const struct image *image, size_t first, size_t count);

/* Writes all chunks of the image and publishes it, in place of an older release. */
void store_support_publish(struct store *s, const char *name, const struct image *image);

/* Path of a chunk in DIRECTORY/store; one static buffer. */
const char *store_support_chunk(const struct store *s, const struct image *image, size_t chunk);

/* Asserts what store_find_missing finds: one character for each chunk, '-'
 * missing or '+' there; and how many are damaged. */
void store_support_assert_missing(const struct store *s, const struct image *image,
                                  enum store_check check, const char *expected, size_t damaged);

/* Asserts that a chunk's file has its size and content. */
void store_support_assert_chunk(const struct store *s, const struct image *image, size_t chunk);

/* Number of entries in DIRECTORY but . and .. */
size_t store_support_count(const char *path);

#endif
