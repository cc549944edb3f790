/* SPDX-License-Identifier: MIT */
#include "fetch/delta_source.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "codec/decoder.h"
#include "format/header_patch.h"

#include <stdlib.h>
#include <string.h>

int delta_source_probe(struct delta_source *s, bool *is_pack, struct err *e)
{
    if (reader_read(s->reader, 0, sizeof s->first, s->first, e) < 0)
        return -1;
    *is_pack = delta_pack_has_magic(s->first, sizeof s->first);
    return 0;
}

static int read_head(struct delta_source *s, size_t size, struct err *e)
{
    size_t have = min_size(size, sizeof s->first);

    s->head = malloc(size);
    if (!s->head)
        return err_nomem(e, "reading a delta pack");
    memcpy(s->head, s->first, have);
    return size == have ? 0 : reader_read(s->reader, have, size - have, s->head + have, e);
}

int delta_source_read(struct delta_source *s, uint64_t most, struct err *e)
{
    struct reader *r = s->reader;
    uint64_t size;

    if (delta_pack_parse_prefix(s->first, &size, e) < 0)
        return err_context(e, "%s", r->name);
    if (size > r->size)
        return err_set(e, ERR_ARCHIVE,
                       "%s: its dictionary claims %llu bytes, but the whole pack has %llu: it is "
                       "cut short",
                       r->name, (unsigned long long)size, (unsigned long long)r->size);
    if (size > most)
        return err_set(e, ERR_ARCHIVE,
                       "%s: its dictionary has %llu bytes, more than the archive can need", r->name,
                       (unsigned long long)size);
    if (read_head(s, (size_t)size, e) < 0)
        return -1;
    if (delta_pack_parse(s->head, (size_t)size, &s->pack, e) < 0)
        return err_context(e, "%s", r->name);
    reader_set_identity(r, size - CHUNK_HASH_SIZE, s->head + size - CHUNK_HASH_SIZE);
    return 0;
}

bool delta_source_is_against(const struct delta_source *s, const struct image *old)
{
    return old->source_size == s->pack.old_source_size &&
           memcmp(old->source_checksum, s->pack.old_source_checksum, CHUNK_HASH_SIZE) == 0;
}

/* Both are one zstd frame, whose output size the dictionary says. */
static int unpack_frame(const uint8_t *in, size_t in_size, size_t plain, uint8_t **out,
                        struct err *e)
{
    const struct decoder_ops *zstd = decoder_ops_of(IMAGE_ZSTD);
    void *state = zstd->open();
    CLEANUP_FREE uint8_t *data = malloc(plain);
    int r;

    if (!state || !data)
        r = err_nomem(e, "reading a delta pack");
    else
        r = zstd->decode(state, in, in_size, data, plain, e);
    if (state)
        zstd->close(state);
    if (r == 0)
        *out = STEAL(data);
    return r;
}

static int apply_patch(const struct delta_source *s, uint8_t **header, struct err *e)
{
    const struct delta_pack *p = &s->pack;
    const struct header_patch_wanted wanted = {.checksum = p->header_checksum,
                                               .header_size = p->header_size,
                                               .archive_size = p->archive_size};
    CLEANUP_FREE uint8_t *patch = NULL;

    if (!p->patch)
        return err_set(e, ERR_ARCHIVE, "it does not have the header of the archive");
    if (unpack_frame(p->patch, p->patch_size, p->patch_plain, &patch, e) < 0)
        return -1;
    return header_patch_apply(&s->old, patch, p->patch_plain, &wanted, header, e);
}

int delta_source_make_header(const struct delta_source *s, uint8_t **header, struct err *e)
{
    return apply_patch(s, header, e) < 0 ? err_context(e, "%s", s->reader->name) : 0;
}

static int decode_list(struct delta_source *s, const struct image *image, struct err *e)
{
    const struct delta_pack *p = &s->pack;
    const struct delta_list_place place = {.deltas_offset = p->deltas_offset,
                                           .pack_size = s->reader->size,
                                           .old_size = s->old.source_size};
    CLEANUP_FREE uint8_t *list = NULL;

    if (memcmp(image->header_checksum, p->header_checksum, CHUNK_HASH_SIZE) != 0)
        return err_set(e, ERR_ARCHIVE, "it was made for another build of the archive");
    if (p->list_plain > delta_list_limit(image))
        return err_set(e, ERR_ARCHIVE,
                       "its list claims %zu bytes, more than its image's chunks can take",
                       p->list_plain);
    if (unpack_frame(p->list, p->list_size, p->list_plain, &list, e) < 0)
        return -1;
    return delta_list_decode(list, p->list_plain, image, &place, &s->list, e);
}

int delta_source_take_list(struct delta_source *s, const struct image *image, struct err *e)
{
    if (decode_list(s, image, e) < 0)
        return err_context(e, "%s", s->reader->name);
    s->ready = true;
    return 0;
}

int delta_source_count(const struct delta_source *s, struct delta_counts *counts, struct err *e)
{
    const struct delta_pack *p = &s->pack;
    CLEANUP_FREE uint8_t *list = NULL;

    if (p->list_plain > LIMIT_DICTIONARY)
        return err_set(e, ERR_ARCHIVE, "%s: its list claims %zu bytes", s->reader->name,
                       p->list_plain);
    if (unpack_frame(p->list, p->list_size, p->list_plain, &list, e) < 0 ||
        delta_list_count(list, p->list_plain, s->reader->size - p->deltas_offset, counts, e) < 0)
        return err_context(e, "%s", s->reader->name);
    return 0;
}

void delta_source_close(struct delta_source *s)
{
    beside_close(&s->beside);
    free(s->head);
    image_free(&s->old);
    delta_list_free(&s->list);
    *s = (struct delta_source){0};
}
