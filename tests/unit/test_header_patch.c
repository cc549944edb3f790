/* SPDX-License-Identifier: MIT */
/* test_header_patch: headers come out of an older table and a patch, or not at all. */
#include "support.h"

#include "base/limits.h"
#include "format/archive.h"
#include "format/columns.h"
#include "format/header_patch.h"

#include <stdlib.h>
#include <string.h>

/* A made-up archive: its chunks are numbers of contents, of which follow size and hash. */
struct contents {
    uint32_t numbers[400];
    size_t count;
    uint32_t order[800]; /* numbers in the table */
    size_t order_count;
    size_t hash_length;
    uint32_t level;  /* of compression: changes sizes in the archive */
    bool scattered;  /* chunks do not lie in the order of the table */
    size_t metadata; /* entries */
};

struct made {
    struct image image;
    uint8_t *header;
    size_t size;
};

static void add_content(struct image *image, uint32_t number, uint32_t level, struct err *e)
{
    uint64_t seed = number;
    uint8_t hash[CHUNK_HASH_SIZE];
    struct chunk chunk = {.source_size = 16384 + support_random(&seed) % 200000};

    chunk.archive_size = chunk.source_size / 2 - support_random(&seed) % 8000 - level;
    support_fill(hash, sizeof hash, seed);
    assert_ok(chunk_table_append(&image->chunks, hash, &chunk, e), *e);
}

/* Their offsets count from the chunk data. Returns the data's size. */
static uint64_t place_contents(struct image *image, bool scattered)
{
    uint64_t at = 0;

    for (size_t n = 0; n < image->chunks.count; n++) {
        size_t i = scattered ? image->chunks.count - 1 - n : n;

        image->chunks.items[i].archive_offset = at;
        at += image->chunks.items[i].archive_size;
    }
    return at;
}

static void add_metadata(struct image *image, size_t count)
{
    image->metadata = calloc(count + 1, sizeof *image->metadata);
    assert_non_null(image->metadata);
    for (size_t i = 0; i < count; i++)
        image->metadata[image->metadata_count++] =
            (struct image_metadata){strdup("key"), (uint8_t *)strdup("value"), 5};
}

static void make_archive(const struct contents *c, struct made *made)
{
    const struct archive_layout layout = {100, 64};
    struct err e = ERR_INIT;
    struct image image = {
        .application_version = strdup("test"),
        .filter_bits = 15,
        .min_chunk_size = 16384,
        .max_chunk_size = 1 << 24,
        .window_size = 64,
        .chunker = IMAGE_ROLLSUM,
        .compression = IMAGE_ZSTD,
        .compression_level = c->level,
        .chunks = {.hash_length = c->hash_length},
        .order = calloc(c->order_count + 1, sizeof *image.order),
        .order_count = c->order_count,
    };
    uint64_t bytes, data_offset;

    for (size_t i = 0; i < c->count; i++)
        add_content(&image, c->numbers[i], c->level, &e);
    for (size_t i = 0; i < c->order_count; i++) {
        image.order[i] = c->order[i];
        image.source_size += image.chunks.items[c->order[i]].source_size;
    }
    support_fill(image.source_checksum, CHUNK_HASH_SIZE, c->count + c->level);
    bytes = place_contents(&image, c->scattered);
    add_metadata(&image, c->metadata);
    assert_ok(archive_encode(&image, &layout, &made->header, &made->size, &data_offset, &e), e);
    image_free(&image);
    assert_ok(archive_parse(made->header, made->size, data_offset + bytes, &made->image, &e), e);
}

static void free_made(struct made *made)
{
    image_free(&made->image);
    free(made->header);
}

/* Contents first .. first + count - 1, in order. */
static void in_order(struct contents *c, uint32_t first, size_t count)
{
    *c = (struct contents){.count = count, .order_count = count, .hash_length = 64};
    for (uint32_t i = 0; i < count; i++) {
        c->numbers[i] = first + i;
        c->order[i] = i;
    }
}

static void swap_numbers(struct contents *c, size_t a, size_t b)
{
    uint32_t t = c->numbers[a];

    c->numbers[a] = c->numbers[b];
    c->numbers[b] = t;
}

/* Returns the patch's size. */
static size_t assert_works(const struct contents *old, const struct contents *new)
{
    struct made a, b;
    struct header_patch_wanted wanted;
    struct err e = ERR_INIT;
    uint8_t *patch = NULL, *header = NULL;
    size_t size = 0;
    bool works = false;

    make_archive(old, &a);
    make_archive(new, &b);
    assert_ok(header_patch_make(&a.image, &b.image, &patch, &size, &works, &e), e);
    assert_true(works);
    wanted = (struct header_patch_wanted){b.image.header_checksum, b.size, b.image.archive_size};
    assert_ok(header_patch_apply(&a.image, patch, size, &wanted, &header, &e), e);
    assert_memory_equal(header, b.header, b.size);
    free(header);
    free(patch);
    free_made(&a);
    free_made(&b);
    return size;
}

