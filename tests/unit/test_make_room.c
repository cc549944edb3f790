/* SPDX-License-Identifier: MIT */
/* test_make_room: the file system is real, but how much of it is free is made up here: a disk of so
 * many bytes and inodes, of which each chunk takes its size and half a block. */
#include "store_support.h"

#include "format/release.h"
#include "store/release_list.h"
#include "store/make_room.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

static uint64_t disk_bytes, disk_inodes, used_bytes, used_inodes;
static const char *disk_directory;

static int add_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)ftw;
    if (type == FTW_F && strstr(path, ".chunk")) {
        used_bytes += (uint64_t)st->st_size + 2048;
        used_inodes++;
    }
    return 0;
}

/* Replaces the C library's function. */
int fstatvfs(int fd, struct statvfs *fs)
{
    (void)fd;
    used_bytes = used_inodes = 0;
    assert_int_equal(nftw(disk_directory, add_file, 16, FTW_PHYS), 0);
    *fs = (struct statvfs){.f_bavail = disk_bytes - used_bytes,
                           .f_frsize = 1,
                           .f_files = disk_inodes,
                           .f_favail = disk_inodes - used_inodes};
    return 0;
}

/* Each release has a chunk of its own of 100,000 bytes, and all share one. */
#define OWN               100000
#define SHARED            50000
#define COST              (OWN + 2048)
#define COUNT_OF_RELEASES 4

struct fixture {
    struct store *s;
    struct image image; /* to come: it needs the shared chunk, too */
    char removed[100];
    unsigned told;
};

static struct image make(uint32_t own)
{
    const uint32_t sizes[] = {SHARED, own};

    return support_image(sizes, 2, 64);
}

static void begin(struct fixture *f, void **state)
{
    disk_directory = *state;
    disk_bytes = 10000000;
    disk_inodes = 1000;
    *f = (struct fixture){.s = store_support_open(*state, STORE_SYNC_AUTO, false),
                          .image = make(OWN + 9)};
    for (uint32_t i = 1; i <= COUNT_OF_RELEASES; i++) {
        struct image image = make(OWN + i);
        char name[] = {'r', (char)('0' + i), '\0'};

        store_support_publish(f->s, name, &image);
        image_free(&image);
    }
    /* Full: 1,000 bytes and no inode are left. */
    disk_bytes = COUNT_OF_RELEASES * COST + 1 + 2 + 3 + 4 + SHARED + 2048 + 1000;
    disk_inodes = COUNT_OF_RELEASES + 1;
}

static void end(struct fixture *f)
{
    store_close(f->s);
    image_free(&f->image);
}

static void on_removed(void *user, const char *name)
{
    struct fixture *f = user;

    strcat(f->removed, name);
    strcat(f->removed, " ");
    f->told++;
}

static int make_room(struct fixture *f, const char *name, uint64_t bytes, uint64_t inodes,
                     struct err *e)
{
    const struct store_room_wanted room = {.image = &f->image,
                                           .name = name,
                                           .bytes = bytes,
                                           .inodes = inodes,
                                           .removed = on_removed,
                                           .user = f};

    f->removed[0] = '\0';
    f->told = 0;
    return store_make_room(f->s, &room, e);
}

static void assert_releases(const struct fixture *f, const char *names)
{
    struct store_release_list list = {0};
    struct err e = ERR_INIT;
    char found[100] = "";

    assert_ok(store_release_list_read(f->s, &list, &e), e);
    for (size_t i = 0; i < list.count; i++) {
        strcat(found, list.items[i].name);
        strcat(found, " ");
    }
    assert_string_equal(found, names);
    store_release_list_free(&list);
}

/* The oldest releases are removed, no more than it takes. */
static void no_more_than_needed(void **state)
{
    static const struct {
        uint64_t bytes, inodes;
        const char *removed, *left;
    } cases[] = {
        {1000, 0, "", "r1 r2 r3 r4 "},
        {1100, 0, "r1 ", "r2 r3 r4 "},
        {1000 + COST, 0, "r1 ", "r2 r3 r4 "},
        {1100 + COST, 0, "r1 r2 ", "r3 r4 "},
        {1000 + 3 * COST, 0, "r1 r2 r3 ", "r4 "},
        {1000 + 4 * COST, 0, "r1 r2 r3 r4 ", ""},
        {0, 2, "r1 r2 ", "r3 r4 "},
        {1000 + COST, 3, "r1 r2 r3 ", "r4 "},
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fixture f;
        struct err e = ERR_INIT;
        void *directory = NULL;

        (void)state;
        assert_int_equal(support_make_directory(&directory), 0);
        begin(&f, &directory);
        assert_ok(make_room(&f, "new", cases[i].bytes, cases[i].inodes, &e), e);
        assert_string_equal(f.removed, cases[i].removed);
        assert_releases(&f, cases[i].left);
        /* What the new image needs is there still. */
        store_support_assert_missing(f.s, &f.image, STORE_CHECK_CONTENT, "+-", 0);
        end(&f);
        assert_int_equal(support_remove_directory(&directory), 0);
    }
}

static void none_if_it_would_not_do(void **state)
{
    struct fixture f;
    struct err e = ERR_INIT;

    begin(&f, state);
    assert_fails(make_room(&f, "new", 1100 + 4 * COST, 0, &e), e, ERR_SPACE, "so none was");
    assert_non_null(strstr(e.text, "409292 bytes"));
    assert_int_equal(f.told, 0);
    assert_releases(&f, "r1 r2 r3 r4 ");
    end(&f);
}

