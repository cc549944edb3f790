/* SPDX-License-Identifier: MIT */
#include "compress/delta_front.h"

#include "base/cleanup.h"
#include "codec/encoder.h"
#include "format/delta_pack.h"
#include "format/header_patch.h"

#include <stdlib.h>
#include <string.h>

#define LEVEL 19

/* Both parts, as they are before they are compressed. */
struct plain_parts {
    uint8_t *patch, *list; /* patch is NULL when there is none */
    size_t patch_size, list_size;
};

/* Compresses to a zstd frame, even if that is larger. The caller frees *frame. */
static int make_frame(const uint8_t *data, size_t size, uint8_t **frame, size_t *frame_size,
                      struct err *e)
{
    size_t capacity = size + size / 128 + 1024;
    CLEANUP_FREE uint8_t *out = malloc(capacity);
    void *state = zstd_encoder.open();
    enum encoded result = ENCODED_FAILED;

    if (out && state)
        result = zstd_encoder.encode(state, LEVEL, data, size, out, capacity, frame_size);
    if (state)
        zstd_encoder.close(state);
    if (result != ENCODED_FITS)
        return err_nomem(e, "compressing a pack's dictionary");
    *frame = STEAL(out);
    return 0;
}

static int encode_front(const struct image *old, const struct image *new,
                        const struct plain_parts *plain, struct delta_front *front, struct err *e)
{
    struct delta_pack pack = {.old_source_size = old->source_size,
                              .header_size = new->header_size,
                              .archive_size = new->archive_size,
                              .patch_plain = plain->patch_size,
                              .list_plain = plain->list_size,
                              .signatures = new->signatures,
                              .signatures_size = new->signatures_size};
    CLEANUP_FREE uint8_t *patch = NULL;
    CLEANUP_FREE uint8_t *list = NULL;

    if ((plain->patch &&
         make_frame(plain->patch, plain->patch_size, &patch, &pack.patch_size, e) < 0) ||
        make_frame(plain->list, plain->list_size, &list, &pack.list_size, e) < 0)
        return -1;
    memcpy(pack.old_source_checksum, old->source_checksum, CHUNK_HASH_SIZE);
    memcpy(pack.header_checksum, new->header_checksum, CHUNK_HASH_SIZE);
    pack.patch = patch;
    pack.list = list;
    front->has_patch = patch != NULL;
    return delta_pack_encode(&pack, &front->data, &front->size, e);
}

int delta_front_make(const struct image *old, const struct image *new,
                     const struct delta_list *list, struct delta_front *front, struct err *e)
{
    struct plain_parts plain = {.patch = NULL};
    bool works;
    int r = header_patch_make(old, new, &plain.patch, &plain.patch_size, &works, e);

    *front = (struct delta_front){.data = NULL};
    if (r == 0)
        r = delta_list_encode(list, &plain.list, &plain.list_size, e);
    if (r == 0)
        r = encode_front(old, new, &plain, front, e);
    free(plain.patch);
    free(plain.list);
    return r;
}