static void headers_come_out(void **state)
{
    struct contents old, new;

    (void)state;
    in_order(&old, 1, 300);
    in_order(&new, 1, 300);
    assert_in_range(assert_works(&old, &new), 1300, 1320);
    in_order(&new, 10, 300);
    /* 9 new chunks of 64 + 8 bytes. */
    assert_in_range(assert_works(&old, &new), 1800, 2000);
    in_order(&new, 400, 300);
    assert_works(&old, &new);
    in_order(&new, 1, 0);
    assert_works(&old, &new);
    assert_works(&new, &old);
    assert_works(&new, &new);
    in_order(&new, 1, 300);
    new.metadata = 7;
    new.level = 3;
    new.scattered = true;
    assert_works(&old, &new);
    for (size_t i = 0; i + 7 < new.count; i += 3)
        swap_numbers(&new, i, i + 7);
    assert_works(&old, &new);
}

static void other_hash_lengths(void **state)
{
    struct contents old, new;
    size_t same, other;

    (void)state;
    in_order(&old, 1, 200);
    in_order(&new, 5, 200);
    old.hash_length = new.hash_length = 32;
    same = assert_works(&old, &new);
    old.hash_length = 64;
    other = assert_works(&old, &new);
    assert_in_range(other, same + 196 * 32, same + 196 * 64);
    old.hash_length = 16;
    new.hash_length = 64;
    assert_works(&old, &new);
    old.hash_length = new.hash_length = 4;
    assert_works(&old, &new);
}

static void orders(void **state)
{
    struct contents old, new;

    (void)state;
    in_order(&old, 1, 100);
    in_order(&new, 3, 100);
    new.order_count = 0;
    for (uint32_t i = 0; i < 100; i++) {
        new.order[new.order_count++] = i;
        new.order[new.order_count++] = i % 7 ? 0 : 99; /* repeated, and before its turn */
    }
    assert_works(&old, &new);
    for (uint32_t i = 0; i < 100; i++)
        new.order[i] = 99 - i;
    new.order_count = 100;
    assert_works(&old, &new);
}

/* A release by ihop 0.1 has no places and sizes in the archive. */
static void old_without_archive(void **state)
{
    struct contents c;
    struct made a, b;
    struct header_patch_wanted wanted;
    struct err e = ERR_INIT;
    uint8_t *patch = NULL, *header = NULL;
    size_t size = 0;
    bool works = false;

    (void)state;
    in_order(&c, 1, 100);
    make_archive(&c, &a);
    in_order(&c, 6, 100);
    make_archive(&c, &b);
    a.image.has_archive = false;
    a.image.archive_size = a.image.header_size = 0;
    for (size_t i = 0; i < a.image.chunks.count; i++)
        a.image.chunks.items[i].archive_offset = a.image.chunks.items[i].archive_size = 0;
    assert_ok(header_patch_make(&a.image, &b.image, &patch, &size, &works, &e), e);
    assert_true(works);
    wanted = (struct header_patch_wanted){b.image.header_checksum, b.size, b.image.archive_size};
    assert_ok(header_patch_apply(&a.image, patch, size, &wanted, &header, &e), e);
    assert_memory_equal(header, b.header, b.size);
    free(header);
    free(patch);
    free_made(&a);
    free_made(&b);
}

static void headers_of_others_do_not(void **state)
{
    struct contents c;
    struct made a, b;
    struct err e = ERR_INIT;
    uint8_t *patch = NULL;
    size_t size = 99;
    bool works = true;

    (void)state;
    in_order(&c, 1, 100);
    make_archive(&c, &a);
    make_archive(&c, &b);
    /* As if another writer's header had led to this image. */
    b.image.header_checksum[63] ^= 1;
    assert_ok(header_patch_make(&a.image, &b.image, &patch, &size, &works, &e), e);
    assert_false(works);
    assert_null(patch);
    b.image.header_checksum[63] ^= 1;
    b.image.header_size++;
    assert_ok(header_patch_make(&a.image, &b.image, &patch, &size, &works, &e), e);
    assert_false(works);
    free_made(&a);
    free_made(&b);
}

