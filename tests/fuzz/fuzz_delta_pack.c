/* SPDX-License-Identifier: MIT */
/* fuzz_delta_pack: the parts of a delta pack, each with a byte before it:
 *
 *     0   the beginning of a pack, whose size and checksum are set right first
 *     1   a list of deltas, decompressed; before it 4 bytes, u32 little-endian: how many bytes the
 *         deltas have together
 *     2   a header patch, decompressed; before it 4 bytes: the size of the header
 *     3   an archive's header, whose size and checksum are set right first: its patch is made
 *
 * Old image and archive have the chunks of make_table.
 */
#include "fuzz.h"

#include "base/limits.h"
#include "base/text.h"
#include "format/archive.h"
#include "format/delta_list.h"
#include "format/delta_pack.h"
#include "format/header_patch.h"

#include <stdlib.h>
#include <string.h>

#define CHUNKS    6
#define DELTAS_AT 1000
#define OLD_SIZE  (UINT64_C(40) * 1024 * 1024 + 100)

static struct chunk chunks[CHUNKS];
static uint8_t hashes[CHUNKS * CHUNK_HASH_SIZE];
static struct image table;

static void make_table(void)
{
    for (uint32_t i = 0; i < CHUNKS; i++) {
        chunks[i] = (struct chunk){.archive_offset = 2000 + 1000 * i,
                                   .archive_size = 1000,
                                   .source_size = 3000,
                                   .zero = i == 4};
        memset(hashes + i * CHUNK_HASH_SIZE, (int)i + 1, CHUNK_HASH_SIZE);
    }
    table = (struct image){
        .chunks = {.hash_length = CHUNK_HASH_SIZE,
                   .items = chunks,
                   .hashes = hashes,
                   .count = CHUNKS},
    };
}

static void sign(uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    struct chunk_hasher *h = chunk_hasher_new(&e);

    FUZZ_ASSERT(h && chunk_hash(h, data, size - 64, data + size - 64, &e) == 0);
    chunk_hasher_free(h);
}

static void fuzz_beginning(uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    struct delta_pack pack, again;
    uint8_t *bytes;
    uint64_t told;

    if (delta_pack_parse(data, size, &pack, &e) == 0 || size < DELTA_PACK_OVERHEAD)
        return;
    text_put_le64(data + 6, size - DELTA_PACK_OVERHEAD);
    sign(data, size);
    if (delta_pack_parse(data, size, &pack, &e) < 0) {
        FUZZ_ASSERT(e.kind == ERR_ARCHIVE && e.text[0]);
        return;
    }
    FUZZ_ASSERT(pack.deltas_offset == size && pack.header_size <= pack.archive_size);
    FUZZ_ASSERT(pack.list && pack.list >= data && pack.list + pack.list_size <= data + size);
    FUZZ_ASSERT(pack.patch_plain <= pack.header_size);
    FUZZ_ASSERT(delta_pack_encode(&pack, &bytes, &size, &e) == 0);
    FUZZ_ASSERT(delta_pack_parse_prefix(bytes, &told, &e) == 0 && told == size);
    FUZZ_ASSERT(delta_pack_parse(bytes, size, &again, &e) == 0);
    FUZZ_ASSERT(again.list_size == pack.list_size && again.patch_size == pack.patch_size);
    free(bytes);
}

static void check_list(const struct delta_list *list)
{
    uint64_t at = DELTAS_AT, next = 0;

    for (size_t i = 0; i < list->count; i++) {
        const struct delta *d = &list->items[i];

        FUZZ_ASSERT(d->chunk >= next && d->chunk < CHUNKS && d->chunk != 4);
        FUZZ_ASSERT(d->offset == at && d->size > 0 && d->size <= 1000);
        FUZZ_ASSERT(d->first_range + d->range_count <= list->range_count);
        FUZZ_ASSERT(delta_list_base_size(list, d, OLD_SIZE) <= LIMIT_DELTA_BASE);
        at += d->size;
        next = (uint64_t)d->chunk + 1;
    }
    for (size_t i = 0; i < list->range_count; i++)
        FUZZ_ASSERT(list->ranges[i].count > 0 && list->ranges[i].block * DELTA_BLOCK < OLD_SIZE &&
                    (list->ranges[i].block + list->ranges[i].count - 1) * DELTA_BLOCK < OLD_SIZE);
}

