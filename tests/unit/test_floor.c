/* SPDX-License-Identifier: MIT */
/* test_floor: the lowest version of a store: raised, kept, damaged, lost, and of another store. */
#include "store_support.h"

#include "format/release.h"
#include "store/floor.h"
#include "store/publish.h"
#include "store/release_list.h"
#include "store/versions.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Publishes a release that says this about itself; NULL: nothing. */
static void publish_version(struct store *s, const char *name, const char *version,
                            const char *minimum)
{
    uint32_t size = 1000;
    struct image image = support_image(&size, 1, 64);
    struct image_metadata said[2] = {
        {(char *)"ihop.version", (uint8_t *)version, version ? strlen(version) : 0},
        {(char *)"ihop.minimum-version", (uint8_t *)minimum, minimum ? strlen(minimum) : 0}};

    image.metadata = said;
    image.metadata_count = minimum ? 2 : version ? 1 : 0;
    store_support_publish(s, name, &image);
    image.metadata = NULL;
    image.metadata_count = 0;
    image_free(&image);
}

/* The floor that another clone raises while a release is fetched counts when that is published. */
static void assert_not_published(struct store *s, const char *version)
{
    uint32_t size = 1000;
    struct image image = support_image(&size, 1, 64);
    struct image_metadata said = {(char *)"ihop.version", (uint8_t *)version, strlen(version)};
    struct err e = ERR_INIT;
    uint8_t *data;
    size_t bytes;

    image.metadata = &said;
    image.metadata_count = 1;
    assert_ok(release_encode(&image, &data, &bytes, &e), e);
    assert_fails(store_publish(s, "late", data, bytes, false, &e), e, ERR_ARCHIVE, "is below");
    free(data);
    image.metadata = NULL;
    image.metadata_count = 0;
    image_free(&image);
}

static void assert_floor(const struct store *s, uint64_t minimum, bool recorded)
{
    struct store_floor floor;
    struct err e = ERR_INIT;

    assert_ok(store_floor_read(s, &floor, &e), e);
    assert_true(floor.minimum == minimum);
    assert_true(floor.recorded == recorded);
    assert_true(store_floor_for_boot(s, NULL) == minimum);
}

static const char *in_meta(const char *directory, const char *name)
{
    static char path[4096];

    snprintf(path, sizeof path, "%s/store/.ihop/%s", directory, name);
    return path;
}

static void raised_and_kept(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    struct err e = ERR_INIT;

    assert_floor(s, 0, false);
    assert_ok(store_floor_accept(s, 0, 0, &e), e);
    assert_floor(s, 0, true);
    assert_ok(store_floor_accept(s, 7, 5, &e), e);
    assert_floor(s, 5, true);
    assert_ok(store_floor_accept(s, 6, 3, &e), e);
    assert_floor(s, 5, true);
    assert_ok(store_floor_accept(s, 5, 0, &e), e);
    assert_fails(store_floor_accept(s, 4, 0, &e), e, ERR_ARCHIVE, "version 4 is below 5");
    assert_floor(s, 5, true);
    assert_ok(store_floor_accept(s, UINT64_MAX, UINT64_MAX, &e), e);
    assert_floor(s, UINT64_MAX, true);
    assert_not_published(s, "18446744073709551614");
    store_close(s);
}

/* The file itself does not change when there is nothing to raise. */
static void nothing_written_again(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    struct stat before, after;
    struct err e = ERR_INIT;

    assert_ok(store_floor_accept(s, 5, 5, &e), e);
    assert_int_equal(stat(in_meta(*state, "floor"), &before), 0);
    assert_ok(store_floor_accept(s, 9, 5, &e), e);
    assert_ok(store_floor_accept(s, 9, 0, &e), e);
    assert_int_equal(stat(in_meta(*state, "floor"), &after), 0);
    assert_true(before.st_ino == after.st_ino && before.st_mtim.tv_nsec == after.st_mtim.tv_nsec);
    assert_int_not_equal(access(in_meta(*state, "floor.new"), F_OK), 0);
    assert_int_not_equal(access(in_meta(*state, "id.new"), F_OK), 0);
    store_close(s);
}

/* Without the file the releases tell, those that can be read and are well-formed. */
static void lost(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    struct store_versions v;
    struct err e = ERR_INIT;

    publish_version(s, "old", NULL, NULL);
    publish_version(s, "odd", "9", "09");
    publish_version(s, "v4", "4", "2");
    publish_version(s, "v3", "3", "3");
    assert_floor(s, 3, false);
    assert_ok(store_versions_read(s, &v, &e), e);
    assert_true(v.newest == 4 && v.minimum == 3);
    assert_string_equal(v.newest_release, "v4");
    /* With an image whose own minimum does not count, what is known is recorded. */
    assert_ok(store_floor_accept(s, 9, 0, &e), e);
    publish_version(s, "v9", "9", "9");
    assert_floor(s, 3, true);
    assert_int_equal(unlink(in_meta(*state, "floor")), 0);
    assert_floor(s, 9, false);
    assert_fails(store_floor_accept(s, 8, 8, &e), e, ERR_ARCHIVE, "below 9");
    /* It is recorded before the release that tells it goes. */
    assert_ok(store_release_remove(s, "v9", false, &e), e);
    assert_floor(s, 9, true);
    store_close(s);
}

static void assert_floor_damaged(const struct store *s, const char *part, uint64_t releases_say)
{
    struct store_floor floor;
    struct err e = ERR_INIT;

    assert_fails(store_floor_read(s, &floor, &e), e, ERR_DAMAGED, part);
    assert_fails(store_floor_read(s, &floor, &e), e, ERR_DAMAGED,
                 "ihop-store minimum --force --set");
    assert_fails(store_floor_accept(s, UINT64_MAX, 1, &e), e, ERR_DAMAGED, part);
    assert_true(store_floor_for_boot(s, NULL) == releases_say);
    assert_fails(store_floor_set(s, UINT64_MAX, false, &floor, &e), e, ERR_REFUSED, part);
}

