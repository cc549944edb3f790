/* SPDX-License-Identifier: MIT */
#include "fetch/trust.h"

#include <string.h>

int trust_check_header(const struct trust *t, const uint8_t checksum[CHUNK_HASH_SIZE],
                       struct err *e)
{
    if (!t->pinned_checksum || memcmp(checksum, t->pinned_checksum, CHUNK_HASH_SIZE) == 0)
        return 0;
    return err_set(e, ERR_ARCHIVE,
                   "its header checksum is not the one demanded by --verify-header");
}

/* What to do about hashes that are too short depends on why longer ones are needed. */
static const char *remedy_for_short(size_t needed)
{
    return needed <= LIMIT_HASH_TRUSTED ? " (make the archive with --hash-length 64, or pass "
                                          "--allow-short-hash)"
                                        : " with a pinned header";
}

int trust_check_image(const struct trust *t, const struct image *image, struct err *e)
{
    if (trust_check_header(t, image->header_checksum, e) < 0)
        return -1;
    if (image->chunks.hash_length >= t->min_hash_length)
        return 0;
    return err_set(
        e, ERR_ARCHIVE, "the chunk hashes have %zu bytes; %zu are needed to trust them%s",
        image->chunks.hash_length, t->min_hash_length, remedy_for_short(t->min_hash_length));
}
