/* SPDX-License-Identifier: MIT */
#include "signature/signed_image.h"

#include "base/cleanup.h"
#include "base/limits.h"
#include "format/archive.h"
#include "format/release.h"
#include "signature/signed_by.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A signature is worth as much as the chunk hashes below it: with short ones, whoever had an image
 * signed could have made another one with the same hashes. */
static int check_signed_hashes(const struct image *image, struct err *e)
{
    if (image->chunks.hash_length >= LIMIT_HASH_PINNED)
        return 0;
    return err_set(e, ERR_ARCHIVE,
                   "the chunk hashes have %zu bytes; %d are needed below a signature (make the "
                   "archive with --hash-length 64)",
                   image->chunks.hash_length, LIMIT_HASH_PINNED);
}

int signed_image_check(const struct image *image, const struct signature_demand *demand,
                       struct err *e)
{
    struct signed_by by;

    if (!demand->keys)
        return 0;
    if (check_signed_hashes(image, e) < 0 ||
        signed_by_find(image->header_checksum, image->signatures, image->signatures_size,
                       demand->keys, &by, e) < 0)
        return -1;
    return signed_by_demand(&by, demand->keys, demand->needed, e);
}

static int is_altered(struct err *e)
{
    return err_set(e, ERR_DAMAGED,
                   "the release does not say what the header of its archive said: it was altered; "
                   "clone it again");
}

/* The header that the release claims to come from: the one that it keeps, or one made of what it
 * says. *header is NULL when that is another one than its checksum tells. */
static int find_header(const struct image *image, uint8_t **header, struct err *e)
{
    bool same;

    if (!image->signed_header)
        return archive_rebuild_header(image, header, &same, e);
    *header = malloc(image->header_size);
    if (!*header)
        return err_nomem(e, "checking a release");
    memcpy(*header, image->signed_header, image->header_size);
    return 0;
}

/* Which chunks are zeros follows from their hashes, and is only ever known to be so: a release of
 * another version of this program may know it of fewer chunks. */
static void forget_zeros(struct image *header, const struct image *release)
{
    for (size_t i = 0; i < header->chunks.count && i < release->chunks.count; i++)
        header->chunks.items[i].zero &= release->chunks.items[i].zero;
}

/* Whether both are the same release: the second has from the first what no header says. */
static int compare_releases(const struct image *release, struct image *header, struct err *e)
{
    struct image lent = *header;
    CLEANUP_FREE uint8_t *a = NULL, *b = NULL;
    size_t a_size, b_size;

    forget_zeros(header, release);
    lent.signatures = release->signatures;
    lent.signatures_size = release->signatures_size;
    lent.signed_header = release->signed_header;
    lent.archive_url = release->archive_url;
    lent.archive_url_lacks = release->archive_url_lacks;
    lent.name = release->name;
    if (release_encode(release, &a, &a_size, e) < 0 || release_encode(&lent, &b, &b_size, e) < 0)
        return -1;
    return a_size == b_size && memcmp(a, b, a_size) == 0 ? 0 : is_altered(e);
}

/* Whether the release says what a header says that has the checksum which it records. */
static int check_against_header(const struct image *image, struct err *e)
{
    CLEANUP(image_free) struct image said = {0};
    CLEANUP_FREE uint8_t *header = NULL;
    struct err why = ERR_INIT;

    if (find_header(image, &header, e) < 0)
        return -1;
    if (!header ||
        archive_parse(header, image->header_size, image->archive_size, &said, &why) < 0) {
        if (why.kind != ERR_MEMORY)
            return is_altered(e);
        *e = why;
        return -1;
    }
    if (memcmp(said.header_checksum, image->header_checksum, CHUNK_HASH_SIZE) != 0)
        return is_altered(e);
    return compare_releases(image, &said, e);
}

static int check_name(const struct image *image, const char *name, struct err *e)
{
    if (!name || (image->name && strcmp(image->name, name) == 0))
        return 0;
    if (!image->name)
        return err_set(e, ERR_ARCHIVE,
                       "the release does not record its name, as those of this version do: clone "
                       "it again");
    return err_set(e, ERR_ARCHIVE,
                   "this release was published as '%s' and has been renamed or copied: clone it "
                   "again under this name",
                   image->name);
}

int signed_image_check_release(const struct image *image, const char *name,
                               const struct signature_demand *demand, struct err *e)
{
    if (!demand->keys)
        return 0;
    if (!image->has_archive)
        return err_set(
            e, ERR_ARCHIVE,
            "a release of ihop 0.1 records nothing that could be signed: clone it again");
    if (signed_image_check(image, demand, e) < 0 || check_name(image, name, e) < 0)
        return -1;
    return check_against_header(image, e);
}

int signed_image_keep_header(struct image *image, const uint8_t *header, struct err *e)
{
    CLEANUP_FREE uint8_t *again = NULL;
    bool same;

    free(image->signed_header);
    image->signed_header = NULL;
    if (!image->signatures)
        return 0;
    if (archive_rebuild_header(image, &again, &same, e) < 0)
        return -1;
    if (same)
        return 0;
    image->signed_header = malloc(image->header_size);
    if (!image->signed_header)
        return err_nomem(e, "keeping an archive's header");
    memcpy(image->signed_header, header, image->header_size);
    return 0;
}
