/* SPDX-License-Identifier: MIT */
#include "format/image.h"

#include <stdlib.h>
#include <string.h>

void image_free(struct image *image)
{
    for (size_t i = 0; i < image->metadata_count; i++) {
        free(image->metadata[i].key);
        free(image->metadata[i].value);
    }
    free(image->metadata);
    free(image->application_version);
    chunk_table_free(&image->chunks);
    free(image->order);
    free(image->signatures);
    free(image->signed_header);
    free(image->archive_url);
    free(image->name);
    *image = (struct image){0};
}

int image_set_signatures(struct image *image, const uint8_t *text, size_t size, struct err *e)
{
    uint8_t *copy = NULL;

    while (size > 0 && text[size - 1] == 0)
        size--;
    if (size > 0) {
        copy = malloc(size);
        if (!copy)
            return err_nomem(e, "keeping an archive's signatures");
        memcpy(copy, text, size);
    }
    free(image->signatures);
    image->signatures = copy;
    image->signatures_size = size;
    return 0;
}

const char *image_chunker_name(const struct image *image)
{
    static const char *const names[] = {[IMAGE_BUZHASH] = "BuzHash",
                                        [IMAGE_ROLLSUM] = "RollSum",
                                        [IMAGE_FIXED_SIZE] = "fixed size"};

    return names[image->chunker];
}

uint64_t image_average_chunk_size(const struct image *image)
{
    if (image->chunker == IMAGE_FIXED_SIZE || image->filter_bits >= 32)
        return 0;
    return UINT64_C(2) << image->filter_bits;
}

const struct image_metadata *image_find_metadata(const struct image *image, const char *key)
{
    for (size_t i = 0; i < image->metadata_count; i++)
        if (strcmp(image->metadata[i].key, key) == 0)
            return &image->metadata[i];
    return NULL;
}

bool image_same_source(const struct image *a, const struct image *b)
{
    return a->source_size == b->source_size &&
           memcmp(a->source_checksum, b->source_checksum, CHUNK_HASH_SIZE) == 0;
}