/* Headers that say what no image keeps: a chunk twice, and one that nobody uses. */
static void unusual_headers_do_not(void **state)
{
    struct contents c;
    struct made a, b;
    struct err e = ERR_INIT;
    uint8_t *patch = NULL;
    size_t size = 99;
    bool works = true;

    (void)state;
    in_order(&c, 1, 100);
    make_archive(&c, &a);
    c.numbers[50] = c.numbers[20];
    make_archive(&c, &b);
    assert_ok(header_patch_make(&a.image, &b.image, &patch, &size, &works, &e), e);
    assert_false(works);
    free_made(&b);
    in_order(&c, 1, 100);
    c.order_count--;
    make_archive(&c, &b);
    works = true;
    assert_ok(header_patch_make(&a.image, &b.image, &patch, &size, &works, &e), e);
    assert_false(works);
    assert_null(patch);
    free_made(&a);
    free_made(&b);
}

/* Another table than the patch is for. */
static void other_tables(void **state)
{
    struct contents c;
    struct made a, b, other;
    struct header_patch_wanted wanted;
    struct err e = ERR_INIT;
    uint8_t *patch = NULL, *header = NULL;
    size_t size = 0;
    bool works = false;

    (void)state;
    in_order(&c, 1, 100);
    make_archive(&c, &a);
    in_order(&c, 6, 100);
    make_archive(&c, &b);
    assert_ok(header_patch_make(&a.image, &b.image, &patch, &size, &works, &e), e);
    wanted = (struct header_patch_wanted){b.image.header_checksum, b.size, b.image.archive_size};
    in_order(&c, 1, 100);
    c.level = 1;
    make_archive(&c, &other);
    assert_fails(header_patch_apply(&other.image, patch, size, &wanted, &header, &e), e,
                 ERR_ARCHIVE, "came from another archive");
    free_made(&other);
    in_order(&c, 1, 90);
    make_archive(&c, &other);
    assert_fails(header_patch_apply(&other.image, patch, size, &wanted, &header, &e), e,
                 ERR_ARCHIVE, "another chunk table");
    free_made(&other);
    in_order(&c, 1, 100);
    c.hash_length = 32;
    make_archive(&c, &other);
    assert_fails(header_patch_apply(&other.image, patch, size, &wanted, &header, &e), e,
                 ERR_ARCHIVE, "another chunk table");
    assert_null(header);
    free_made(&other);
    free(patch);
    free_made(&a);
    free_made(&b);
}

/* A patch by hand, with the values of a good one: of a table with three chunks, the first of
 * which is kept, to one of two with one new chunk. */
struct by_hand {
    uint64_t front_size, back_size, data_offset_near, hash_length, count, order_count;
    uint64_t references[2], kept_near, places[2], order[2];
    uint32_t source_size, archive_size;
    const char *tail;
};

static const struct by_hand good = {
    .front_size = 3,
    .back_size = 2,
    .data_offset_near = 2 * 100,
    .hash_length = 64,
    .count = 2,
    .order_count = 2,
    .references = {1, 0},
    .places = {0, 0},
    .order = {0, 0},
    .source_size = 20000,
    .archive_size = 10000,
    .tail = "",
};

static void write_by_hand(const struct by_hand *p, struct columns_writer *w)
{
    uint8_t hash[CHUNK_HASH_SIZE] = {1};

    columns_put(w, p->front_size);
    columns_put_bytes(w, "abc", 3);
    columns_put(w, p->back_size);
    columns_put_bytes(w, "de", 2);
    columns_put(w, p->data_offset_near);
    columns_put(w, p->hash_length);
    columns_put(w, p->count);
    columns_put(w, p->order_count);
    for (size_t i = 0; i < 2; i++)
        columns_put(w, p->references[i]);
    columns_put_bytes(w, hash, sizeof hash);
    columns_put_planes(w, &p->source_size, 1);
    columns_put_planes(w, &p->archive_size, 1);
    columns_put(w, p->kept_near);
    for (size_t i = 0; i < 2; i++)
        columns_put(w, p->places[i]);
    for (size_t i = 0; i < 2; i++)
        columns_put(w, p->order[i]);
    columns_put_bytes(w, p->tail, strlen(p->tail));
}

#define WANTED_SIZE (6 * 72 - 1)

static void assert_patch_refused(const struct by_hand *p, const char *part)
{
    struct contents c;
    struct made old;
    uint8_t sum[CHUNK_HASH_SIZE] = {0}, *header = NULL;
    struct header_patch_wanted wanted = {sum, WANTED_SIZE, 100000};
    struct columns_writer w = {0};
    struct err e = ERR_INIT;

    in_order(&c, 1, 3);
    make_archive(&c, &old);
    write_by_hand(p, &w);
    assert_fails(header_patch_apply(&old.image, w.data, w.size, &wanted, &header, &e), e,
                 ERR_ARCHIVE, part);
    assert_null(header);
    free(w.data);
    free_made(&old);
}

#define PATCH_CASE(member, value, part)                                                            \
    do {                                                                                           \
        struct by_hand p_ = good;                                                                  \
        p_.member = (value);                                                                       \
        assert_patch_refused(&p_, part);                                                           \
    } while (0)

