/* SPDX-License-Identifier: MIT */
/* release: the dictionary of an image in a store.
 *
 *     0        6  magic "IHOP1\0"
 *     6        8  n, u64 little-endian
 *     14       n  dictionary (ReleaseDictionary)
 *     14 + n  64  BLAKE2b-512 of all bytes before
 *
 * ihop 0.1 reads and writes the fields below 100; the fields added since then say where the
 * chunks can be fetched again. Errors have the kind ERR_DAMAGED or ERR_MEMORY and do not name
 * the file: the caller adds its name. Any thread may call these functions.
 */
#ifndef IHOP_FORMAT_RELEASE_H
#define IHOP_FORMAT_RELEASE_H

#include "base/err.h"
#include "format/frame.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELEASE_MAGIC       "IHOP1" /* the NUL at its end counts */
#define RELEASE_PREFIX_SIZE FRAME_PREFIX_SIZE
#define RELEASE_OVERHEAD    (RELEASE_PREFIX_SIZE + CHUNK_HASH_SIZE)

/* Parses a whole release. The caller frees *image. */
int release_parse(const uint8_t *data, size_t size, struct image *image, struct err *e)
    __attribute__((warn_unused_result));

/* As release_parse, but steps over what is said about the chunks: *image is good for its metadata,
 * its size and its checksums alone. For whoever looks at many releases. */
int release_parse_metadata(const uint8_t *data, size_t size, struct image *image, struct err *e)
    __attribute__((warn_unused_result));

/* Releases in a store are numbered in the order of their publication. The number is the first
 * field of the dictionary, so that reading the first bytes of each release tells their order.
 * The number's complement follows it, because the release's checksum is not checked then. */
#define RELEASE_NUMBER_SIZE 16
#define RELEASE_HEAD_SIZE   (RELEASE_PREFIX_SIZE + 3 + RELEASE_NUMBER_SIZE)

/* The number in the first bytes of a release, or 0 when it has none. */
uint64_t release_number(const uint8_t head[RELEASE_HEAD_SIZE]);

/* What to write so that an encoded release has a number: head, then the release without its
 * prefix and its checksum, then sum. */
struct release_frame {
    uint8_t head[RELEASE_HEAD_SIZE];
    uint8_t sum[CHUNK_HASH_SIZE];
};

/* Whether data, of which these are the first bytes, begins as a release does. */
bool release_has_magic(const uint8_t *data, size_t size);

/* Whether data has the magic of a release and is large enough for one. */
bool release_is_framed(const uint8_t *data, size_t size);

/* Makes the frame that gives the release its number. data is a release without a number, as
 * release_encode makes it. ERR_MEMORY. */
int release_set_number(const uint8_t *data, size_t size, uint64_t number,
                       struct release_frame *frame, struct err *e)
    __attribute__((warn_unused_result));

/* Encodes an image as a release without a number. The caller frees *data. */
int release_encode(const struct image *image, uint8_t **data, size_t *size, struct err *e)
    __attribute__((warn_unused_result));

#endif