static uint32_t get_le32(const uint8_t *data)
{
    return data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16 | (uint32_t)data[3] << 24;
}

/* What is counted without the image, of a list that was taken. */
static void check_counts(const struct delta_list *list, const struct delta_counts *counts)
{
    struct delta_counts expected = {{0}, {0}};

    for (size_t i = 0; i < list->count; i++) {
        expected.deltas[list->items[i].codec]++;
        expected.bytes[list->items[i].codec] += list->items[i].size;
    }
    FUZZ_ASSERT(memcmp(&expected, counts, sizeof expected) == 0);
}

static void fuzz_list(const uint8_t *data, size_t size)
{
    struct delta_list_place place = {DELTAS_AT, DELTAS_AT, OLD_SIZE};
    struct delta_counts counts;
    struct delta_list list;
    struct err e = ERR_INIT;
    uint8_t *again;
    size_t again_size;
    int counted;

    if (size < 4)
        return;
    place.pack_size += get_le32(data);
    counted = delta_list_count(data + 4, size - 4, get_le32(data), &counts, &e);
    if (delta_list_decode(data + 4, size - 4, &table, &place, &list, &e) < 0) {
        FUZZ_ASSERT(e.kind == ERR_ARCHIVE && e.text[0]);
        return;
    }
    check_list(&list);
    FUZZ_ASSERT(counted == 0);
    check_counts(&list, &counts);
    FUZZ_ASSERT(delta_list_encode(&list, &again, &again_size, &e) == 0);
    FUZZ_ASSERT(again_size == size - 4 && memcmp(again, data + 4, again_size) == 0);
    FUZZ_ASSERT(again_size <= delta_list_limit(&table));
    free(again);
    delta_list_free(&list);
}

static void fuzz_patch(const uint8_t *data, size_t size)
{
    static const uint8_t sum[CHUNK_HASH_SIZE];
    struct header_patch_wanted wanted = {sum, 0, 1000000};
    struct err e = ERR_INIT;
    uint8_t *header = NULL;

    if (size < 4)
        return;
    wanted.header_size = get_le32(data) % 4096;
    /* No header has a checksum of zeros. */
    FUZZ_ASSERT(header_patch_apply(&table, data + 4, size - 4, &wanted, &header, &e) < 0);
    FUZZ_ASSERT(e.kind == ERR_ARCHIVE && !header);
}

static void patch_between(const struct image *old, const struct image *new, const uint8_t *header)
{
    struct header_patch_wanted wanted = {new->header_checksum, new->header_size, new->archive_size};
    struct err e = ERR_INIT;
    uint8_t *patch = NULL, *made = NULL;
    size_t size = 0;
    bool works = false;

    FUZZ_ASSERT(header_patch_make(old, new, &patch, &size, &works, &e) == 0);
    if (!works)
        return;
    FUZZ_ASSERT(size <= new->header_size);
    FUZZ_ASSERT(header_patch_apply(old, patch, size, &wanted, &made, &e) == 0);
    FUZZ_ASSERT(memcmp(made, header, (size_t) new->header_size) == 0);
    free(made);
    free(patch);
}

static void fuzz_header(uint8_t *data, size_t size)
{
    struct err e = ERR_INIT;
    struct image image;

    if (size < ARCHIVE_OVERHEAD)
        return;
    text_put_le64(data + 6, size - ARCHIVE_OVERHEAD);
    sign(data, size);
    if (archive_parse(data, size, LIMIT_IMAGE, &image, &e) < 0)
        return;
    patch_between(&table, &image, data);
    patch_between(&image, &image, data);
    image_free(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy;

    make_table();
    if (size < 1)
        return 0;
    /* Of its exact size, so that a sanitizer sees each byte beyond. */
    copy = malloc(size > 1 ? size - 1 : 1);
    if (!copy)
        return 0;
    memcpy(copy, data + 1, size - 1);
    switch (data[0] % 4) {
    case 0:
        fuzz_beginning(copy, size - 1);
        break;
    case 1:
        fuzz_list(copy, size - 1);
        break;
    case 2:
        fuzz_patch(copy, size - 1);
        break;
    default:
        fuzz_header(copy, size - 1);
    }
    free(copy);
    return 0;
}
