/* SPDX-License-Identifier: MIT */
/* test_release_list: the order in which releases were published. */
#include "store_support.h"

#include "format/release.h"
#include "store/publish.h"
#include "store/release_list.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void publish(struct store *s, const char *name)
{
    struct err e = ERR_INIT;
    uint8_t data[sizeof RELEASE_MAGIC + 1] = RELEASE_MAGIC;

    data[sizeof RELEASE_MAGIC] = (uint8_t)name[0];
    assert_ok(store_publish(s, name, data, sizeof data, true, &e), e);
}

/* Asserts the names of all releases, the oldest first, each before a blank. */
static void assert_order(const struct store *s, const char *names)
{
    struct store_release_list list = {0};
    struct err e = ERR_INIT;
    char found[1000] = "";

    assert_ok(store_release_list_read(s, &list, &e), e);
    for (size_t i = 0; i < list.count; i++) {
        strcat(found, list.items[i].name);
        strcat(found, " ");
    }
    assert_string_equal(found, names);
    store_release_list_free(&list);
}

static void set_time(const char *directory, const char *name, time_t t)
{
    const struct timespec times[2] = {{.tv_sec = t}, {.tv_sec = t}};

    assert_int_equal(utimensat(AT_FDCWD, support_path(directory, name), times, 0), 0);
}

static void the_oldest_first(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);

    assert_order(s, "");
    /* The releases are published within one second, and not in the order of their names. */
    publish(s, "z");
    publish(s, "m");
    publish(s, "a");
    assert_order(s, "z m a ");
    publish(s, "z"); /* anew: now the youngest */
    assert_order(s, "m a z ");
    /* What is no release is not listed. */
    assert_int_equal(mkdir(support_path(*state, "store/directory"), 0755), 0);
    support_write_file(support_path(*state, "store/.hidden"), "", 0);
    assert_order(s, "m a z ");
    store_close(s);
}

/* A device without a battery: at each boot its clock begins in the past. */
static void with_a_clock_set_back(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    const time_t future = time(NULL) + 10 * 365 * 86400;

    publish(s, "b");
    set_time(*state, "store/b", future);
    publish(s, "a"); /* now, by the clock, before b */
    assert_order(s, "b a ");
    publish(s, "c");
    assert_order(s, "b a c ");
    publish(s, "b");
    assert_order(s, "a c b ");
    /* Two releases that other tools gave one time: their names decide, so the order is always the
     * same. */
    set_time(*state, "store/a", future);
    set_time(*state, "store/c", future);
    assert_order(s, "a c b ");
    store_close(s);
}

/* Asserts for neighbours in the order whether it is known ('<') or not ('='). */
static void assert_ranks(const struct store *s, const char *signs)
{
    struct store_release_list list = {0};
    struct err e = ERR_INIT;
    char found[1000] = "";

    assert_ok(store_release_list_read(s, &list, &e), e);
    for (size_t i = 1; i < list.count; i++)
        strcat(found, list.items[i - 1].rank < list.items[i].rank ? "<" : "=");
    assert_string_equal(found, signs);
    store_release_list_free(&list);
}

static void copy_release(const char *directory, const char *from, const char *to)
{
    size_t size;
    uint8_t *data = support_read_file(support_path(directory, from), &size);

    support_write_file(support_path(directory, to), data, size);
    free(data);
}

/* Numbers decide where times do not; a release without a number is put among the others by
 * its time. */
static void with_and_without_numbers(void **state)
{
    static const uint32_t sizes[] = {10, 20};
    struct image image = support_image(sizes, COUNT(sizes), 32);
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);

    publish(s, "old-b"); /* what is no release gets no number, as an earlier version's */
    publish(s, "old-a");
    store_support_publish(s, "z", &image);
    store_support_publish(s, "y", &image);
    store_support_publish(s, "x", &image);
    assert_order(s, "old-b old-a z y x ");
    assert_ranks(s, "<<<<");
    /* The last second that can be kept. */
    set_time(*state, "store/z", INT32_MAX);
    set_time(*state, "store/y", INT32_MAX);
    set_time(*state, "store/x", INT32_MAX);
    set_time(*state, "store/old-a", INT32_MAX);
    set_time(*state, "store/old-b", INT32_MAX);
    assert_order(s, "old-a old-b z y x ");
    assert_ranks(s, "=<<<");
    /* Times that contradict the numbers, and releases without a number among the others. */
    set_time(*state, "store/z", 5000);
    set_time(*state, "store/y", 3000);
    set_time(*state, "store/x", 7000);
    set_time(*state, "store/old-a", 4000);
    set_time(*state, "store/old-b", 6000);
    assert_order(s, "old-a z y old-b x ");
    assert_ranks(s, "<<<<");
    /* A copy is as old as what it was made from. */
    copy_release(*state, "store/y", "store/copy");
    set_time(*state, "store/copy", 5000);
    assert_order(s, "old-a z copy y old-b x ");
    assert_ranks(s, "<<=<<");
    store_support_publish(s, "z", &image); /* anew */
    set_time(*state, "store/z", 0);
    assert_order(s, "old-a copy y old-b x z ");
    assert_ranks(s, "<=<<<");
    store_close(s);
    image_free(&image);
}

