/* SPDX-License-Identifier: MIT */
#include "fetch/archive_header.h"

#include "base/cleanup.h"

#include <string.h>

int archive_header_read_start(struct reader *r, struct archive_header_start *start, struct err *e)
{
    if (reader_read(r, 0, sizeof start->prefix, start->prefix, e) < 0)
        return -1;
    if (archive_parse_prefix(start->prefix, &start->size, e) < 0)
        return err_context(e, "%s", r->name);
    if (start->size > r->size)
        return err_set(e, ERR_ARCHIVE,
                       "%s: its header claims %llu bytes, but the whole archive has %llu: it is "
                       "cut short; upload it again",
                       r->name, (unsigned long long)start->size, (unsigned long long)r->size);
    return 0;
}

static void note_identity(struct reader *r, const struct image *image)
{
    reader_set_identity(r, image->header_size - CHUNK_HASH_SIZE, image->header_checksum);
}

int archive_header_is_of(struct reader *r, const struct archive_header_start *start,
                         const struct trust *trust, const struct image *image, bool *same,
                         struct err *e)
{
    uint8_t checksum[CHUNK_HASH_SIZE];

    *same = false;
    if (!image->has_archive || image->header_size != start->size || image->archive_size != r->size)
        return 0;
    if (reader_read(r, start->size - sizeof checksum, sizeof checksum, checksum, e) < 0)
        return -1;
    if (memcmp(checksum, image->header_checksum, sizeof checksum) != 0)
        return 0;
    if (trust_check_image(trust, image, e) < 0)
        return err_context(e, "%s", r->name);
    note_identity(r, image);
    *same = true;
    return 0;
}

/* Parses what the door lets in: by its checksum before, and by its contents after. */
static int parse_trusted(const uint8_t *header, size_t size, uint64_t archive_size,
                         const struct trust *trust, struct image *image, struct err *e)
{
    if (trust_check_header(trust, header + size - CHUNK_HASH_SIZE, e) < 0 ||
        archive_parse(header, size, archive_size, image, e) < 0)
        return -1;
    if (trust_check_image(trust, image, e) == 0)
        return 0;
    image_free(image);
    return -1;
}

int archive_header_read(struct reader *r, const struct archive_header_start *start,
                        const struct trust *trust, struct image *image, struct err *e)
{
    size_t size = (size_t)start->size, have = sizeof start->prefix;
    CLEANUP_FREE uint8_t *header =
        malloc(size); /* archive_parse_prefix has checked that the size is reasonable */

    if (!header)
        return err_nomem(e, "reading an archive's header");
    memcpy(header, start->prefix, have);
    if (reader_read(r, have, size - have, header + have, e) < 0)
        return -1;
    if (parse_trusted(header, size, r->size, trust, image, e) < 0)
        return err_context(e, "%s", r->name);
    note_identity(r, image);
    return 0;
}
