/* SPDX-License-Identifier: MIT */
/* release: the dictionary of an image in a store.
 *
 *     0        6  magic "IHOP1\0"
 *     6        8  n, u64 little-endian
 *     14       n  dictionary (ReleaseDictionary)
 *     14 + n  64  BLAKE2b-512 of all bytes before
 *
 * The original ihop reads and writes the fields below 100; ours say where the
 * chunks can be fetched again. Errors: ERR_DAMAGED or ERR_MEMORY; the caller
 * names the file.
 */
#ifndef IHOP_FORMAT_RELEASE_H
#define IHOP_FORMAT_RELEASE_H

#include "base/err.h"
#include "base/limits.h"
#include "format/image.h"

#include <stddef.h>
#include <stdint.h>

#define RELEASE_MAGIC       "IHOP1" /* and its NUL */
#define RELEASE_PREFIX_SIZE DICT_PREFIX_SIZE
#define RELEASE_OVERHEAD    (RELEASE_PREFIX_SIZE + CHUNK_HASH_SIZE)
/* Ours is the larger one of the two dictionaries: 14 bytes more for a chunk. */
#define RELEASE_MAX_SIZE (2 * LIMIT_DICTIONARY)

/* The caller frees *image. */
int release_parse(const uint8_t *data, size_t size, struct image *image, struct err *e)
    __attribute__((warn_unused_result));

/* The caller frees *data. */
int release_encode(const struct image *image, uint8_t **data, size_t *size, struct err *e)
    __attribute__((warn_unused_result));

#endif
