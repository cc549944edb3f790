/* SPDX-License-Identifier: MIT */
/* test_store: opening, creating and locking stores; listing and loading releases. */
#include "support.h"

#include "format/release.h"
#include "store/chunk_file.h"
#include "store/release_load.h"
#include "store/store.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct store_options reading = {.access = STORE_READ};
static const struct store_options writing = {.access = STORE_WRITE, .create = true};
static const struct store_options compatible = {
    .access = STORE_WRITE, .create = true, .four_digits = true};

static struct store *open_ok(const char *path, const struct store_options *options)
{
    struct err e = ERR_INIT;
    struct store *s = NULL;

    assert_ok(store_open(path, options, &s, &e), e);
    assert_string_equal(store_path(s), path);
    return s;
}

static bool exists(const char *directory, const char *name)
{
    struct stat st;

    return lstat(support_path(directory, name), &st) == 0;
}

static void assert_format(const char *directory, const char *expected)
{
    size_t size;
    uint8_t *text = support_read_file(support_path(directory, ".ihop/format"), &size);

    text[size] = '\0';
    assert_string_equal((char *)text, expected);
    free(text);
}

static unsigned digits(const struct store *s)
{
    static const uint8_t hash[16] = {0xab, 0xcd};
    char name[STORE_CHUNK_NAME_SIZE];

    store_chunk_name(s, hash, sizeof hash, name);
    assert_string_equal(strchr(name, '/'), "/abcd0000000000000000000000000000.chunk");
    return (unsigned)(strchr(name, '/') - name);
}

static void creates(void **state)
{
    const char *path = support_path(*state, "store");
    struct err e = ERR_INIT;
    struct store *s = NULL;

    assert_fails(store_open(path, &reading, &s, &e), e, ERR_NOT_FOUND, "does not exist");
    assert_false(exists(*state, "store")); /* reading creates nothing */
    s = open_ok(path, &writing);
    assert_int_equal(digits(s), 2);
    store_close(s);
    assert_format(path, "ihop-store 1\nfolder-digits 2\n");
    assert_true(exists(path, "chunks"));
    s = open_ok(path, &compatible); /* it is what it is */
    assert_int_equal(digits(s), 2);
    store_close(s);
    path = support_path(*state, "compat");
    store_close(open_ok(path, &compatible));
    assert_format(path, "ihop-store 1\nfolder-digits 4\n");
    s = open_ok(path, &reading);
    assert_int_equal(digits(s), 4);
    store_close(s);
}

static void creates_one_level(void **state)
{
    struct err e = ERR_INIT;
    struct store *s = NULL;

    assert_fails(store_open(support_path(*state, "a/b"), &writing, &s, &e), e, ERR_IO,
                 "its parent directory does not exist");
    support_write_file(support_path(*state, "file"), "", 0);
    assert_fails(store_open(support_path(*state, "file"), &writing, &s, &e), e, ERR_IO,
                 "cannot open store");
}

/* chunks/ without .ihop/format: a store of ihop 0.1, with four digits. */
static void original_store(void **state)
{
    const char *path = *state;
    struct store *s;

    assert_int_equal(mkdir(support_path(path, "chunks"), 0755), 0);
    s = open_ok(path, &reading);
    assert_int_equal(digits(s), 4);
    store_close(s);
    assert_false(exists(path, ".ihop"));
    s = open_ok(path, &writing);
    assert_int_equal(digits(s), 4);
    store_close(s);
    assert_false(exists(path, ".ihop/format")); /* ihop 0.1 may still write here */
}

static void unknown_format(void **state)
{
    static const struct {
        const char *text;
        size_t size; /* 0: as long as the text is */
    } bad[] = {
        {"ihop-store 2\nfolder-digits 2\n", 0},       {"ihop-store 1\nfolder-digits 3\n", 0},
        {"ihop-store 1\nfolder-digits 2\nmore\n", 0}, {"ihop-store 1\nfolder-digits 2\n\0more", 34},
        {"ihop-store 1\nfolder-digits 2", 0},         {"", 0},
    };
    const char *path = *state;
    struct err e = ERR_INIT;
    struct store *s = NULL;

    assert_int_equal(mkdir(support_path(path, ".ihop"), 0755), 0);
    for (size_t i = 0; i < COUNT(bad); i++) {
        support_write_file(support_path(path, ".ihop/format"), bad[i].text,
                           bad[i].size ? bad[i].size : strlen(bad[i].text));
        assert_fails(store_open(path, &writing, &s, &e), e, ERR_DAMAGED, "unknown format");
        assert_fails(store_open(path, &reading, &s, &e), e, ERR_DAMAGED, "unknown format");
        assert_false(exists(path, "chunks"));
    }
}

