/* SPDX-License-Identifier: MIT */
/* test_image_reader: any bytes of a release's image come out of its chunk files, and what is wrong
 * with one of these is said. */
#include "store_support.h"

#include "store/image_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint32_t sizes[] = {5000, 1, 300000, 70000, 4096};
/* Chunks come more than once, and not in the order of the table. */
static const uint32_t order[] = {2, 0, 1, 1, 4, 0, 3};
#define ZERO 3 /* this chunk is all zeros */
#define LAST 6 /* and the last one of the image */

struct stored {
    struct store *store;
    struct image image;
    uint8_t *bytes; /* of the image */
    size_t size;
    struct image_reader reader;
};

/* An image whose order is the one above. */
static struct image ordered_image(size_t hash_length)
{
    struct image image = support_image(sizes, COUNT(sizes), hash_length);
    uint8_t *zeros = calloc(1, sizes[ZERO]), hash[CHUNK_HASH_SIZE];

    free(image.order);
    image.order = malloc(sizeof order);
    assert_non_null(image.order);
    assert_non_null(zeros);
    memcpy(image.order, order, sizeof order);
    image.order_count = COUNT(order);
    support_hash(zeros, sizes[ZERO], hash);
    memcpy(image.chunks.hashes + ZERO * hash_length, hash, hash_length);
    image.chunks.items[ZERO].zero = true;
    free(zeros);
    return image;
}

static void put_bytes(struct stored *s)
{
    size_t at = 0;

    for (size_t i = 0; i < COUNT(order); i++)
        s->size += sizes[order[i]];
    s->bytes = calloc(1, s->size);
    assert_non_null(s->bytes);
    for (size_t i = 0; i < COUNT(order); at += sizes[order[i]], i++) {
        uint8_t *chunk = support_chunk(&s->image, order[i]);

        if (order[i] != ZERO)
            memcpy(s->bytes + at, chunk, sizes[order[i]]);
        free(chunk);
    }
}

/* The zero chunk has no file: it needs none. */
static struct stored store_image(const char *directory, size_t hash_length, bool four_digits)
{
    struct stored s = {.image = ordered_image(hash_length)};

    s.store = store_support_open(directory, STORE_SYNC_AUTO, four_digits);
    store_support_add(s.store, &s.image, 0, ZERO);
    store_support_add(s.store, &s.image, ZERO + 1, COUNT(sizes) - ZERO - 1);
    put_bytes(&s);
    return s;
}

/* s must stay where it is while the reader is open. */
static void open_stored(struct stored *s)
{
    struct err e = ERR_INIT;

    assert_ok(image_reader_open(&s->reader, s->store, &s->image, &e), e);
}

static void free_stored(struct stored *s)
{
    image_reader_close(&s->reader);
    image_free(&s->image);
    store_close(s->store);
    free(s->bytes);
}

static void assert_bytes(const struct stored *s, uint64_t offset, size_t size)
{
    uint8_t *out = malloc(size + 1);
    struct err e = ERR_INIT;

    assert_non_null(out);
    memset(out, 0xa5, size + 1);
    assert_ok(image_reader_read(&s->reader, offset, size, out, &e), e);
    assert_memory_equal(out, s->bytes + offset, size);
    assert_int_equal(out[size], 0xa5);
    free(out);
}

/* From and to each end of a chunk, and one byte to both sides of it. */
static void read_about_ends(const struct stored *s)
{
    size_t from = 0;

    for (size_t i = 0; i <= COUNT(order); i++) {
        size_t to = from;

        for (size_t j = i; j < COUNT(order); j++) {
            to += sizes[order[j]];
            assert_bytes(s, from, to - from);
            assert_bytes(s, from, to - from - 1);
            assert_bytes(s, from + 1, to - from - 1);
            if (to < s->size)
                assert_bytes(s, from, to - from + 1);
        }
        assert_bytes(s, from, 0);
        from += i < COUNT(order) ? sizes[order[i]] : 0;
    }
}

