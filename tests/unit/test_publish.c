/* SPDX-License-Identifier: MIT */
/* test_publish: a release gets its name in one step, and never in place of a file that is none. */
#include "store_support.h"

#include "format/release.h"
#include "store/publish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const enum store_sync modes[] = {STORE_SYNC_FS, STORE_SYNC_FILES};

static int publish(struct store *s, const char *name, const char *text, bool replace, struct err *e)
{
    char data[100];

    memcpy(data, RELEASE_MAGIC, sizeof RELEASE_MAGIC);
    strcpy(data + sizeof RELEASE_MAGIC, text);
    return store_publish(s, name, (const uint8_t *)data, sizeof RELEASE_MAGIC + strlen(text),
                         replace, e);
}

/* A release that says text. */
static void assert_release(const char *path, const char *text)
{
    size_t size;
    uint8_t *data = support_read_file(path, &size);

    assert_int_equal(size, sizeof RELEASE_MAGIC + strlen(text));
    assert_memory_equal(data, RELEASE_MAGIC, sizeof RELEASE_MAGIC);
    assert_memory_equal(data + sizeof RELEASE_MAGIC, text, strlen(text));
    free(data);
}

static void assert_content(const char *path, const char *text)
{
    size_t size;
    uint8_t *data = support_read_file(path, &size);

    assert_int_equal(size, strlen(text));
    assert_memory_equal(data, text, size);
    free(data);
}

static void first_and_second(void **state)
{
    for (size_t m = 0; m < COUNT(modes); m++) {
        const char *directory = support_path(*state, m == 0 ? "a" : "b"), *path;
        struct err e = ERR_INIT;
        struct store *s;
        struct stat st;

        assert_int_equal(mkdir(directory, 0755), 0);
        s = store_support_open(directory, modes[m], false);
        assert_ok(publish(s, "v1", "one", false, &e), e);
        path = support_path(directory, "store/v1");
        assert_release(path, "one");
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
        assert_fails(publish(s, "v1", "two", false, &e), e, ERR_OTHER_IMAGE, "pass --force");
        assert_release(path, "one");
        assert_ok(publish(s, "v2", "two", false, &e), e);
        /* Neither success nor failure leaves anything over. */
        assert_int_equal(store_support_count(support_path(directory, "store/.ihop/retired")), 0);
        store_close(s);
    }
}

static ino_t inode_of(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    return st.st_ino;
}

/* The only file in retired/. */
static void retired(const char *directory, char path[4096])
{
    DIR *dir = opendir(directory);
    struct dirent *entry;

    assert_int_equal(store_support_count(directory), 1);
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            strcpy(path, support_path(directory, entry->d_name));
    closedir(dir);
}

/* A server holds a lock on the old file: its inode must live on. */
static void replacing_keeps_the_old_inode(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    const char *path = support_path(*state, "store/v1");
    struct err e = ERR_INIT;
    char old[4096] = "";
    ino_t inode;

    assert_ok(publish(s, "v1", "one", false, &e), e);
    inode = inode_of(path);
    assert_ok(publish(s, "v1", "two", true, &e), e);
    assert_release(path, "two");
    retired(support_path(*state, "store/.ihop/retired"), old);
    assert_release(old, "one");
    assert_true(inode_of(old) == inode);
    assert_true(inode_of(path) != inode);
    store_close(s);
}

static void odd_targets(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    const char *outside = support_path(*state, "outside"), *path;
    struct err e = ERR_INIT;

    support_write_file(outside, "outside", 7);
    path = support_path(*state, "store/link");
    assert_int_equal(symlink(outside, path), 0);
    assert_fails(publish(s, "link", "new", true, &e), e, ERR_IO, "not a regular file");
    assert_content(outside, "outside");
    path = support_path(*state, "store/directory");
    assert_int_equal(mkdir(path, 0755), 0);
    assert_fails(publish(s, "directory", "new", true, &e), e, ERR_IO, "not a regular file");
    assert_fails(publish(s, "chunks", "new", true, &e), e, ERR_USAGE, "chunk directory");
    assert_fails(publish(s, "../x", "new", true, &e), e, ERR_USAGE, "begins with a dot");
    assert_fails(publish(s, "a/x", "new", true, &e), e, ERR_USAGE, "slash");
    assert_int_equal(store_support_count(support_path(*state, "store/.ihop/retired")), 0);
    store_close(s);
}