/* Each byte of the file matters, but for those of its remark. */
static void damaged(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    struct store_floor floor;
    struct err e = ERR_INIT;
    size_t size;
    uint8_t *text;

    publish_version(s, "v3", "3", "3");
    assert_ok(store_floor_accept(s, 7, 7, &e), e);
    text = support_read_file(in_meta(*state, "floor"), &size);
    for (size_t i = 0; i < size; i++) {
        text[i] ^= 1;
        support_write_file(in_meta(*state, "floor"), text, size);
        assert_fails(store_floor_read(s, &floor, &e), e, ERR_DAMAGED, "floor is damaged");
        text[i] ^= 1;
    }
    for (size_t cut = 0; cut < size; cut++) {
        support_write_file(in_meta(*state, "floor"), text, cut);
        assert_floor_damaged(s, cut ? "damaged" : "it is empty", 3);
    }
    support_write_file(in_meta(*state, "floor"), text, size);
    assert_floor(s, 7, true);
    support_write_file(in_meta(*state, "floor"), "minimum=7\ncheck=3421780262\n", 26);
    assert_floor_damaged(s, "floor is damaged", 3);
    assert_ok(store_floor_set(s, 7, true, &floor, &e), e);
    assert_true(floor.minimum == 3 && !floor.recorded);
    assert_floor(s, 7, true);
    free(text);
    store_close(s);
}

static void of_another_store(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    uint8_t *text, *id;
    size_t size, id_size;
    struct store_floor floor;
    struct err e = ERR_INIT;

    assert_ok(store_floor_accept(s, 7, 7, &e), e);
    text = support_read_file(in_meta(*state, "floor"), &size);
    id = support_read_file(in_meta(*state, "id"), &id_size);
    assert_int_equal(id_size, 17);
    assert_ok(store_floor_accept(s, 8, 8, &e), e);
    /* The name stays the same. */
    support_write_file(in_meta(*state, "floor"), text, size);
    assert_floor(s, 7, true);
    id[0] = id[0] == 'a' ? 'b' : 'a';
    support_write_file(in_meta(*state, "id"), id, id_size);
    assert_floor_damaged(s, "is that of another store", 0);
    support_write_file(in_meta(*state, "id"), id, id_size - 1);
    assert_floor_damaged(s, "id is damaged", 0);
    assert_int_equal(unlink(in_meta(*state, "id")), 0);
    assert_floor_damaged(s, "may be another store's", 0);
    assert_ok(store_floor_set(s, 7, true, &floor, &e), e);
    assert_floor(s, 7, true);
    free(text);
    free(id);
    store_close(s);
}

/* What is none of ours is neither read nor replaced. */
static void foreign_file(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    static const char large[5000];
    struct store_floor floor;
    struct err e = ERR_INIT;

    assert_int_equal(mkdir(in_meta(*state, "floor"), 0700), 0);
    assert_fails(store_floor_read(s, &floor, &e), e, ERR_IO, "move it away");
    assert_fails(store_floor_accept(s, 9, 9, &e), e, ERR_IO, "move it away");
    assert_fails(store_floor_set(s, 9, true, &floor, &e), e, ERR_IO, "move it away");
    assert_int_equal(rmdir(in_meta(*state, "floor")), 0);
    assert_int_equal(symlink("format", in_meta(*state, "floor")), 0);
    assert_fails(store_floor_accept(s, 9, 9, &e), e, ERR_IO, "move it away");
    assert_int_equal(unlink(in_meta(*state, "floor")), 0);
    support_write_file(in_meta(*state, "floor"), large, sizeof large);
    assert_fails(store_floor_read(s, &floor, &e), e, ERR_IO, "move it away");
    assert_int_equal(unlink(in_meta(*state, "floor")), 0);
    assert_int_equal(mkdir(in_meta(*state, "id"), 0700), 0);
    assert_fails(store_floor_accept(s, 9, 9, &e), e, ERR_IO, "move it away");
    assert_int_equal(rmdir(in_meta(*state, "id")), 0);
    assert_ok(store_floor_accept(s, 9, 9, &e), e);
    assert_floor(s, 9, true);
    store_close(s);
}

static void set_by_an_operator(void **state)
{
    struct store *s = store_support_open(*state, STORE_SYNC_AUTO, false);
    struct store_floor before;
    struct err e = ERR_INIT;

    publish_version(s, "v5", "5", "5");
    assert_fails(store_floor_set(s, 4, false, &before, &e), e, ERR_REFUSED, "pass --force");
    assert_floor(s, 5, false);
    assert_ok(store_floor_set(s, 5, false, &before, &e), e);
    assert_floor(s, 5, true);
    assert_ok(store_floor_set(s, 8, false, &before, &e), e);
    assert_true(before.minimum == 5 && before.recorded);
    assert_fails(store_floor_set(s, 7, false, &before, &e), e, ERR_REFUSED, "what was refused");
    assert_floor(s, 8, true);
    assert_ok(store_floor_set(s, 0, true, &before, &e), e);
    assert_true(before.minimum == 8);
    assert_floor(s, 0, true); /* although a release demands 5 */
    store_close(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(raised_and_kept),
        TEST(nothing_written_again),
        TEST(lost),
        TEST(damaged),
        TEST(of_another_store),
        TEST(foreign_file),
        TEST(set_by_an_operator),
    };

    return cmocka_run_group_tests_name("floor", tests, NULL, NULL);
}
