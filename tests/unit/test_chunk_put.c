/* SPDX-License-Identifier: MIT */
/* test_chunk_put: one chunk is stored by one call, also when several threads put it. */
#include "store_support.h"

#include "store/adopt.h"
#include "store/chunk_put.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint32_t sizes[] = {1000, 200000, 5};

static int put(const struct store *s, const struct image *image, size_t i, struct err *e)
{
    uint8_t *data = support_chunk(image, i);
    int r = store_chunk_put(s, chunk_table_hash(&image->chunks, i), image->chunks.hash_length, data,
                            image->chunks.items[i].source_size, e);

    free(data);
    return r;
}

static void assert_nothing_staged(const char *directory)
{
    assert_int_equal(store_support_count(support_path(directory, "store/.ihop/staging")), 0);
}

/* In each way to sync, in both layouts. */
static void puts_one_chunk(void **state)
{
    static const enum store_sync modes[] = {STORE_SYNC_AUTO, STORE_SYNC_FS, STORE_SYNC_FILES};
    struct image image = support_image(sizes, COUNT(sizes), 32);

    for (size_t m = 0; m < 2 * COUNT(modes); m++) {
        char name[] = {(char)('0' + m), '\0'};
        const char *directory = support_path(*state, name);
        struct err e = ERR_INIT;
        struct store *s;
        struct stat st;

        assert_int_equal(mkdir(directory, 0755), 0);
        s = store_support_open(directory, modes[m % COUNT(modes)], m >= COUNT(modes));
        assert_ok(put(s, &image, 1, &e), e);
        store_support_assert_missing(s, &image, STORE_CHECK_CONTENT, "-+-", 0);
        assert_int_equal(stat(store_support_chunk(s, &image, 1), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
        assert_nothing_staged(directory);
        store_close(s);
    }
    image_free(&image);
}

/* A second chunk file takes the place of the first in one step: who reads the first goes on. */
static void puts_again(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    struct err e = ERR_INIT;
    uint8_t byte, *data = support_chunk(&image, 0);
    int fd;

    assert_ok(put(s, &image, 0, &e), e);
    fd = open(store_support_chunk(s, &image, 0), O_RDONLY);
    assert_true(fd >= 0);
    assert_ok(put(s, &image, 0, &e), e);
    store_support_assert_chunk(s, &image, 0);
    assert_int_equal(pread(fd, &byte, 1, 999), 1);
    assert_int_equal(byte, data[999]);
    assert_nothing_staged(*state);
    close(fd);
    free(data);
    store_close(s);
    image_free(&image);
}

/* A chunk file that was cut short is mended. */
static void mends(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    struct err e = ERR_INIT;

    assert_ok(put(s, &image, 1, &e), e);
    assert_int_equal(truncate(store_support_chunk(s, &image, 1), 10), 0);
    store_support_assert_missing(s, &image, STORE_CHECK_SIZE, "---", 1);
    assert_ok(put(s, &image, 1, &e), e);
    store_support_assert_chunk(s, &image, 1);
    store_close(s);
    image_free(&image);
}

/* Zeros need no bytes, neither from the caller nor on the disk. */
static void puts_zeros(void **state)
{
    const uint32_t size = 1 << 20;
    struct image image = support_image(&size, 1, 64);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    uint8_t *zeros = calloc(1, size), hash[CHUNK_HASH_SIZE];
    struct err e = ERR_INIT;
    struct stat st;

    assert_non_null(zeros);
    support_hash(zeros, size, hash);
    memcpy(image.chunks.hashes, hash, sizeof hash);
    assert_ok(store_chunk_put(s, hash, sizeof hash, NULL, size, &e), e);
    store_support_assert_missing(s, &image, STORE_CHECK_CONTENT, "+", 0);
    assert_int_equal(stat(store_support_chunk(s, &image, 0), &st), 0);
    assert_true(st.st_blocks * 512 < 65536);
    free(zeros);
    store_close(s);
    image_free(&image);
}

/* Whether the hash is right and long enough is the caller's to know. */
static void trusts_the_caller(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 4);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    uint8_t *data = support_chunk(&image, 0);
    struct err e = ERR_INIT;

    data[0] ^= 1;
    assert_ok(store_chunk_put(s, chunk_table_hash(&image.chunks, 0), 4, data, sizes[0], &e), e);
    store_support_assert_missing(s, &image, STORE_CHECK_SIZE, "+--", 0);
    store_support_assert_missing(s, &image, STORE_CHECK_CONTENT, "---", 1);
    free(data);
    store_close(s);
    image_free(&image);
}

static void leaves_nothing_after_a_failure(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    struct err e = ERR_INIT;
    char directory[4096];

    strcpy(directory, store_support_chunk(s, &image, 0));
    *strrchr(directory, '/') = '\0';
    support_write_file(directory, "", 0); /* a file where the chunk directory should be */
    assert_fails(put(s, &image, 0, &e), e, ERR_IO, "cannot open or create directory");
    assert_nothing_staged(*state);
    store_close(s);
    image_free(&image);
}

/* A process that is killed in between leaves staged chunks, which the next one adopts. */
static void is_adopted_after_a_kill(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_FS, false);
    const char *staging = support_path(*state, "store/.ihop/staging/0123456789abcdef");
    const char *path = store_support_chunk(s, &image, 0);
    struct err e = ERR_INIT;
    struct store_adopted adopted = {0};

    assert_ok(put(s, &image, 0, &e), e);
    assert_int_equal(mkdir(staging, 0755), 0);
    assert_int_equal(rename(path, support_path(staging, strrchr(path, '/') + 1)), 0);
    assert_ok(store_adopt_staged(s, &adopted, &e), e);
    assert_int_equal(adopted.count, 1);
    store_support_assert_chunk(s, &image, 0);
    store_close(s);
    image_free(&image);
}

struct putter {
    pthread_t thread;
    const struct store *store;
    const struct image *image;
};

static void *put_all(void *arg)
{
    const struct putter *p = arg;

    for (size_t i = 0; i < p->image->chunks.count; i++) {
        struct err e = ERR_INIT;

        assert_ok(put(p->store, p->image, i, &e), e);
    }
    return NULL;
}

/* Several threads put the same chunks. */
static void several_threads(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    struct putter putters[4];

    for (size_t i = 0; i < COUNT(putters); i++) {
        putters[i] = (struct putter){.store = s, .image = &image};
        assert_int_equal(pthread_create(&putters[i].thread, NULL, put_all, &putters[i]), 0);
    }
    for (size_t i = 0; i < COUNT(putters); i++)
        pthread_join(putters[i].thread, NULL);
    store_support_assert_missing(s, &image, STORE_CHECK_CONTENT, "+++", 0);
    assert_nothing_staged(*state);
    store_close(s);
    image_free(&image);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(puts_one_chunk),
        IN_DIRECTORY(puts_again),
        IN_DIRECTORY(mends),
        IN_DIRECTORY(puts_zeros),
        IN_DIRECTORY(trusts_the_caller),
        IN_DIRECTORY(leaves_nothing_after_a_failure),
        IN_DIRECTORY(is_adopted_after_a_kill),
        IN_DIRECTORY(several_threads),
    };

    return cmocka_run_group_tests_name("chunk_put", tests, NULL, NULL);
}
