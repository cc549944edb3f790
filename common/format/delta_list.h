/* SPDX-License-Identifier: MIT */
/* delta_list: which chunks of an image a pack has a delta for, how each is decoded, and against
 * which parts of the old image.
 *
 * A delta's base is the bytes of its ranges of the old image, one behind the other. Ranges count
 * in blocks of DELTA_BLOCK bytes; the last one of the image may be shorter. The list is in the
 * order of the chunk table, each chunk at most once, and the deltas lie one behind the other in the
 * same order. docs/formats.md has the columns.
 *
 * The bytes are not trusted; not compressed here, as in header_patch.h. Errors have the kind
 * ERR_ARCHIVE or ERR_MEMORY. Thread-safe; a list that does not change can be shared.
 */
#ifndef IHOP_FORMAT_DELTA_LIST_H
#define IHOP_FORMAT_DELTA_LIST_H

#include "base/checked.h"
#include "base/err.h"
#include "format/image.h"

#include <stddef.h>
#include <stdint.h>

#define DELTA_BLOCK UINT64_C(4096)

enum delta_codec {
    DELTA_COPY = 0,   /* no base: the bytes that the archive has for the chunk */
    DELTA_ZSTD = 1,   /* a zstd frame whose prefix is the base (perhaps of no bytes) */
    DELTA_BSDIFF = 2, /* copies with differences, and what is new (codec/bsdiff_decoder.h) */
    DELTA_CODECS
};

struct delta_range {
    uint32_t block, count; /* of DELTA_BLOCK bytes of the old image */
};

/* Where a range lies in an old image of old_size bytes, whose last block may be shorter: the offset
 * and *size, in bytes. */
static inline uint64_t delta_range_place(const struct delta_range *r, uint64_t old_size,
                                         size_t *size)
{
    uint64_t offset = r->block * DELTA_BLOCK;

    *size = (size_t)min_u64(r->count * DELTA_BLOCK, old_size - offset);
    return offset;
}

struct delta {
    uint64_t offset; /* in the pack, in bytes */
    uint32_t size;   /* bytes in the pack; at most the chunk's archive_size */
    uint32_t chunk;  /* its number in the new image's table */
    uint32_t first_range;
    uint8_t range_count; /* at most LIMIT_DELTA_RANGES */
    uint8_t codec;       /* enum delta_codec */
};

struct delta_list {
    struct delta *items;
    size_t count, capacity;
    struct delta_range *ranges; /* of all items */
    size_t range_count, range_capacity;
};

void delta_list_free(struct delta_list *list);

/* The size in bytes of the base of item; its ranges lie inside an image of old_size bytes. */
uint64_t delta_list_base_size(const struct delta_list *list, const struct delta *item,
                              uint64_t old_size);

/* How large a decoded list for this image can be, in bytes: more is refused. */
size_t delta_list_limit(const struct image *image);

/* Decodes a list; the deltas begin at deltas_offset of a pack that has pack_size bytes and end with
 * it. Checks that each chunk exists, has a size that fits, is no zero chunk and is there once, that
 * ranges lie inside the old image and no base is larger than LIMIT_DELTA_BASE. The caller frees
 * *list. */
struct delta_list_place {
    uint64_t deltas_offset, pack_size; /* of the pack */
    uint64_t old_size;                 /* of the old image */
};
int delta_list_decode(const uint8_t *data, size_t size, const struct image *image,
                      const struct delta_list_place *place, struct delta_list *list, struct err *e)
    __attribute__((warn_unused_result));

/* How many deltas a list has of each codec, and how many bytes they have. */
struct delta_counts {
    size_t deltas[DELTA_CODECS];
    uint64_t bytes[DELTA_CODECS];
};

/* Counts what is in a list of a pack whose deltas have so many bytes, when the image is not known.
 * Nothing else of it is checked. */
int delta_list_count(const uint8_t *data, size_t size, uint64_t deltas_size,
                     struct delta_counts *counts, struct err *e)
    __attribute__((warn_unused_result));

/* Encodes a list, whose items are in the order of the chunk table; their offsets are not looked at.
 * The caller frees *data. ERR_MEMORY. */
int delta_list_encode(const struct delta_list *list, uint8_t **data, size_t *size, struct err *e)
    __attribute__((warn_unused_result));

#endif