/* Inodes are counted like bytes: each release has one of its own. */
static void none_if_inodes_would_not_do(void **state)
{
    struct fixture f;
    struct err e = ERR_INIT;

    begin(&f, state);
    assert_fails(make_room(&f, "new", 0, 5, &e), e, ERR_SPACE, "5 inodes");
    assert_int_equal(f.told, 0);
    assert_releases(&f, "r1 r2 r3 r4 ");
    end(&f);
}

static void some_stay(void **state)
{
    struct fixture f;
    struct err e = ERR_INIT;
    int lock;

    begin(&f, state);
    assert_ok(store_release_protect(f.s, "r1", true, &e), e);
    lock = open(support_path(*state, "store/r2"), O_RDONLY);
    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_SH | LOCK_NB), 0);
    /* r3 has the name of the new one, so r4 alone may go. */
    assert_fails(make_room(&f, "r3", 1100 + COST, 0, &e), e, ERR_SPACE,
                 "without the 1 releases that may be removed");
    assert_releases(&f, "r1 r2 r3 r4 ");
    assert_ok(store_relock(f.s, false, 0, &e), e);
    assert_ok(make_room(&f, "r3", 1000 + COST, 0, &e), e);
    assert_string_equal(f.removed, "r4 ");
    assert_releases(&f, "r1 r2 r3 ");
    close(lock);
    end(&f);
}

/* Chunks that nobody needs are removed first, which may be enough. */
static void garbage_first(void **state)
{
    const uint32_t sizes[] = {70000};
    struct image garbage = support_image(sizes, 1, 64);
    struct fixture f;
    struct err e = ERR_INIT;

    begin(&f, state);
    disk_bytes += 72048;
    disk_inodes++;
    store_support_add(f.s, &garbage, 0, 1);
    assert_ok(make_room(&f, "new", 1000 + 72048, 1, &e), e);
    assert_string_equal(f.removed, "");
    store_support_assert_missing(f.s, &garbage, STORE_CHECK_SIZE, "-", 0);
    image_free(&garbage);
    end(&f);
}

/* An old name of an image that a younger name holds as well: removing one of them
 * frees nothing, removing both does. */
static void twins(void **state)
{
    struct image twin = make(OWN + 1);
    struct fixture f;
    struct err e = ERR_INIT;

    begin(&f, state);
    store_support_publish(f.s, "r5", &twin);
    assert_ok(make_room(&f, "new", 1100, 0, &e), e);
    assert_string_equal(f.removed, "r2 "); /* r1 alone would free nothing */
    assert_releases(&f, "r1 r3 r4 r5 ");
    assert_ok(make_room(&f, "new", 1100 + 2 * COST, 0, &e), e);
    assert_string_equal(f.removed, "r3 r4 ");
    assert_releases(&f, "r1 r5 ");
    image_free(&twin);
    end(&f);
}

/* A clone that works on the store. */
static void in_use(void **state)
{
    struct store_options options = {.access = STORE_WRITE};
    struct store *other = NULL;
    struct fixture f;
    struct err e = ERR_INIT;

    begin(&f, state);
    assert_ok(store_open(support_path(*state, "store"), &options, &other, &e), e);
    assert_fails(make_room(&f, "new", 1100, 0, &e), e, ERR_BUSY, "in use");
    assert_releases(&f, "r1 r2 r3 r4 ");
    store_close(other);
    end(&f);
}

/* A release as an earlier version has published it: without a number. */
static void publish_old(struct fixture *f, const char *directory, const char *name, uint32_t own,
                        time_t t)
{
    const struct timespec times[2] = {{.tv_sec = t}, {.tv_sec = t}};
    struct image image = make(own);
    const char *path = support_path(support_path(directory, "store"), name);
    uint8_t *data = NULL;
    struct err e = ERR_INIT;
    size_t size;

    store_support_add(f->s, &image, 0, image.chunks.count);
    assert_ok(release_encode(&image, &data, &size, &e), e);
    support_write_file(path, data, size);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    free(data);
    image_free(&image);
}

/* Nobody knows whether r2 or r3 is older. */
static void not_by_a_guess(void **state)
{
    struct fixture f;
    struct err e = ERR_INIT;

    begin(&f, state);
    publish_old(&f, *state, "r1", OWN + 1, 1000);
    publish_old(&f, *state, "r2", OWN + 2, 2000);
    publish_old(&f, *state, "r3", OWN + 3, 2000);
    assert_fails(make_room(&f, "new", COST + 5000, 1, &e), e, ERR_SPACE,
                 "not known which one is the oldest: remove one with ihop-store remove");
    assert_string_equal(f.removed, "");
    assert_releases(&f, "r1 r2 r3 r4 ");
    /* The oldest release is known, and removing it is enough. */
    assert_ok(make_room(&f, "new", COST - 10, 1, &e), e);
    assert_string_equal(f.removed, "r1 ");
    /* One of the two stays in any case. */
    assert_ok(store_release_protect(f.s, "r2", true, &e), e);
    assert_ok(make_room(&f, "new", 2 * COST - 10, 1, &e), e);
    assert_string_equal(f.removed, "r3 ");
    assert_releases(&f, "r2 r4 ");
    end(&f);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_than_needed),
        IN_DIRECTORY(none_if_it_would_not_do),
        IN_DIRECTORY(none_if_inodes_would_not_do),
        IN_DIRECTORY(some_stay),
        IN_DIRECTORY(garbage_first),
        IN_DIRECTORY(twins),
        IN_DIRECTORY(in_use),
        IN_DIRECTORY(not_by_a_guess),
    };

    return cmocka_run_group_tests_name("room", tests, NULL, NULL);
}