static int lock_file(const char *path)
{
    int fd = open(path, O_RDONLY);

    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
    return fd;
}

static void states(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    struct store_release_list list = {0};
    struct err e = ERR_INIT;
    int lock;

    publish(s, "a");
    publish(s, "b");
    publish(s, "c");
    lock = lock_file(support_path(*state, "store/b"));
    assert_ok(store_release_protect(s, "c", true, &e), e);
    assert_ok(store_release_list_read(s, &list, &e), e);
    assert_int_equal(list.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(list.items[i].served, list.items[i].name[0] == 'b');
        assert_int_equal(list.items[i].is_protected, list.items[i].name[0] == 'c');
    }
    store_release_list_free(&list);
    assert_int_equal(list.count, 0);
    /* Looking has left no lock. */
    assert_int_equal(flock(lock, LOCK_EX | LOCK_NB), 0);
    close(lock);
    store_close(s);
}

static void removes(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    const char *retired = support_path(*state, "store/.ihop/retired");
    struct err e = ERR_INIT;
    struct stat before, after;
    int lock;

    publish(s, "a");
    publish(s, "b");
    publish(s, "c");
    assert_ok(store_release_remove(s, "a", false, &e), e);
    assert_order(s, "b c ");
    assert_int_equal(store_support_count(retired), 1);
    assert_fails(store_release_remove(s, "a", false, &e), e, ERR_NOT_FOUND, "has no release a");

    /* A release that is served lives on, with its lock. */
    lock = lock_file(support_path(*state, "store/b"));
    assert_int_equal(fstat(lock, &before), 0);
    assert_fails(store_release_remove(s, "b", false, &e), e, ERR_BUSY, "pass --force");
    assert_order(s, "b c ");
    assert_ok(store_release_remove(s, "b", true, &e), e);
    assert_order(s, "c ");
    assert_int_equal(fstat(lock, &after), 0);
    assert_int_equal(after.st_nlink, 1);
    assert_true(before.st_ino == after.st_ino);
    assert_int_equal(store_support_count(retired), 2);
    close(lock);

    /* A damaged release is removed like any other: removing needs nothing of its content. */
    support_write_file(support_path(*state, "store/c"), "", 0);
    assert_ok(store_release_remove(s, "c", false, &e), e);
    assert_order(s, "");
    store_close(s);
}

static void odd_names(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    const char *outside = support_path(*state, "outside");
    struct err e = ERR_INIT;

    support_write_file(outside, "outside", 7);
    assert_int_equal(symlink(outside, support_path(*state, "store/link")), 0);
    assert_int_equal(mkdir(support_path(*state, "store/directory"), 0755), 0);
    assert_int_equal(mkfifo(support_path(*state, "store/fifo"), 0644), 0);
    for (int force = 0; force < 2; force++) {
        assert_fails(store_release_remove(s, "link", force, &e), e, ERR_IO, "store/link");
        assert_fails(store_release_remove(s, "directory", force, &e), e, ERR_IO, "not a release");
        assert_fails(store_release_remove(s, "fifo", force, &e), e, ERR_IO, "not a release");
        assert_fails(store_release_remove(s, "../outside", force, &e), e, ERR_USAGE, "dot");
        assert_fails(store_release_remove(s, "chunks", force, &e), e, ERR_USAGE, "chunk");
        assert_fails(store_release_remove(s, "none", force, &e), e, ERR_NOT_FOUND, "none");
    }
    assert_fails(store_release_protect(s, "../outside", true, &e), e, ERR_USAGE, "dot");
    assert_fails(store_release_protect(s, "directory", true, &e), e, ERR_IO, "not a release");
    assert_int_equal(access(outside, F_OK), 0);
    store_close(s);
}

