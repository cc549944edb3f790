/* SPDX-License-Identifier: MIT */
/* fuzz_signed_release: the input is a release in a store that an attacker can write; its size and
 * checksum are set right first. All that the one trusted key has ever signed are archives of one
 * image (signed_archive in tests/lib/ihopformat/corpus.py), so what is accepted is that image. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "format/release.h"
#include "signature/signed_image.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t trusted[PUBLIC_KEY_SIZE] = {
    0x4c, 0xb5, 0xab, 0xf6, 0xad, 0x79, 0xfb, 0xf5, 0xab, 0xbc, 0xca, 0xfc, 0xc2, 0x69, 0xd8, 0x5c,
    0xd2, 0x65, 0x1e, 0xd4, 0xb8, 0x85, 0xb5, 0x86, 0x9f, 0x24, 0x1a, 0xed, 0xf0, 0xa5, 0xba, 0x29,
};

/* BLAKE2b-512 of the image's chunks in its order, each by its hash and its size as u64. */
static const uint8_t signed_content[CHUNK_HASH_SIZE] = {
    0xca, 0x93, 0x56, 0x3a, 0x63, 0xc5, 0x4c, 0xfe, 0x12, 0x69, 0xf0, 0x5a, 0x7a, 0x7a, 0x72, 0xbc,
    0x22, 0x13, 0x22, 0x70, 0x51, 0x9b, 0xed, 0x4a, 0xcd, 0xff, 0xfa, 0x53, 0xcb, 0x24, 0x01, 0xef,
    0x5f, 0x17, 0x25, 0x82, 0xdc, 0x20, 0xe5, 0x53, 0x61, 0x95, 0xf8, 0xee, 0xea, 0x01, 0x14, 0xa2,
    0x0b, 0xc4, 0x88, 0x88, 0xc0, 0xad, 0xea, 0x2a, 0x73, 0x55, 0x52, 0x78, 0x68, 0x52, 0x24, 0xe1,
};

static void hash_content(struct chunk_hasher *h, const struct image *image,
                         uint8_t sum[CHUNK_HASH_SIZE])
{
    struct err e = ERR_INIT;
    uint8_t size[8];

    FUZZ_ASSERT(chunk_hash_begin(h, &e) == 0);
    for (size_t i = 0; i < image->order_count; i++) {
        uint32_t chunk = image->order[i];

        text_put_le64(size, image->chunks.items[chunk].source_size);
        FUZZ_ASSERT(chunk_hash_update(h, chunk_table_hash(&image->chunks, chunk),
                                      image->chunks.hash_length, &e) == 0 &&
                    chunk_hash_update(h, size, sizeof size, &e) == 0);
    }
    FUZZ_ASSERT(chunk_hash_end(h, sum, &e) == 0);
}

/* Zero chunks are served without a look at their files. */
static void check_zero_chunks(struct chunk_hasher *h, const struct image *image)
{
    static const uint8_t zeros[100];
    struct err e = ERR_INIT;
    uint8_t sum[CHUNK_HASH_SIZE];

    for (size_t i = 0; i < image->chunks.count; i++) {
        uint32_t size = image->chunks.items[i].source_size;

        if (!image->chunks.items[i].zero)
            continue;
        FUZZ_ASSERT(size <= sizeof zeros && chunk_hash(h, zeros, size, sum, &e) == 0);
        FUZZ_ASSERT(memcmp(sum, chunk_table_hash(&image->chunks, i), image->chunks.hash_length) ==
                    0);
    }
}

static void judge_release(const uint8_t *data, size_t size, struct chunk_hasher *h)
{
    CLEANUP(key_set_free) struct key_set set = {0};
    struct signature_demand demand = {.keys = &set};
    struct public_key key = {.id = {1}};
    struct err e = ERR_INIT;
    uint8_t sum[CHUNK_HASH_SIZE];
    struct image image;

    memcpy(key.bytes, trusted, sizeof key.bytes);
    FUZZ_ASSERT(key_set_add_key(&set, &key, "key", &e) == 0);
    if (release_parse(data, size, &image, &e) < 0)
        return;
    if (signed_image_check_release(&image, "v1", &demand, &e) == 0) {
        FUZZ_ASSERT(image.source_size == 400);
        hash_content(h, &image, sum);
        FUZZ_ASSERT(memcmp(sum, signed_content, sizeof sum) == 0);
        check_zero_chunks(h, &image);
    } else {
        FUZZ_ASSERT((e.kind == ERR_ARCHIVE || e.kind == ERR_DAMAGED) && e.text[0]);
    }
    image_free(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    struct chunk_hasher *h = chunk_hasher_new(&e);
    uint8_t *copy = malloc(size + 1);

    FUZZ_ASSERT(h);
    if (copy && size >= RELEASE_OVERHEAD) {
        memcpy(copy, data, size);
        text_put_le64(copy + 6, size - RELEASE_OVERHEAD);
        FUZZ_ASSERT(
            chunk_hash(h, copy, size - CHUNK_HASH_SIZE, copy + size - CHUNK_HASH_SIZE, &e) == 0);
        judge_release(copy, size, h);
    }
    free(copy);
    chunk_hasher_free(h);
    return 0;
}
