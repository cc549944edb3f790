/* SPDX-License-Identifier: MIT */
/* test_missing: which chunks of an image a store lacks, and what it believes without hashing. */
#include "store_support.h"

#include "format/release.h"
#include "store/publish.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint32_t sizes[] = {1000, 300000, 5};

static void flip_first_byte(const char *path)
{
    size_t size;
    uint8_t *data = support_read_file(path, &size);

    data[0] ^= 1;
    support_write_file(path, data, size);
    free(data);
}

static int find(const struct store *s, const struct image *image, struct err *e)
{
    struct store_missing p;
    int r = store_find_missing(s, &image->chunks, STORE_CHECK_SIZE, NULL, NULL, &p, e);

    if (r == 0)
        store_missing_free(&p);
    return r;
}

static int open_chunk(const struct store *s, const struct image *image, size_t i, struct err *e)
{
    int fd = store_chunk_open(s, chunk_table_hash(&image->chunks, i), image->chunks.hash_length,
                              image->chunks.items[i].source_size, e);

    if (fd >= 0)
        close(fd);
    return fd;
}

static void no_store_has_nothing(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store_options reading = {.access = STORE_READ};
    struct err e = ERR_INIT;
    struct store *s = NULL;

    store_support_assert_missing(NULL, &image, STORE_CHECK_TRUST, "---", 0);
    store_close(store_support_open(*state, STORE_SYNC_AUTO, false));
    assert_ok(store_open(support_path(*state, "store"), &reading, &s, &e), e);
    store_support_assert_missing(s, &image, STORE_CHECK_CONTENT, "---", 0);
    assert_fails(open_chunk(s, &image, 0, &e), e, ERR_NOT_FOUND, "is missing");
    store_close(s);
    image_free(&image);
}

static void present_and_missing(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    struct err e = ERR_INIT;

    store_support_assert_missing(s, &image, STORE_CHECK_CONTENT, "---", 0);
    store_support_add(s, &image, 1, 2);
    store_support_assert_missing(s, &image, STORE_CHECK_SIZE, "-++", 0);
    store_support_assert_missing(s, &image, STORE_CHECK_TRUST, "-++", 0);
    store_support_assert_missing(s, &image, STORE_CHECK_CONTENT, "-++", 0);
    assert_true(open_chunk(s, &image, 1, &e) >= 0);
    assert_fails(open_chunk(s, &image, 0, &e), e, ERR_NOT_FOUND, "chunks/");
    store_close(s);
    image_free(&image);
}

static void wrong_size(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    struct err e = ERR_INIT;

    store_support_add(s, &image, 0, 3);
    assert_int_equal(truncate(store_support_chunk(s, &image, 1), 299999), 0);
    assert_int_equal(truncate(store_support_chunk(s, &image, 2), 6), 0);
    store_support_assert_missing(s, &image, STORE_CHECK_SIZE, "+--", 2);
    assert_fails(open_chunk(s, &image, 1, &e), e, ERR_DAMAGED,
                 "has 299999 bytes instead of 300000");
    store_support_add(s, &image, 1, 2); /* replaced by good ones */
    store_support_assert_missing(s, &image, STORE_CHECK_CONTENT, "+++", 0);
    store_close(s);
    image_free(&image);
}

/* Rot of the same size: found by content alone, and in a store of ours that is
 * asked for only. */
static void wrong_content(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);

    store_support_add(s, &image, 0, 3);
    flip_first_byte(store_support_chunk(s, &image, 1));
    store_support_assert_missing(s, &image, STORE_CHECK_SIZE, "+++", 0);
    store_support_assert_missing(s, &image, STORE_CHECK_TRUST, "+++", 0);
    store_support_assert_missing(s, &image, STORE_CHECK_CONTENT, "+-+", 1);
    store_close(s);
    image_free(&image);
}

static void publish(struct store *s, const struct image *image)
{
    struct err e = ERR_INIT;
    uint8_t *data;
    size_t size;

    assert_ok(release_encode(image, &data, &size, &e), e);
    assert_ok(store_publish(s, "v1", data, size, true, &e), e);
    free(data);
}

/* In a four-digit store ihop 0.1 may write: what no release of ours vouches
 * for is hashed. */
