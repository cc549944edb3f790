/* SPDX-License-Identifier: MIT */
/* test_archive: headers of archives. The hostile ones that cba.py makes are run through
 * ihop-clone by test-archive-hostile.sh; here is what needs each byte. */
#include "support.h"

#include "base/limits.h"
#include "base/text.h"
#include "format/archive.h"
#include "format/dictionary.pb-c.h"
#include "format/image_builder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t sizes[] = {1000, 2000, 70};

struct header {
    uint8_t *data;
    size_t size;
    uint64_t archive_size;
};

static void put_chunks(struct dict_writer *w, const struct image *image)
{
    for (size_t i = 0; i < image->chunks.count; i++) {
        Ihop__ArchiveChunk c = IHOP__ARCHIVE_CHUNK__INIT;

        c.checksum.data = (uint8_t *)chunk_table_hash(&image->chunks, i);
        c.checksum.len = image->chunks.hash_length;
        c.archive_size = image->chunks.items[i].archive_size;
        c.archive_offset = image->chunks.items[i].archive_offset - image->header_size;
        c.source_size = image->chunks.items[i].source_size;
        dict_put_message(w, 7, &c.base);
    }
}

/* Fills in what depends on the size: offset of the chunk data, checksum. */
static void seal(struct dict_writer *w, uint64_t chunk_bytes, struct header *h)
{
    uint8_t offset[8], sum[CHUNK_HASH_SIZE];

    text_put_le64(w->data + 6, w->size - ARCHIVE_PREFIX_SIZE);
    text_put_le64(offset, w->size + 8 + CHUNK_HASH_SIZE);
    dict_put_raw(w, offset, sizeof offset);
    support_hash(w->data, w->size, sum);
    dict_put_raw(w, sum, sizeof sum);
    assert_false(w->failed);
    *h = (struct header){w->data, w->size, w->size + chunk_bytes};
}

static struct header make_header(const struct image *image)
{
    Ihop__ChunkerParameters p = IHOP__CHUNKER_PARAMETERS__INIT;
    Ihop__ChunkCompression c = IHOP__CHUNK_COMPRESSION__INIT;
    uint8_t prefix[ARCHIVE_PREFIX_SIZE] = "BITA1";
    struct dict_writer w = {0};
    struct header h;

    p.chunk_filter_bits = 15;
    p.chunk_hash_length = (uint32_t)image->chunks.hash_length;
    p.chunking_algorithm = IHOP__CHUNKER_PARAMETERS__ALGORITHM__ROLLSUM;
    c.compression = IHOP__CHUNK_COMPRESSION__TYPE__BROTLI;
    c.compression_level = 6;
    dict_put_raw(&w, prefix, sizeof prefix);
    dict_put_bytes(&w, 1, "test 1", 6);
    dict_put_bytes(&w, 2, image->source_checksum, CHUNK_HASH_SIZE);
    dict_put_number(&w, 3, image->source_size);
    dict_put_message(&w, 4, &p.base);
    dict_put_message(&w, 5, &c.base);
    dict_put_numbers(&w, 6, image->order, image->order_count);
    put_chunks(&w, image);
    seal(&w, image->archive_size - image->header_size, &h);
    return h;
}

static int parse(const struct header *h, struct err *e)
{
    struct image image = {0};
    int r = archive_parse(h->data, h->size, h->archive_size, &image, e);

    image_free(&image);
    return r;
}

