/* SPDX-License-Identifier: MIT */
/* test_chunk_writer: chunks are staged, committed in batches and given their names. */
#include "store_support.h"

#include "store/chunk_writer.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const uint32_t sizes[] = {1000, 200000, 5};

static void add_and_commit(void **state)
{
    static const enum store_sync modes[] = {STORE_SYNC_AUTO, STORE_SYNC_FS, STORE_SYNC_FILES};
    struct image image = support_image(sizes, COUNT(sizes), 64);

    for (size_t m = 0; m < 2 * COUNT(modes); m++) {
        char name[] = "0";
        const char *directory;
        struct store *s;
        struct stat st;

        name[0] = (char)('0' + m);
        directory = support_path(*state, name);
        assert_int_equal(mkdir(directory, 0755), 0);
        s = store_support_open(directory, modes[m % COUNT(modes)], m >= COUNT(modes));
        store_support_add(s, &image, 0, COUNT(sizes));
        for (size_t i = 0; i < COUNT(sizes); i++)
            store_support_assert_chunk(s, &image, i);
        assert_int_equal(stat(store_support_chunk(s, &image, 0), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
        assert_int_equal(store_support_count(support_path(directory, "store/.ihop/staging")), 0);
        store_close(s);
    }
    image_free(&image);
}

static void add_chunk(struct store_writer *w, const struct image *image, size_t i)
{
    uint8_t *data = support_chunk(image, i);
    struct err e = ERR_INIT;

    assert_ok(store_writer_add(w, chunk_table_hash(&image->chunks, i), image->chunks.hash_length,
                               data, image->chunks.items[i].source_size, &e),
              e);
    free(data);
}

/* How many files the only writer has staged. */
static size_t count_staged(const char *directory)
{
    const char *staging = support_path(directory, "store/.ihop/staging");
    DIR *dir = opendir(staging);
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            count += store_support_count(support_path(staging, entry->d_name));
    closedir(dir);
    return count;
}

/* More chunks than a batch has: the first ones are committed while others come. */
static void many_batches(void **state)
{
    enum { COUNT_CHUNKS = 2 * BATCH_CHUNKS + 100 };
    static uint32_t many[COUNT_CHUNKS];
    struct store *s = store_support_open(*state, STORE_SYNC_FS, false);
    struct store_writer *w = NULL;
    struct err e = ERR_INIT;
    struct image image;
    struct store_adopted adopted = {0};

    for (size_t i = 0; i < COUNT_CHUNKS; i++)
        many[i] = 8;
    image = support_image(many, COUNT_CHUNKS, 16);
    assert_ok(store_writer_open(s, &w, &adopted, &e), e);
    for (size_t i = 0; i < COUNT_CHUNKS; i++)
        add_chunk(w, &image, i);
    /* The third batch was begun, so the first has been handed over for good. */
    assert_int_equal(store_writer_bytes(w), 8 * COUNT_CHUNKS);
    assert_true(count_staged(*state) < 2 * BATCH_CHUNKS + 10);
    assert_ok(store_writer_finish(w, &e), e);
    store_writer_close(w);
    for (size_t i = 0; i < COUNT_CHUNKS; i += 97)
        store_support_assert_chunk(s, &image, i);
    image_free(&image);
    store_close(s);
}

struct adder {
    pthread_t thread;
    struct store_writer *w;
    const struct image *image;
    size_t first, step;
};

static void *add_every_nth(void *arg)
{
    struct adder *a = arg;

    for (size_t i = a->first; i < a->image->chunks.count; i += a->step)
        add_chunk(a->w, a->image, i);
    return NULL;
}

static void several_threads(void **state)
{
    static uint32_t many[400];
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    struct store_writer *w = NULL;
    struct err e = ERR_INIT;
    struct adder adders[4];
    struct image image;
    struct store_adopted adopted = {0};

    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = 100 + (uint32_t)i;
    image = support_image(many, COUNT(many), 32);
    assert_ok(store_writer_open(s, &w, &adopted, &e), e);
    for (size_t i = 0; i < COUNT(adders); i++) {
        adders[i] = (struct adder){.w = w, .image = &image, .first = i, .step = COUNT(adders)};
        assert_int_equal(pthread_create(&adders[i].thread, NULL, add_every_nth, &adders[i]), 0);
    }
    for (size_t i = 0; i < COUNT(adders); i++)
        pthread_join(adders[i].thread, NULL);
    assert_ok(store_writer_finish(w, &e), e);
    store_writer_close(w);
    for (size_t i = 0; i < image.chunks.count; i++)
        store_support_assert_chunk(s, &image, i);
    image_free(&image);
    store_close(s);
}

/* What was staged and not committed is removed by close. */
static void close_without_finish(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    struct store_writer *w = NULL;
    struct err e = ERR_INIT;
    struct store_adopted adopted = {0};

    assert_ok(store_writer_open(s, &w, &adopted, &e), e);
    assert_int_equal(adopted.count, 0);
    assert_int_equal(store_support_count(support_path(*state, "store/.ihop/staging")), 1);
    store_writer_close(w);
    assert_int_equal(store_support_count(support_path(*state, "store/.ihop/staging")), 0);
    store_close(s);
    image_free(&image);
}

/* A chunk with zeros in [from, to). */
struct sparse {
    size_t size, from, to;
    size_t written; /* bytes that must have been written */
};

static void check_sparse(struct store *s, const struct sparse *c)
{
    uint32_t size = (uint32_t)c->size;
    struct image image = support_image(&size, 1, 32);
    uint8_t *data = support_chunk(&image, 0), *back, hash[CHUNK_HASH_SIZE];
    struct store_writer *w = NULL;
    struct err e = ERR_INIT;
    struct store_adopted adopted = {0};
    size_t back_size;

    memset(data + c->from, 0, c->to - c->from);
    support_hash(data, size, hash);
    memcpy(image.chunks.hashes, hash, 32);
    assert_ok(store_writer_open(s, &w, &adopted, &e), e);
    assert_ok(store_writer_add(w, hash, 32, data, size, &e), e);
    assert_int_equal(store_writer_bytes(w), c->written);
    assert_ok(store_writer_finish(w, &e), e);
    store_writer_close(w);
    back = support_read_file(store_support_chunk(s, &image, 0), &back_size);
    assert_int_equal(back_size, size);
    assert_memory_equal(back, data, size);
    free(back);
    free(data);
    image_free(&image);
}

static void holes(void **state)
{
    static const struct sparse cases[] = {
        {200000, 65536, 131072, 134464}, /* an aligned run in the middle */
        {200000, 65537, 131072, 200000}, /* one byte short of it */
        {200000, 1000, 190000, 134464},  /* only what is aligned */
        {131072, 65536, 131072, 65536},  /* at the end */
        {131072, 0, 65536, 65536},       /* at the start */
        {131073, 65536, 131073, 65537},  /* a tail of one zero is written */
        {65536, 0, 65536, 0},            /* nothing but a hole */
        {65535, 0, 65535, 65535},        /* too short for one */
        {1, 0, 1, 1},
        {65537, 0, 65536, 1},
    };
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);

    for (size_t i = 0; i < COUNT(cases); i++)
        check_sparse(s, &cases[i]);
    store_close(s);
}

/* data NULL: a zero chunk is one hole of full length. */
static void zero_chunk(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_FILES, false);
    struct store_writer *w = NULL;
    uint8_t *zeros = calloc(1, 1 << 20), hash[CHUNK_HASH_SIZE], *back;
    const uint32_t size = 1 << 20;
    struct image image = support_image(&size, 1, 64);
    struct err e = ERR_INIT;
    struct store_adopted adopted = {0};
    size_t back_size;
    struct stat st;

    support_hash(zeros, size, hash);
    memcpy(image.chunks.hashes, hash, 64);
    assert_ok(store_writer_open(s, &w, &adopted, &e), e);
    assert_ok(store_writer_add(w, hash, 64, NULL, size, &e), e);
    assert_int_equal(store_writer_bytes(w), 0);
    assert_ok(store_writer_finish(w, &e), e);
    store_writer_close(w);
    back = support_read_file(store_support_chunk(s, &image, 0), &back_size);
    assert_int_equal(back_size, size);
    assert_memory_equal(back, zeros, size);
    assert_int_equal(stat(store_support_chunk(s, &image, 0), &st), 0);
    assert_true(st.st_blocks * 512 < 65536);
    free(back);
    free(zeros);
    image_free(&image);
    store_close(s);
}

/* The committer's failure reaches the next caller, and nothing is retried. */
static void failing_commit(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    struct store_writer *w = NULL;
    struct err e = ERR_INIT;
    char directory[4096];
    struct store_adopted adopted = {0};

    strcpy(directory, store_support_chunk(s, &image, 0));
    *strrchr(directory, '/') = '\0';
    support_write_file(directory, "", 0); /* a file where the chunk directory should be */
    assert_ok(store_writer_open(s, &w, &adopted, &e), e);
    add_chunk(w, &image, 0);
    assert_fails(store_writer_finish(w, &e), e, ERR_IO, "cannot open or create directory");
    store_writer_close(w);
    assert_int_equal(store_support_count(support_path(*state, "store/.ihop/staging")), 0);
    store_close(s);
    image_free(&image);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(add_and_commit),  IN_DIRECTORY(many_batches),
        IN_DIRECTORY(several_threads), IN_DIRECTORY(close_without_finish),
        IN_DIRECTORY(holes),           IN_DIRECTORY(zero_chunk),
        IN_DIRECTORY(failing_commit),
    };

    return cmocka_run_group_tests_name("chunk_writer", tests, NULL, NULL);
}