/* A link below STORE is never followed; STORE itself may be one. */
static void links(void **state)
{
    static const char *const names[] = {"chunks",        ".ihop",         ".ihop/staging",
                                        ".ihop/partial", ".ihop/retired", ".ihop/lock"};
    const char *path = support_path(*state, "store"), *link = support_path(*state, "link");
    struct err e = ERR_INIT;
    struct store *s = NULL;
    char target[300];

    assert_int_equal(symlink("store", link), 0);
    store_close(open_ok(path, &writing));
    store_close(open_ok(link, &writing));
    assert_true(snprintf(target, sizeof target, "%s/elsewhere", (char *)*state) > 0);
    for (size_t i = 0; i < COUNT(names); i++) {
        const char *victim = support_path(path, names[i]);

        assert_int_equal(rename(victim, target), 0);
        assert_int_equal(symlink(target, victim), 0);
        assert_fails(store_open(path, &writing, &s, &e), e, ERR_IO, names[i]);
        assert_int_equal(unlink(victim), 0);
        assert_int_equal(rename(target, victim), 0);
    }
    store_close(open_ok(path, &writing));
}

static void shared_lock(void **state)
{
    const char *path = support_path(*state, "store");
    struct store *a = open_ok(path, &writing), *b = open_ok(path, &writing), *s = NULL;
    int lock = open(support_path(path, ".ihop/lock"), O_RDWR);
    struct err e = ERR_INIT;

    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), -1); /* as gc would */
    store_close(a);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), -1);
    store_close(b);
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
    assert_fails(store_open(path, &writing, &s, &e), e, ERR_BUSY, "--wait SECONDS");
    store_close(open_ok(path, &reading)); /* readers do not care */
    close(lock);
    store_close(open_ok(path, &writing));
}

static void free_space(void **state)
{
    struct store *s = open_ok(support_path(*state, "store"), &writing);
    uint64_t bytes = 0, inodes = 0;
    struct err e = ERR_INIT;

    assert_ok(store_free_space(s, &bytes, &inodes, &e), e);
    assert_true(bytes > 0);
    assert_true(inodes > 0);
    store_close(s);
}

static void put_release(const char *directory, const char *name)
{
    static const uint32_t sizes[] = {100, 200};
    struct image image = support_image(sizes, 2, 32);
    struct err e = ERR_INIT;
    uint8_t *data;
    size_t size;

    assert_ok(release_encode(&image, &data, &size, &e), e);
    support_write_file(support_path(directory, name), data, size);
    free(data);
    image_free(&image);
}

static void lists_releases(void **state)
{
    const char *path = support_path(*state, "store");
    struct store *s = open_ok(path, &writing);
    struct store_names list = {0};
    struct err e = ERR_INIT;

    put_release(path, "v2");
    put_release(path, "v1");
    put_release(path, ".hidden");
    assert_int_equal(mkdir(support_path(path, "directory"), 0755), 0);
    assert_int_equal(symlink("v1", support_path(path, "link")), 0);
    assert_ok(store_release_names(s, &list, &e), e);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.names[0], "v1");
    assert_string_equal(list.names[1], "v2");
    store_names_free(&list);
    store_close(s);
}

static void loads_releases(void **state)
{
    const char *path = support_path(*state, "store");
    struct store *s = open_ok(path, &writing);
    struct err e = ERR_INIT;
    struct image image;
    int lock = -1, other;

    put_release(path, "v1");
    assert_ok(store_release_load(s, "v1", &image, NULL, &e), e);
    assert_int_equal(image.source_size, 300);
    image_free(&image);
    assert_ok(store_release_load(s, "v1", &image, &lock, &e), e);
    image_free(&image);
    other = open(support_path(path, "v1"), O_RDONLY);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), -1); /* held shared */
    close(lock);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
    close(other);
    assert_fails(store_release_load(s, "v2", &image, NULL, &e), e, ERR_NOT_FOUND, "no release v2");
    assert_fails(store_release_load(s, "a/v1", &image, NULL, &e), e, ERR_USAGE, "slash");
    assert_int_equal(symlink("v1", support_path(path, "link")), 0);
    assert_fails(store_release_load(s, "link", &image, &lock, &e), e, ERR_IO, "is a link");
    assert_int_equal(mkfifo(support_path(path, "fifo"), 0644), 0);
    assert_fails(store_release_load(s, "fifo", &image, &lock, &e), e, ERR_IO,
                 "is a FIFO, not a release");
    support_write_file(support_path(path, "empty"), "", 0);
    assert_fails(store_release_load(s, "empty", &image, &lock, &e), e, ERR_DAMAGED, "/empty");
    store_close(s);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(creates),        IN_DIRECTORY(creates_one_level),
        IN_DIRECTORY(original_store), IN_DIRECTORY(unknown_format),
        IN_DIRECTORY(links),          IN_DIRECTORY(shared_lock),
        IN_DIRECTORY(free_space),     IN_DIRECTORY(lists_releases),
        IN_DIRECTORY(loads_releases),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