static void reads_all(void **state)
{
    struct image source = support_image(sizes, COUNT(sizes), 32), image;
    struct header h = make_header(&source);
    struct err e = ERR_INIT;
    uint64_t size;

    (void)state;
    assert_ok(archive_parse_prefix(h.data, &size, &e), e);
    assert_int_equal(size, h.size);
    assert_ok(archive_parse(h.data, h.size, h.archive_size, &image, &e), e);
    assert_string_equal(image.application_version, "test 1");
    assert_true(image_same_source(&image, &source));
    assert_int_equal(image.chunker, IMAGE_ROLLSUM);
    assert_int_equal(image.filter_bits, 15);
    assert_int_equal(image.compression, IMAGE_BROTLI);
    assert_int_equal(image.compression_level, 6);
    assert_int_equal(image.chunks.hash_length, 32);
    assert_true(image.has_archive);
    assert_int_equal(image.header_size, h.size);
    assert_int_equal(image.archive_size, h.archive_size);
    assert_memory_equal(image.header_checksum, h.data + h.size - 64, 64);
    assert_int_equal(image.chunks.count, COUNT(sizes));
    for (size_t i = 0; i < COUNT(sizes); i++) {
        assert_int_equal(image.chunks.items[i].source_size, sizes[i]);
        assert_int_equal(image.chunks.items[i].archive_size, sizes[i]);
        assert_true(image.chunks.items[i].archive_offset ==
                    source.chunks.items[i].archive_offset - source.header_size + h.size);
        assert_memory_equal(chunk_table_hash(&image.chunks, i), chunk_table_hash(&source.chunks, i),
                            32);
        assert_int_equal(image.order[i], i);
    }
    image_free(&image);
    image_free(&source);
    free(h.data);
}

static void old_magic(void **state)
{
    struct image source = support_image(sizes, COUNT(sizes), 32);
    struct header h = make_header(&source);
    struct err e = ERR_INIT;

    (void)state;
    memcpy(h.data, "\0BITA1", 6);
    support_hash(h.data, h.size - 64, h.data + h.size - 64);
    assert_ok(parse(&h, &e), e);
    image_free(&source);
    free(h.data);
}

static void every_flipped_byte(void **state)
{
    struct image source = support_image(sizes, COUNT(sizes), 32);
    struct header h = make_header(&source);
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < h.size; i++) {
        for (int bit = 0; bit < 8; bit += 7) {
            h.data[i] ^= (uint8_t)(1 << bit);
            if (parse(&h, &e) >= 0 || e.kind != ERR_ARCHIVE)
                fail_msg("byte %zu flipped: accepted, or kind %d", i, (int)e.kind);
            h.data[i] ^= (uint8_t)(1 << bit);
        }
    }
    assert_ok(parse(&h, &e), e);
    image_free(&source);
    free(h.data);
}

static void every_truncation(void **state)
{
    struct image source = support_image(sizes, COUNT(sizes), 32);
    struct header h = make_header(&source);
    struct err e = ERR_INIT;

    (void)state;
    for (size_t size = 0; size < h.size; size++) {
        /* Of its own, so that a sanitizer sees a read beyond it. */
        struct header cut = {malloc(size + 1), size, h.archive_size};

        memcpy(cut.data, h.data, size);
        cut.data = realloc(cut.data, size ? size : 1);
        assert_fails(parse(&cut, &e), e, ERR_ARCHIVE, "cut short");
        free(cut.data);
    }
    image_free(&source);
    free(h.data);
}

static void chunks_must_lie_inside(void **state)
{
    struct image source = support_image(sizes, COUNT(sizes), 32);
    struct header h = make_header(&source);
    struct err e = ERR_INIT;

    (void)state;
    h.archive_size--;
    assert_fails(parse(&h, &e), e, ERR_ARCHIVE, "chunk 2 lies beyond the end of the archive");
    h.archive_size = h.size - 1;
    assert_fails(parse(&h, &e), e, ERR_ARCHIVE, "chunk data offset");
    image_free(&source);
    free(h.data);
}

static void prefixes(void **state)
{
    uint8_t prefix[ARCHIVE_PREFIX_SIZE] = "BITA1";
    struct err e = ERR_INIT;
    uint64_t size = 77;

    (void)state;
    text_put_le64(prefix + 6, LIMIT_DICTIONARY);
    assert_ok(archive_parse_prefix(prefix, &size, &e), e);
    assert_true(size == LIMIT_DICTIONARY + ARCHIVE_OVERHEAD);
    text_put_le64(prefix + 6, LIMIT_DICTIONARY + 1);
    assert_fails(archive_parse_prefix(prefix, &size, &e), e, ERR_ARCHIVE, "claims 67108865 bytes");
    text_put_le64(prefix + 6, UINT64_MAX);
    assert_fails(archive_parse_prefix(prefix, &size, &e), e, ERR_ARCHIVE, "claims 18446744");
    prefix[5] = '2'; /* a later format */
    assert_fails(archive_parse_prefix(prefix, &size, &e), e, ERR_ARCHIVE, "wrong magic");
    memcpy(prefix, "IHOP1", 6);
    assert_fails(archive_parse_prefix(prefix, &size, &e), e, ERR_ARCHIVE, "wrong magic");
    memcpy(prefix, "IHOPD1", 6);
    assert_fails(archive_parse_prefix(prefix, &size, &e), e, ERR_ARCHIVE, "but a delta pack");
}