static void partials(void **state)
{
    const char *directory;
    struct err e = ERR_INIT;

    for (size_t m = 0; m < COUNT(modes); m++) {
        struct store *s = store_support_open(*state, modes[m], false);

        directory = support_path(*state, "store/.ihop/partial");
        assert_ok(store_partial_write(s, "v1", (const uint8_t *)"IHOP1\0one", 9, &e), e);
        assert_ok(store_partial_write(s, "v1", (const uint8_t *)"IHOP1\0three", 11, &e), e);
        assert_release(support_path(directory, "v1"), "three");
        assert_int_equal(store_support_count(directory), 1);
        assert_fails(store_partial_write(s, "../v1", (const uint8_t *)"", 0, &e), e, ERR_USAGE,
                     "dot");
        store_partial_remove(s, "v1");
        assert_int_equal(store_support_count(directory), 0);
        store_partial_remove(s, "v1"); /* best effort: nothing there */
        store_close(s);
    }
}

/* A user's file under a name of ours is never replaced, nor moved away. */
static void foreign_files_stay(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    const char *path = support_path(*state, "store/v1");
    const char *partial = support_path(*state, "store/.ihop/partial/v1");
    struct err e = ERR_INIT;

    support_write_file(path, "a note", 6);
    for (int replace = 0; replace < 2; replace++)
        assert_fails(publish(s, "v1", "new", replace, &e), e, ERR_OTHER_IMAGE,
                     "store/v1 is a text file, which is never replaced");
    assert_content(path, "a note");
    support_write_file(partial, "a note", 6);
    assert_fails(store_partial_write(s, "v1", (const uint8_t *)"IHOP1\0one", 9, &e), e,
                 ERR_OTHER_IMAGE, "partial/v1 is a text file");
    store_partial_remove(s, "v1");
    assert_content(partial, "a note");
    /* A name is free when a power cut has left only zeros of what ihop 0.1 wrote. */
    support_write_file(path, "", 0);
    assert_ok(publish(s, "v1", "one", true, &e), e);
    support_write_file(path, "\0\0\0\0", 4);
    assert_ok(publish(s, "v1", "two", true, &e), e);
    assert_release(path, "two");
    store_close(s);
}

/* Called by the store in place of the C library's: with a path armed, a user's file takes
 * its place at the worst moment. flags_missing: a file system without the flags. */
static const char *intruded;
static bool flags_missing;

static void intrude(void)
{
    if (!intruded)
        return;
    assert_int_equal(unlink(intruded), 0);
    support_write_file(intruded, "a note", 6);
    intruded = NULL;
}

int renameat2(int from, const char *old, int to, const char *new, unsigned flags)
{
    if (flags_missing && flags) {
        errno = EINVAL;
        return -1;
    }
    if (flags == RENAME_EXCHANGE)
        intrude();
    return (int)syscall(SYS_renameat2, from, old, to, new, flags);
}

int linkat(int from, const char *old, int to, const char *new, int flags)
{
    long r = syscall(SYS_linkat, from, old, to, new, flags);

    intrude();
    return (int)r;
}

static void a_file_that_appears_meanwhile(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    const char *path = support_path(*state, "store/v1");
    struct err e = ERR_INIT;

    for (int i = 0; i < 2; i++) {
        flags_missing = i == 1;
        unlink(path);
        assert_ok(publish(s, "v1", "one", true, &e), e);
        intruded = path;
        assert_fails(publish(s, "v1", "two", true, &e), e, ERR_OTHER_IMAGE, "store/v1");
        assert_null(intruded);
        assert_content(path, "a note");
    }
    flags_missing = false;
    store_close(s);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(first_and_second),   IN_DIRECTORY(replacing_keeps_the_old_inode),
        IN_DIRECTORY(odd_targets),        IN_DIRECTORY(partials),
        IN_DIRECTORY(foreign_files_stay), IN_DIRECTORY(a_file_that_appears_meanwhile),
    };

    return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
