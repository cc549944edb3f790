/* SPDX-License-Identifier: MIT */
/* fuzz_release: release_parse reads the input, whose size and checksum are set right first. */
#include "fuzz.h"

#include "base/text.h"
#include "format/chunk_map.h"
#include "format/release.h"

#include <stdlib.h>
#include <string.h>

static void sign(uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    struct chunk_hasher *h = chunk_hasher_new(&e);

    text_put_le64(data + 6, size - RELEASE_OVERHEAD);
    FUZZ_ASSERT(h && chunk_hash(h, data, size - 64, data + size - 64, &e) == 0);
    chunk_hasher_free(h);
}

/* The map that the plugin serves from must cover the image. */
static void check_map(const struct image *image)
{
    struct err e = ERR_INIT;
    struct chunk_map map;

    FUZZ_ASSERT(chunk_map_init(&map, image, &e) == 0);
    FUZZ_ASSERT(map.starts[map.count] == image->source_size);
    if (image->source_size > 0)
        FUZZ_ASSERT(chunk_map_find(&map, image->source_size - 1) == map.count - 1);
    chunk_map_free(&map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    struct image image;
    uint8_t *copy = malloc(size + 1), *again;
    size_t again_size;

    if (!copy)
        return 0;
    memcpy(copy, data, size);
    if (release_parse(copy, size, &image, &e) == 0)
        image_free(&image);
    if (size >= RELEASE_OVERHEAD) {
        sign(copy, size);
        if (release_parse(copy, size, &image, &e) == 0) {
            check_map(&image);
            FUZZ_ASSERT(release_encode(&image, &again, &again_size, &e) == 0);
            image_free(&image);
            FUZZ_ASSERT(release_parse(again, again_size, &image, &e) == 0);
            free(again);
            image_free(&image);
        } else {
            FUZZ_ASSERT(e.kind == ERR_DAMAGED && e.text[0]);
        }
    }
    free(copy);
    return 0;
}
