/* SPDX-License-Identifier: MIT */
#include "fetch/trust.h"

#include "format/facts.h"

#include <stdio.h>
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

static int check_hash_length(const struct trust *t, const struct image *image, struct err *e)
{
    if (image->chunks.hash_length >= t->min_hash_length)
        return 0;
    return err_set(
        e, ERR_ARCHIVE, "the chunk hashes have %zu bytes; %zu are needed to trust them%s",
        image->chunks.hash_length, t->min_hash_length, remedy_for_short(t->min_hash_length));
}

static int check_device_type(const struct trust *t, const struct facts *f, struct err *e)
{
    char types[FACTS_TYPES_TEXT];

    if (!t->compatible || facts_is_for(f, t->compatible))
        return 0;
    if (!f->has_compatible)
        return err_set(e, ERR_ARCHIVE,
                       "it does not say which devices it is for, and this one has the type '%s': "
                       "make it with ihop-compress --compatible '%s'",
                       t->compatible, t->compatible);
    return err_set(e, ERR_ARCHIVE, "it is for devices of the type %s, and this one is '%s'",
                   facts_types_text(f, types), t->compatible);
}

/* "its version 3", or that it has none, which counts as 0. */
static const char *version_text(const struct facts *f, char text[64])
{
    if (f->has_version)
        snprintf(text, 64, "its version %llu", (unsigned long long)f->version);
    else
        snprintf(text, 64, "it has no version, which");
    return text;
}

static int check_version(const struct trust *t, const struct facts *f, const struct image *image,
                         struct err *e)
{
    char version[64];

    if (f->version < t->minimum)
        return err_set(e, ERR_ARCHIVE,
                       "%s is below %llu, the minimum that this store has accepted: such an image "
                       "is refused for ever (ihop-store minimum tells)",
                       version_text(f, version), (unsigned long long)t->minimum);
    if (f->version >= t->newest || t->allow_downgrade ||
        (t->installed_checksum &&
         memcmp(image->header_checksum, t->installed_checksum, CHUNK_HASH_SIZE) == 0))
        return 0;
    return err_set(e, ERR_ARCHIVE,
                   "%s is lower than %llu, the version of release %s: pass --allow-downgrade to "
                   "install it all the same",
                   version_text(f, version), (unsigned long long)t->newest,
                   t->newest_release ? t->newest_release : "that is installed");
}

/* What does not depend on where the description of the image comes from. */
static int check_contents(const struct trust *t, const struct image *image, struct err *e)
{
    struct facts f;

    if (check_hash_length(t, image, e) < 0)
        return -1;
    if (t->any)
        return 0;
    if (facts_read(image, &f, e) < 0 || check_device_type(t, &f, e) < 0)
        return -1;
    return check_version(t, &f, image, e);
}

int trust_check_image(const struct trust *t, const struct image *image, struct err *e)
{
    if (trust_check_header(t, image->header_checksum, e) < 0 ||
        signed_image_check(image, &t->signed_by, e) < 0)
        return -1;
    return check_contents(t, image, e);
}

bool trust_is_signed_release(const struct trust *t, const struct image *image)
{
    struct err ignored = ERR_INIT;

    return signed_image_check_release(image, NULL, &t->signed_by, &ignored) == 0;
}

int trust_check_release(const struct trust *t, const struct image *image, struct err *e)
{
    return trust_check_header(t, image->header_checksum, e) < 0 ? -1 : check_contents(t, image, e);
}