static void protects(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    const char *directory = support_path(*state, "store/.ihop/protected");
    struct err e = ERR_INIT;

    publish(s, "a");
    assert_fails(store_release_protect(s, "b", true, &e), e, ERR_NOT_FOUND, "has no release b");
    assert_ok(store_release_protect(s, "a", false, &e), e); /* it was not: no error */
    assert_ok(store_release_protect(s, "a", true, &e), e);
    assert_ok(store_release_protect(s, "a", true, &e), e);
    assert_int_equal(store_support_count(directory), 1);
    assert_fails(store_release_remove(s, "a", false, &e), e, ERR_REFUSED, "unprotect");
    assert_fails(store_release_remove(s, "a", true, &e), e, ERR_REFUSED, "unprotect");
    /* A protection belongs to the name: another image under it is protected, too. */
    publish(s, "a");
    assert_fails(store_release_remove(s, "a", true, &e), e, ERR_REFUSED, "unprotect");
    assert_ok(store_release_protect(s, "a", false, &e), e);
    assert_ok(store_release_remove(s, "a", false, &e), e);

    /* A protection can outlive its release, and be taken away. */
    publish(s, "a");
    assert_ok(store_release_protect(s, "a", true, &e), e);
    assert_int_equal(unlink(support_path(*state, "store/a")), 0);
    assert_ok(store_release_protect(s, "a", false, &e), e);
    assert_int_equal(store_support_count(directory), 0);
    store_close(s);
}

/* Called in place of the C library's: with a path armed, a user's file takes its place at
 * the worst moment. */
static const char *intruded;

int renameat(int from, const char *old, int to, const char *new)
{
    if (intruded) {
        assert_int_equal(unlink(intruded), 0);
        support_write_file(intruded, "a note", 6);
        intruded = NULL;
    }
    return (int)syscall(SYS_renameat2, from, old, to, new, 0);
}

/* A user's file is neither listed nor removed nor protected. */
static void foreign_files_stay(void **state)
{
    static const char *const names[] = {"note", "note~", "#note#", "FSCK0000.REC"};
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    const char *path = support_path(*state, "store/a"), *guarded;
    struct err e = ERR_INIT;

    publish(s, "a");
    for (size_t i = 0; i < COUNT(names); i++)
        support_write_file(support_path(*state, support_path("store", names[i])), i == 0 ? "x" : "",
                           i == 0);
    assert_order(s, "a ");
    for (int force = 0; force < 2; force++)
        assert_fails(store_release_remove(s, "note", force, &e), e, ERR_NOT_FOUND,
                     "store/note: this is a text file, not a release");
    assert_fails(store_release_protect(s, "note~", true, &e), e, ERR_NOT_FOUND,
                 "is an empty file, not a release");
    assert_fails(store_release_remove(s, "b", false, &e), e, ERR_NOT_FOUND,
                 "has no release b; it has a");
    intruded = path;
    assert_fails(store_release_remove(s, "a", false, &e), e, ERR_NOT_FOUND, "meanwhile");
    assert_int_equal(access(path, F_OK), 0);
    for (size_t i = 0; i < COUNT(names); i++)
        assert_int_equal(access(support_path(*state, support_path("store", names[i])), F_OK), 0);

    /* A protection is an empty file. */
    assert_int_equal(unlink(path), 0);
    publish(s, "a");
    guarded = support_path(*state, "store/.ihop/protected/a");
    assert_ok(store_release_protect(s, "a", true, &e), e);
    support_write_file(guarded, "a note", 6);
    assert_fails(store_release_protect(s, "a", false, &e), e, ERR_IO, "none of ihop's");
    assert_int_equal(access(guarded, F_OK), 0);
    store_close(s);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(the_oldest_first),
        IN_DIRECTORY(with_a_clock_set_back),
        IN_DIRECTORY(with_and_without_numbers),
        IN_DIRECTORY(states),
        IN_DIRECTORY(removes),
        IN_DIRECTORY(odd_names),
        IN_DIRECTORY(protects),
        IN_DIRECTORY(foreign_files_stay),
    };

    return cmocka_run_group_tests_name("releases", tests, NULL, NULL);
}
