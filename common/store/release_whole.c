/* SPDX-License-Identifier: MIT */
#include "store/release_whole.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "format/facts.h"
#include "format/zero_chunks.h"
#include "store/missing.h"
#include "store/release_load.h"

/* Zero chunks are served without their files. */
static size_t count_lost(const struct image *image, const struct store_missing *m)
{
    size_t count = 0;

    for (size_t i = 0; i < image->chunks.count; i++)
        count += m->missing[i] && !image->chunks.items[i].zero;
    return count;
}

static uint64_t version_of(const struct image *image)
{
    struct facts facts;
    struct err ignored = ERR_INIT;

    return facts_read(image, &facts, &ignored) == 0 ? facts.version : 0;
}

int store_release_whole(const struct store *store, const char *name, struct release_whole *whole,
                        struct err *e)
{
    CLEANUP(image_free) struct image image = {0};
    CLEANUP(store_missing_free) struct store_missing m = {0};
    size_t lost;

    if (store_release_find(store, name, &image, NULL, e) < 0)
        return -1;
    /* Releases of ihop 0.1 do not say which chunks are zero. */
    if ((!image.has_archive && zero_chunks_find(&image, e) < 0) ||
        store_find_missing(store, &image.chunks, STORE_CHECK_READABLE, NULL, NULL, &m, e) < 0)
        return -1;
    lost = count_lost(&image, &m);
    if (lost + m.denied_count > 0)
        return err_set(e, lost ? ERR_NOT_FOUND : ERR_IO,
                       "release %s/%s is not whole: %zu of %zu chunks %s", store_path(store), name,
                       lost ? lost : m.denied_count, image.chunks.count,
                       lost ? "are missing or have the wrong size (ihop-store verify --repair)"
                            : "may not be read by this user");
    text_hex(image.source_checksum, CHUNK_HASH_SIZE, whole->id);
    whole->version = version_of(&image);
    return 0;
}
