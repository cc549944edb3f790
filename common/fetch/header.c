/* SPDX-License-Identifier: MIT */
#include "fetch/header.h"

#include "base/cleanup.h"

#include <string.h>

int header_read_size(struct reader *r, uint64_t *header_size, struct err *e)
{
    uint8_t prefix[ARCHIVE_PREFIX_SIZE];

    if (reader_read(r, 0, sizeof prefix, prefix, e) < 0)
        return -1;
    if (archive_parse_prefix(prefix, header_size, e) < 0)
        return err_context(e, "%s", r->name);
    if (*header_size > r->size)
        return err_set(e, ERR_ARCHIVE,
                       "%s: its header claims %llu bytes, but the whole archive has "
                       "%llu",
                       r->name, (unsigned long long)*header_size, (unsigned long long)r->size);
    return 0;
}

int header_read_checksum(struct reader *r, uint64_t header_size, uint8_t checksum[CHUNK_HASH_SIZE],
                         struct err *e)
{
    return reader_read(r, header_size - CHUNK_HASH_SIZE, CHUNK_HASH_SIZE, checksum, e);
}

int header_read(struct reader *r, uint64_t header_size, const struct archive_policy *policy,
                struct image *image, struct err *e)
{
    /* archive_parse_prefix has bounded the size. */
    CLEANUP_FREE uint8_t *header = malloc((size_t)header_size);

    if (!header)
        return err_nomem(e, "reading an archive's header");
    /* The prefix once more is 14 bytes; another request for them costs more. */
    if (reader_read(r, 0, (size_t)header_size, header, e) < 0)
        return -1;
    if (archive_parse(header, (size_t)header_size, r->size, policy, image, e) < 0)
        return err_context(e, "%s", r->name);
    header_arm(r, image);
    return 0;
}

void header_arm(struct reader *r, const struct image *image)
{
    r->canary_offset = image->header_size - CHUNK_HASH_SIZE;
    memcpy(r->canary, image->header_checksum, sizeof r->canary);
    r->has_canary = true;
}
