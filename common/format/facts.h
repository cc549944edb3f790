/* SPDX-License-Identifier: MIT */
/* facts: what an image says about itself in metadata keys that begin with "ihop.".
 *
 *     ihop.version              decimal: counts up with each release of an image
 *     ihop.minimum-version      decimal: who has accepted this image takes none of a lower
 *                               version any more; at most ihop.version
 *     ihop.compatible           the device types that it is for, one a line
 *     ihop.verity.root-hash     hex digits, as veritysetup format prints them
 *     ihop.verity.hash-offset   decimal: where veritysetup's superblock is, in bytes from the
 *                               beginning of the image; both of ihop.verity, or none
 *
 * docs/formats.md ("What an image says about itself") has the rules. An image without a version
 * has the version 0. Values are text without sign, leading zeros, blanks or line end (but for
 * ihop.compatible, whose last line may have one). What is malformed, or there twice, is refused.
 * A key that is not known is refused when an archive is made, and ignored when it is read: a later
 * version may have added it.
 *
 * Nothing is copied: what a struct facts points to belongs to the image. Pure; thread-safe.
 */
#ifndef IHOP_FORMAT_FACTS_H
#define IHOP_FORMAT_FACTS_H

#include "base/err.h"
#include "base/limits.h"
#include "format/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FACTS_PREFIX      "ihop."
#define FACTS_VERSION     FACTS_PREFIX "version"
#define FACTS_MINIMUM     FACTS_PREFIX "minimum-version"
#define FACTS_COMPATIBLE  FACTS_PREFIX "compatible"
#define FACTS_ROOT_HASH   FACTS_PREFIX "verity.root-hash"
#define FACTS_HASH_OFFSET FACTS_PREFIX "verity.hash-offset"

#define FACTS_DIGEST_MIN 16 /* bytes of a root hash */
#define FACTS_DIGEST_MAX 64
#define FACTS_NUMBER_MAX 21 /* digits of a number, and a NUL */

struct facts {
    bool has_version, has_minimum, has_compatible, has_verity;
    uint64_t version, minimum; /* 0 without one */
    const char *compatible;    /* names, each ended by a newline or by the end; no NUL */
    size_t compatible_size;
    uint8_t root_hash[FACTS_DIGEST_MAX];
    size_t root_hash_size;
    uint64_t hash_offset; /* bytes */
};

/* Reads what the image says; *facts is written on success alone. ERR_ARCHIVE names the key and what
 * is wrong with it. */
int facts_read(const struct image *image, struct facts *facts, struct err *e)
    __attribute__((warn_unused_result));

/* As facts_read, for the metadata of an archive that is being made, whose image may not be known
 * yet: also refuses keys that begin with "ihop." and are none of these. */
int facts_check_made(const struct image_metadata *metadata, size_t count, struct err *e)
    __attribute__((warn_unused_result));

/* Whether both images say the same about themselves, byte by byte. */
bool facts_are_same(const struct image *a, const struct image *b);

/* Whether name is that of a device type: 1 to LIMIT_DEVICE_TYPE bytes of UTF-8 without control
 * characters, and no blank at its ends. */
bool facts_is_device_type(const char *name, size_t size);

/* Steps through the device types: *at begins as 0. Returns the next name, which has no NUL, and
 * sets *size; NULL after the last one. */
const char *facts_next_type(const struct facts *facts, size_t *at, size_t *size);

/* Whether the image is for devices of this type. */
bool facts_is_for(const struct facts *facts, const char *type);

/* Writes the first device types as "'a', 'b' and 3 more", printable, and returns text. */
#define FACTS_TYPES_TEXT 512
const char *facts_types_text(const struct facts *facts, char text[FACTS_TYPES_TEXT]);

#endif
