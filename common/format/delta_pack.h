/* SPDX-License-Identifier: MIT */
/* delta_pack: a file beside an archive that tells how to make the archive's image out of an older
 * one: ARCHIVE.from-ID, where ID is the first DELTA_PACK_ID_DIGITS hex digits of the old image's
 * source checksum.
 *
 *     0        6  magic "IHOPD1"
 *     6        8  n, u64 little-endian
 *     14       n  dictionary (DeltaDictionary)
 *     14 + n  64  BLAKE2b-512 of all bytes before
 *     78 + n      deltas, one behind the other (delta_list.h)
 *
 * docs/formats.md has the format in full. A pack is not trusted and need not be: the header that
 * it gives is that of the archive, by its checksum, or is refused, and each chunk has its hash. Its
 * own checksum is against damage. Errors have the kind ERR_ARCHIVE or ERR_MEMORY and do not
 * name the pack: the caller adds its name. Any thread may call these functions.
 */
#ifndef IHOP_FORMAT_DELTA_PACK_H
#define IHOP_FORMAT_DELTA_PACK_H

#include "base/err.h"
#include "base/limits.h"
#include "format/chunk_hash.h"
#include "format/frame.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DELTA_PACK_MAGIC       "IHOPD1" /* without a NUL */
#define DELTA_PACK_PREFIX_SIZE FRAME_PREFIX_SIZE
#define DELTA_PACK_OVERHEAD                                                                        \
    (DELTA_PACK_PREFIX_SIZE + CHUNK_HASH_SIZE) /* all but dictionary and deltas */
#define DELTA_PACK_ID_DIGITS   16
#define DELTA_PACK_SUFFIX_SIZE (sizeof ".from-" + DELTA_PACK_ID_DIGITS) /* with a NUL */

/* What the dictionary says. Pointers are borrowed from the bytes that were parsed. */
struct delta_pack {
    uint8_t old_source_checksum[CHUNK_HASH_SIZE];
    uint64_t old_source_size;
    uint8_t header_checksum[CHUNK_HASH_SIZE]; /* of the archive */
    uint64_t header_size, archive_size;
    /* Both are one zstd frame each; plain: how many bytes come out of it. patch is NULL in a pack
     * that has none. */
    const uint8_t *patch; /* header_patch.h */
    size_t patch_size, patch_plain;
    const uint8_t *list; /* delta_list.h */
    size_t list_size, list_plain;
    /* What signs the archive's header, for a clone from the pack alone; NULL: nothing. */
    const uint8_t *signatures;
    size_t signatures_size;
    uint64_t deltas_offset; /* where the deltas begin in the pack; set by parsing */
};

/* How many bytes may come before the deltas of a pack for an archive with a header of this size: a
 * device that has the archive at hand reads no more than that of a pack. No list and patch take
 * more, but for hashes of a few bytes. */
static inline uint64_t delta_pack_head_limit(uint64_t header_size)
{
    return 4 * header_size + 64 * KIB;
}

/* Whether these bytes, of which there are size, begin as a pack does. */
bool delta_pack_has_magic(const uint8_t *data, size_t size);

/* ".from-0123456789abcdef" for packs that update from the image with this source checksum. */
const char *delta_pack_suffix(const uint8_t old_source_checksum[CHUNK_HASH_SIZE],
                              char suffix[DELTA_PACK_SUFFIX_SIZE]);

/* Whether text is such a suffix. */
bool delta_pack_is_suffix(const char *text);

/* Tells from the first DELTA_PACK_PREFIX_SIZE bytes of a pack how many bytes come before its
 * deltas. At most LIMIT_DICTIONARY for the dictionary. */
int delta_pack_parse_prefix(const uint8_t *prefix, uint64_t *size, struct err *e)
    __attribute__((warn_unused_result));

/* Parses the size bytes that come before the deltas, with the checksum at their end. */
int delta_pack_parse(const uint8_t *data, size_t size, struct delta_pack *pack, struct err *e)
    __attribute__((warn_unused_result));

/* Makes the bytes that come before the deltas. The caller frees *data. ERR_MEMORY. */
int delta_pack_encode(const struct delta_pack *pack, uint8_t **data, size_t *size, struct err *e)
    __attribute__((warn_unused_result));

#endif