static void hostile_patches(void **state)
{
    (void)state;
    /* All but the checksum is in order. */
    assert_patch_refused(&good, "does not give the archive's header");
    PATCH_CASE(front_size, 4000, "cut short");
    PATCH_CASE(front_size, UINT64_MAX, "cut short");
    PATCH_CASE(back_size, UINT64_MAX, "cut short");
    PATCH_CASE(data_offset_near, 1, "chunk data offset out of range");
    PATCH_CASE(data_offset_near, 2 * (100000 - WANTED_SIZE) + 2, "chunk data offset out of range");
    PATCH_CASE(hash_length, 3, "hashes of 3 bytes");
    PATCH_CASE(hash_length, 65, "hashes of 65 bytes");
    PATCH_CASE(hash_length, UINT64_MAX, "hashes of");
    PATCH_CASE(count, WANTED_SIZE / 72 + 1, "more rows");
    PATCH_CASE(count, UINT64_MAX, "more rows");
    PATCH_CASE(order_count, WANTED_SIZE + 1, "more rows");
    PATCH_CASE(order_count, UINT64_MAX, "more rows");
    PATCH_CASE(order_count, 3, "cut short");
    PATCH_CASE(order_count, 1, "1 bytes too many");
    PATCH_CASE(tail, "xy", "2 bytes too many");
    PATCH_CASE(references[0], 1 + 2 * 3, "another chunk table");
    PATCH_CASE(references[0], 1 + 1, "another chunk table");
    PATCH_CASE(references[0], UINT64_MAX, "another chunk table");
    PATCH_CASE(kept_near, 2 * LIMIT_CHUNK, "too large");
    PATCH_CASE(kept_near, UINT64_MAX, "too large");
    PATCH_CASE(order[1], 2 * 1, "index out of range");
    PATCH_CASE(order[0], 1, "index out of range");
    PATCH_CASE(order[1], 2 * (UINT64_C(1) << 32), "index out of range");
}

static void random_change(struct contents *c, uint64_t *seed)
{
    for (unsigned n = support_random(seed) % 20; n > 0; n--) {
        size_t i = support_random(seed) % c->count;

        if (support_random(seed) % 2)
            c->numbers[i] = 1000000 + support_random(seed);
        else
            swap_numbers(c, i, support_random(seed) % c->count);
    }
    for (unsigned n = support_random(seed) % 30; n > 0; n--)
        c->order[c->order_count++] = support_random(seed) % (uint32_t)c->count;
    c->level = support_random(seed) % 3;
    c->metadata = support_random(seed) % 3;
}

/* Applying a flipped patch ends with an error, or with the very header. */
static void mutate_patch(const struct made *a, const struct made *b, const uint8_t *patch,
                         size_t size, uint64_t *seed)
{
    struct header_patch_wanted wanted = {b->image.header_checksum, b->size, b->image.archive_size};
    uint8_t *copy = malloc(size), *header = NULL;
    struct err e = ERR_INIT;

    assert_non_null(copy);
    memcpy(copy, patch, size);
    for (unsigned i = support_random(seed) % 4; i < 4; i++)
        copy[support_random(seed) % size] = (uint8_t)(support_random(seed) >> 8);
    if (header_patch_apply(&a->image, copy, size, &wanted, &header, &e) == 0)
        assert_memory_equal(header, b->header, b->size);
    else
        assert_int_equal(e.kind, ERR_ARCHIVE);
    free(header);
    free(copy);
}

static void random_tables(void **state)
{
    uint64_t seed = 5;

    (void)state;
    for (int round = 0; round < 60; round++) {
        struct contents old, new;
        struct made a, b;
        struct err e = ERR_INIT;
        uint8_t *patch = NULL;
        size_t size = 0;
        bool works = false;

        in_order(&old, support_random(&seed) % 10, 1 + support_random(&seed) % 100);
        in_order(&new, support_random(&seed) % 10, 1 + support_random(&seed) % 100);
        random_change(&old, &seed);
        random_change(&new, &seed);
        assert_works(&old, &new);
        make_archive(&old, &a);
        make_archive(&new, &b);
        assert_ok(header_patch_make(&a.image, &b.image, &patch, &size, &works, &e), e);
        for (int i = 0; i < 100; i++)
            mutate_patch(&a, &b, patch, size, &seed);
        free(patch);
        free_made(&a);
        free_made(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_come_out),
        cmocka_unit_test(other_hash_lengths),
        cmocka_unit_test(orders),
        cmocka_unit_test(old_without_archive),
        cmocka_unit_test(other_tables),
        cmocka_unit_test(headers_of_others_do_not),
        cmocka_unit_test(unusual_headers_do_not),
        cmocka_unit_test(hostile_patches),
        cmocka_unit_test(random_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