static void trust_in_four_digits(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, true);

    store_support_add(s, &image, 0, 3);
    flip_first_byte(store_support_chunk(s, &image, 1));
    store_support_assert_missing(s, &image, STORE_CHECK_SIZE, "+++", 0);
    store_support_assert_missing(s, &image, STORE_CHECK_TRUST, "+-+", 1);
    /* A release without extras is one of ihop 0.1, and vouches for nothing. */
    image.has_archive = false;
    publish(s, &image);
    store_support_assert_missing(s, &image, STORE_CHECK_TRUST, "+-+", 1);
    image.has_archive = true;
    publish(s, &image);
    store_support_assert_missing(s, &image, STORE_CHECK_TRUST, "+++", 0);
    store_support_assert_missing(s, &image, STORE_CHECK_CONTENT, "+-+", 1);
    store_close(s);
    image_free(&image);
}

/* What is not a regular file is an error, never followed and never waited for. */
static void odd_files(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    const char *path, *good = support_path(*state, "good");
    struct err e = ERR_INIT;

    store_support_add(s, &image, 0, 3);
    path = store_support_chunk(s, &image, 0);
    assert_int_equal(rename(path, good), 0);
    assert_int_equal(symlink(good, path), 0);
    assert_fails(find(s, &image, &e), e, ERR_IO, "not a regular file");
    assert_fails(open_chunk(s, &image, 0, &e), e, ERR_IO, "not a regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0644), 0);
    assert_fails(find(s, &image, &e), e, ERR_IO, "not a regular file");
    assert_fails(open_chunk(s, &image, 0, &e), e, ERR_IO, "not a regular file");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_fails(find(s, &image, &e), e, ERR_IO, "not a regular file");
    assert_fails(open_chunk(s, &image, 0, &e), e, ERR_IO, "not a regular file");
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rename(good, path), 0);
    assert_ok(find(s, &image, &e), e);
    store_close(s);
    image_free(&image);
}

/* chunks/ab as a link to a directory elsewhere. */
static void linked_directory(void **state)
{
    struct image image = support_image(sizes, 1, 32);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    const char *elsewhere = support_path(*state, "elsewhere");
    struct err e = ERR_INIT;
    char directory[4096];

    store_support_add(s, &image, 0, 1);
    strcpy(directory, store_support_chunk(s, &image, 0));
    *strrchr(directory, '/') = '\0';
    assert_int_equal(rename(directory, elsewhere), 0);
    assert_int_equal(symlink(elsewhere, directory), 0);
    assert_fails(find(s, &image, &e), e, ERR_IO, "is a link or a file instead of a directory");
    assert_fails(open_chunk(s, &image, 0, &e), e, ERR_IO, "lies behind a link");
    store_close(s);
    image_free(&image);
}

static void note_progress(void *user, uint64_t done, uint64_t total)
{
    uint64_t *last = user;

    assert_true(done > last[0] && done <= total);
    last[0] = done;
    last[1] = total;
}

static void progress(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    uint64_t last[2] = {0, 0};
    struct store_missing p;
    struct err e = ERR_INIT;

    store_support_add(s, &image, 0, 3);
    assert_ok(
        store_find_missing(s, &image.chunks, STORE_CHECK_CONTENT, note_progress, last, &p, &e), e);
    assert_int_equal(last[0], image.source_size);
    assert_int_equal(last[1], image.source_size);
    store_missing_free(&p);
    store_close(s);
    image_free(&image);
}

/* Chunks are shared out in stretches: at the end of each, too, none is left out. */
static void every_chunk_is_looked_at(void **state)
{
    static const size_t counts[] = {1, 2, 63, 64, 65, 127, 128, 129, 2000};
    static const enum store_check checks[] = {STORE_CHECK_SIZE, STORE_CHECK_CONTENT};
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    static uint32_t many[2000];
    struct err e = ERR_INIT;

    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = 8;
    for (size_t i = 0; i < 2 * COUNT(counts); i++) {
        struct image image = support_image(many, counts[i / 2], 32);
        struct store_missing p;

        assert_ok(store_find_missing(s, &image.chunks, checks[i % 2], NULL, NULL, &p, &e), e);
        assert_int_equal(p.missing_count, image.chunks.count);
        for (size_t c = 0; c < image.chunks.count; c++)
            assert_true(p.missing[c]);
        store_missing_free(&p);
        image_free(&image);
    }
    store_close(s);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(no_store_has_nothing),
        IN_DIRECTORY(present_and_missing),
        IN_DIRECTORY(wrong_size),
        IN_DIRECTORY(wrong_content),
        IN_DIRECTORY(trust_in_four_digits),
        IN_DIRECTORY(odd_files),
        IN_DIRECTORY(linked_directory),
        IN_DIRECTORY(progress),
        IN_DIRECTORY(every_chunk_is_looked_at),
    };

    return cmocka_run_group_tests_name("missing", tests, NULL, NULL);
}
