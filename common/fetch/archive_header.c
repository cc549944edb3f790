/* SPDX-License-Identifier: MIT */
#include "fetch/archive_header.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "fetch/signature_area.h"

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

/* Whether the image may be the archive's. A release whose signatures do not suffice (any more), or
 * that was altered, is read anew: the archive may have others by now. */
static bool may_be_known(const struct image *image, uint64_t header_size, uint64_t archive_size,
                         const struct trust *trust)
{
    return image->has_archive && image->header_size == header_size &&
           image->archive_size == archive_size && trust_is_signed_release(trust, image);
}

int archive_header_is_of(struct reader *r, const struct archive_header_start *start,
                         const struct trust *trust, const struct image *image, bool *same,
                         struct err *e)
{
    uint8_t checksum[CHUNK_HASH_SIZE];

    *same = false;
    if (!may_be_known(image, start->size, r->size, trust))
        return 0;
    if (reader_read(r, start->size - sizeof checksum, sizeof checksum, checksum, e) < 0)
        return -1;
    if (memcmp(checksum, image->header_checksum, sizeof checksum) != 0)
        return 0;
    if (trust_check_release(trust, image, e) < 0)
        return err_context(e, "%s", r->name);
    note_identity(r, image);
    *same = true;
    return 0;
}

int archive_header_is_told(const struct archive_header_told *told, const struct trust *trust,
                           const struct image *image, bool *same, struct err *e)
{
    *same = may_be_known(image, told->size, told->archive_size, trust) &&
            memcmp(told->checksum, image->header_checksum, CHUNK_HASH_SIZE) == 0;
    if (*same && trust_check_release(trust, image, e) < 0)
        return err_context(e, "%s", told->name);
    return 0;
}

/* A header, and what was read behind it. */
struct header_bytes {
    const uint8_t *data;
    size_t size;
    struct signature_area area;
};

static int add_signatures(struct reader *r, const struct header_bytes *h, const struct trust *trust,
                          struct image *image, struct err *e)
{
    uint64_t data_offset = text_get_le64(h->data + h->size - CHUNK_HASH_SIZE - 8);

    return signature_area_read(r, &h->area, data_offset - h->size, trust->signed_by.keys != NULL,
                               image, e);
}

static int check_trust(struct reader *r, const struct trust *trust, const struct image *image,
                       struct err *e)
{
    return trust_check_image(trust, image, e) < 0 ? err_context(e, "%s", r->name) : 0;
}

/* Parses what the door lets in: by its checksum before, and by its signatures and contents after.
 */
static int parse_trusted(struct reader *r, const struct header_bytes *h, const struct trust *trust,
                         struct image *image, struct err *e)
{
    if (trust_check_header(trust, h->data + h->size - CHUNK_HASH_SIZE, e) < 0 ||
        archive_parse(h->data, h->size, r->size, image, e) < 0)
        return err_context(e, "%s", r->name);
    note_identity(r, image);
    if (add_signatures(r, h, trust, image, e) == 0 && check_trust(r, trust, image, e) == 0 &&
        signed_image_keep_header(image, h->data, e) == 0)
        return 0;
    image_free(image);
    return -1;
}

/* Over a network signatures are read by whoever demands some; of a file they cost nothing. */
static size_t bytes_ahead(const struct reader *r, size_t header_size, const struct trust *trust)
{
    bool wanted = trust->signed_by.keys || !r->settings;

    return wanted ? (size_t)min_u64(r->size - header_size, SIGNATURE_AREA_AHEAD) : 0;
}

int archive_header_read(struct reader *r, const struct archive_header_start *start,
                        const struct trust *trust, struct image *image, struct err *e)
{
    size_t size = (size_t)start->size, have = sizeof start->prefix;
    size_t all = size + bytes_ahead(r, size, trust);
    CLEANUP_FREE uint8_t *header =
        malloc(all); /* archive_parse_prefix has checked that the size is reasonable */

    if (!header)
        return err_nomem(e, "reading an archive's header");
    memcpy(header, start->prefix, have);
    if (reader_read(r, have, all - have, header + have, e) < 0)
        return -1;
    return parse_trusted(r, &(struct header_bytes){header, size, {header + size, all - size}},
                         trust, image, e);
}

int archive_header_confirm(struct reader *r, const struct archive_header_start *start,
                           const uint8_t *header, const struct trust *trust, bool *same,
                           struct image *image, struct err *e)
{
    size_t size = (size_t)start->size, ahead = bytes_ahead(r, size, trust);
    uint64_t at = size - CHUNK_HASH_SIZE;
    uint8_t end[CHUNK_HASH_SIZE + SIGNATURE_AREA_AHEAD];

    *same = false;
    if (reader_read(r, at, CHUNK_HASH_SIZE + ahead, end, e) < 0)
        return -1;
    if (memcmp(end, header + at, CHUNK_HASH_SIZE) != 0)
        return 0;
    *same = true;
    return parse_trusted(r, &(struct header_bytes){header, size, {end + CHUNK_HASH_SIZE, ahead}},
                         trust, image, e);
}

/* The size of an archive is no part of its header, so nothing vouches for it but this: an archive
 * ends with its last chunk. */
static int check_told_size(const struct archive_header_told *told, const struct image *image,
                           struct err *e)
{
    uint64_t end = 0;

    for (size_t i = 0; i < image->chunks.count; i++) {
        const struct chunk *chunk = &image->chunks.items[i];

        end = max_u64(end, chunk->archive_offset + chunk->archive_size);
    }
    if (image->chunks.count == 0 || told->archive_size == end)
        return 0;
    return err_set(e, ERR_ARCHIVE,
                   "it claims that the archive has %llu bytes, whose chunks end at %llu: clone the "
                   "archive itself",
                   (unsigned long long)told->archive_size, (unsigned long long)end);
}

int archive_header_take(const struct archive_header_told *told, const struct trust *trust,
                        struct image *image, struct err *e)
{
    bool is_signed = signature_area_begins(told->signatures, told->signatures_size);

    if (trust_check_header(trust, told->checksum, e) < 0 ||
        archive_parse(told->data, (size_t)told->size, told->archive_size, image, e) < 0)
        return err_context(e, "%s", told->name);
    if (check_told_size(told, image, e) == 0 &&
        image_set_signatures(image, told->signatures, is_signed ? told->signatures_size : 0, e) ==
            0 &&
        trust_check_image(trust, image, e) == 0 &&
        signed_image_keep_header(image, told->data, e) == 0)
        return 0;
    image_free(image);
    return err_context(e, "%s", told->name);
}