/* ---- encoding ---- */

static void make_offsets_relative(struct image *image)
{
    for (size_t i = 0; i < image->chunks.count; i++)
        image->chunks.items[i].archive_offset -= image->header_size;
}

/* bita's own headers, read and written again, are the same to the byte. */
static const struct archive_layout as_bita = {.alignment = 1}, aligned = {.alignment = 4096};

static void writes_what_bita_writes(void **state)
{
    static const char *const names[] = {"brotli",   "buzhash", "fixed", "hash16", "lzma",
                                        "metadata", "none",    "zstd",  "demo-v1"};

    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *srcdir = getenv("srcdir");
        uint8_t *archive, *header;
        struct err e = ERR_INIT;
        size_t archive_size, size;
        struct image image;
        uint64_t whole, data_offset;
        char path[4096];

        snprintf(path, sizeof path, "%s/tests/data/%s.cba", srcdir ? srcdir : ".", names[i]);
        archive = support_read_file(path, &archive_size);
        assert_ok(archive_parse_prefix(archive, &whole, &e), e);
        assert_ok(archive_parse(archive, whole, archive_size, &image, &e), e);
        make_offsets_relative(&image);
        assert_ok(archive_encode(&image, &as_bita, &header, &size, &data_offset, &e), e);
        assert_int_equal(size, whole);
        assert_int_equal(data_offset, whole);
        assert_memory_equal(header, archive, size);
        free(header);
        free(archive);
        image_free(&image);
    }
}

/* The first multiple of 4096 that leaves the space. */
static void leaves_space(void **state)
{
    struct image source = support_image(sizes, COUNT(sizes), 32);
    struct archive_layout layout = {.space = 0, .alignment = 1};
    struct err e = ERR_INIT;
    uint64_t data_offset, header_end;
    uint8_t *header;
    size_t size;

    (void)state;
    for (; layout.space < 9000; layout.space += 17) {
        layout.alignment = 4096;
        assert_ok(archive_encode(&source, &layout, &header, &size, &data_offset, &e), e);
        header_end = size;
        assert_int_equal(data_offset % 4096, 0);
        assert_in_range(data_offset - header_end, layout.space, layout.space + 4095);
        free(header);
    }
    image_free(&source);
}

/* Chunk data that begins at a multiple of 4096: read back, all is there. */
static void leaves_a_gap(void **state)
{
    struct image source = support_image(sizes, COUNT(sizes), 32), image;
    struct err e = ERR_INIT;
    uint64_t data_offset, chunk_bytes = source.archive_size - source.header_size;
    uint8_t *header;
    size_t size;

    (void)state;
    make_offsets_relative(&source);
    assert_ok(archive_encode(&source, &aligned, &header, &size, &data_offset, &e), e);
    assert_int_equal(data_offset, 4096);
    assert_in_range(size, ARCHIVE_OVERHEAD, 4096);
    assert_ok(archive_parse(header, size, data_offset + chunk_bytes, &image, &e), e);
    assert_true(image_same_source(&image, &source));
    for (size_t i = 0; i < COUNT(sizes); i++)
        assert_int_equal(image.chunks.items[i].archive_offset,
                         data_offset + source.chunks.items[i].archive_offset);
    image_free(&image);
    assert_fails(archive_parse(header, size, data_offset + chunk_bytes - 1, &image, &e), e,
                 ERR_ARCHIVE, "lies beyond the end");
    free(header);
    image_free(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all),
        cmocka_unit_test(old_magic),
        cmocka_unit_test(every_flipped_byte),
        cmocka_unit_test(every_truncation),
        cmocka_unit_test(chunks_must_lie_inside),
        cmocka_unit_test(prefixes),
        cmocka_unit_test(writes_what_bita_writes),
        cmocka_unit_test(leaves_a_gap),
        cmocka_unit_test(leaves_space),
    };

    return cmocka_run_group_tests_name("archive", tests, NULL, NULL);
}