/* In both layouts, with the shortest hashes and the longest. */
static void reads_any_bytes(void **state)
{
    static const size_t lengths[] = {4, 64};
    uint64_t seed = 7;

    for (size_t n = 0; n < 2 * COUNT(lengths); n++) {
        char name[] = {(char)('0' + n), '\0'};
        const char *directory = support_path(*state, name);
        struct stored s;

        assert_int_equal(mkdir(directory, 0755), 0);
        s = store_image(directory, lengths[n / 2], n % 2 == 1);
        open_stored(&s);
        read_about_ends(&s);
        for (int i = 0; i < 200; i++) {
            size_t offset = support_random(&seed) % s.size;

            assert_bytes(&s, offset, support_random(&seed) % (s.size - offset) + 1);
        }
        free_stored(&s);
    }
}

static int read_all(const struct stored *s, struct err *e)
{
    uint8_t *out = malloc(s->size);
    int r;

    assert_non_null(out);
    r = image_reader_read(&s->reader, 0, s->size, out, e);
    free(out);
    return r;
}

/* Chunk 4 begins there. */
static uint64_t start_of_4(void)
{
    return sizes[2] + sizes[0] + 2 * sizes[1];
}

static void tells_what_is_wrong(void **state)
{
    struct stored s = store_image(*state, 32, false);
    const char *path = store_support_chunk(s.store, &s.image, 4), *name = strrchr(path, '/') + 1;
    struct err e = ERR_INIT;

    open_stored(&s);
    assert_int_equal(truncate(path, 4095), 0);
    assert_fails(read_all(&s, &e), e, ERR_DAMAGED, name);
    assert_fails(image_reader_check(&s.reader, 0, s.size, &e), e, ERR_DAMAGED, name);
    assert_int_equal(unlink(path), 0);
    assert_fails(read_all(&s, &e), e, ERR_NOT_FOUND, name);
    assert_fails(image_reader_check(&s.reader, 0, s.size, &e), e, ERR_NOT_FOUND, name);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_fails(read_all(&s, &e), e, ERR_IO, name);
    assert_fails(image_reader_check(&s.reader, 0, s.size, &e), e, ERR_IO, name);
    /* What lies around it can still be read. */
    assert_bytes(&s, 0, start_of_4());
    assert_bytes(&s, start_of_4() + sizes[4], sizes[0]);
    free_stored(&s);
}

/* Reading takes a chunk by its name and its size; checking does not. */
static void checks_what_the_bytes_lie_in(void **state)
{
    struct stored s = store_image(*state, 64, false);
    const char *path = store_support_chunk(s.store, &s.image, 4);
    uint8_t *data, content[4096];
    struct err e = ERR_INIT;
    size_t size;

    open_stored(&s);
    assert_ok(image_reader_check(&s.reader, 0, s.size, &e), e);
    data = support_read_file(path, &size);
    memcpy(content, data, sizeof content);
    content[17] ^= 1;
    support_write_file(path, content, sizeof content);
    assert_ok(read_all(&s, &e), e);
    assert_fails(image_reader_check(&s.reader, 0, s.size, &e), e, ERR_DAMAGED,
                 strrchr(path, '/') + 1);
    assert_fails(image_reader_check(&s.reader, start_of_4() + 4095, 1, &e), e, ERR_DAMAGED,
                 "is wrong");
    assert_ok(image_reader_check(&s.reader, 0, start_of_4(), &e), e);
    assert_fails(image_reader_check(&s.reader, 0, start_of_4() + 1, &e), e, ERR_DAMAGED, "");
    assert_ok(image_reader_check(&s.reader, start_of_4() + 4096, s.size - start_of_4() - 4096, &e),
              e);
    assert_ok(image_reader_check(&s.reader, start_of_4(), 0, &e), e);
    free(data);
    free_stored(&s);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(reads_any_bytes),
        IN_DIRECTORY(tells_what_is_wrong),
        IN_DIRECTORY(checks_what_the_bytes_lie_in),
    };

    return cmocka_run_group_tests_name("image_reader", tests, NULL, NULL);
}
