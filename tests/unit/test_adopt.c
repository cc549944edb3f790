/* SPDX-License-Identifier: MIT */
/* test_adopt: chunks that a killed writer has staged are adopted, when they can be trusted. */
#include "store_support.h"

#include "store/adopt.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const uint32_t sizes[] = {1000, 200000, 5};

/* A killed clone leaves a directory that nobody has locked. */
static void stage(const char *directory, const struct image *image, size_t i, bool corrupt)
{
    uint8_t *data = support_chunk(image, i);
    char hex[CHUNK_HASH_HEX], name[CHUNK_HASH_HEX + 6];

    if (corrupt)
        data[0] ^= 1;
    snprintf(name, sizeof name, "%s.chunk", chunk_table_hash_hex(&image->chunks, i, hex));
    support_write_file(support_path(directory, name), data, image->chunks.items[i].source_size);
    free(data);
}

static size_t adopt(const struct store *s)
{
    struct err e = ERR_INIT;
    struct store_adopted adopted = {0};

    assert_ok(store_adopt_staged(s, &adopted, &e), e);
    return adopted.count;
}

static void adopts_what_is_good(void **state)
{
    static const enum store_sync modes[] = {STORE_SYNC_FS, STORE_SYNC_FILES};

    for (size_t m = 0; m < COUNT(modes); m++) {
        const char *directory = support_path(*state, m == 0 ? "a" : "b"), *abandoned;
        struct image image = support_image(sizes, COUNT(sizes), 32);
        struct store *s;

        assert_int_equal(mkdir(directory, 0755), 0);
        s = store_support_open(directory, modes[m], false);
        abandoned = support_path(directory, "store/.ihop/staging/0123456789abcdef");
        assert_int_equal(mkdir(abandoned, 0755), 0);
        stage(abandoned, &image, 0, false);
        stage(abandoned, &image, 1, true); /* torn by a power cut */
        support_write_file(support_path(abandoned, "noise"), "x", 1);
        support_write_file(support_path(abandoned, "abc.chunk"), "x", 1);
        assert_int_equal(mkfifo(support_path(abandoned, "fifo.chunk"), 0644), 0);
        assert_int_equal(adopt(s), 1);
        store_support_assert_missing(s, &image, STORE_CHECK_CONTENT, "+--", 0);
        /* What no writer of ours makes stays, and so does the directory. */
        assert_int_equal(store_support_count(abandoned), 3);
        assert_int_equal(adopt(s), 0);
        store_close(s);
        image_free(&image);
    }
}

/* A hash of fewer bytes than can be trusted proves nothing: the chunk is fetched again. */
static void adopts_no_short_hashes(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 15);
    struct store *s = store_support_open(*state, STORE_SYNC_FS, false);
    const char *directory = support_path(*state, "store/.ihop/staging/0123456789abcdef");

    assert_int_equal(mkdir(directory, 0755), 0);
    stage(directory, &image, 0, false);
    assert_int_equal(adopt(s), 0);
    store_support_assert_missing(s, &image, STORE_CHECK_SIZE, "---", 0);
    store_close(s);
    image_free(&image);
}

/* A sync of this directory failed: memory may have what the disk has not, and nothing shows
 * which. */
static void adopts_nothing_that_failed(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_FS, false);
    const char *directory = support_path(*state, "store/.ihop/staging/0123456789abcdef");

    assert_int_equal(mkdir(directory, 0755), 0);
    stage(directory, &image, 0, false);
    support_write_file(support_path(directory, "failed"), "", 0);
    assert_int_equal(adopt(s), 0);
    store_support_assert_missing(s, &image, STORE_CHECK_SIZE, "---", 0);
    assert_int_equal(store_support_count(support_path(*state, "store/.ihop/staging")), 0);
    store_close(s);
    image_free(&image);
}

/* Where other caches lie below, an adopted chunk is written anew. */
static void adopts_through_new_inodes(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_FILES, false);
    const char *directory = support_path(*state, "store/.ihop/staging/0123456789abcdef");
    struct stat before, after;
    const char *path;
    int fd;

    assert_int_equal(mkdir(directory, 0755), 0);
    stage(directory, &image, 1, false);
    support_write_file(support_path(directory, "new"), "left by a kill", 14);
    path = store_support_chunk(s, &image, 1);
    fd = open(support_path(directory, strrchr(path, '/') + 1),
              O_RDONLY); /* keeps the number taken */
    assert_int_equal(fstat(fd, &before), 0);
    assert_int_equal(adopt(s), 1);
    store_support_assert_chunk(s, &image, 1);
    assert_int_equal(stat(store_support_chunk(s, &image, 1), &after), 0);
    assert_int_not_equal(before.st_ino, after.st_ino);
    close(fd);
    store_close(s);
    image_free(&image);
}

/* The directory's owner lives, so nothing in it is touched. */
static void leaves_owned_directories_alone(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    const char *owned = support_path(*state, "store/.ihop/staging/0123456789abcdef");
    int fd;

    assert_int_equal(mkdir(owned, 0755), 0);
    stage(owned, &image, 0, false);
    fd = open(owned, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    assert_int_equal(adopt(s), 0);
    assert_int_equal(store_support_count(owned), 1);
    close(fd);
    assert_int_equal(adopt(s), 1);
    store_support_assert_chunk(s, &image, 0);
    store_close(s);
    image_free(&image);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(adopts_what_is_good),
        IN_DIRECTORY(adopts_no_short_hashes),
        IN_DIRECTORY(adopts_nothing_that_failed),
        IN_DIRECTORY(adopts_through_new_inodes),
        IN_DIRECTORY(leaves_owned_directories_alone),
    };

    return cmocka_run_group_tests_name("adopt", tests, NULL, NULL);
}
