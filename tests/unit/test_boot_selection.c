/* SPDX-License-Identifier: MIT */
/* test_boot_selection: which release boots, and what is left of that in a store whose files are not
 * what they should be. tests/test-store-boot-model.sh compares long sequences with a model. */
#include "store_support.h"

#include "store/boot_selection.h"
#include "store/floor.h"
#include "store/release_list.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char notes[4096];

static void keep_note(void *user, const char *text)
{
    (void)user;
    strncat(notes, text, sizeof notes - strlen(notes) - 1);
    strncat(notes, "\n", sizeof notes - strlen(notes) - 1);
}

/* Publishes a release of one chunk, of so many bytes: another size is another image. */
static void publish(struct store *s, const char *name, uint32_t size)
{
    struct image image = support_image(&size, 1, 64);

    /* The images of support_image have all the same checksum. */
    memset(image.source_checksum, (int)(size % 251), sizeof image.source_checksum);
    store_support_publish(s, name, &image);
    image_free(&image);
}

static struct store *three_releases(const char *directory)
{
    struct store *s = store_support_open(directory, STORE_SYNC_AUTO, false);

    publish(s, "v1", 1001);
    publish(s, "v2", 1002);
    publish(s, "v3", 1003);
    return s;
}

/* Asserts what boots: its name, or "" for nothing. */
static void assert_boots(const struct store *s, bool dry_run, const char *skip, const char *name)
{
    const struct events events = {.note = keep_note};
    const struct boot_request request = {
        .skip = &skip, .skip_count = skip ? 1 : 0, .dry_run = dry_run, .events = &events};
    struct boot_choice choice = {.name = ""};
    struct err e = ERR_INIT;
    enum boot_role role;

    notes[0] = '\0';
    if (*name)
        assert_ok(boot_choose(s, &request, &choice, &role, &e), e);
    else
        assert_fails(boot_choose(s, &request, &choice, &role, &e), e, ERR_NOT_FOUND, "");
    assert_string_equal(choice.name, name);
}

static void assert_noted(const char *part)
{
    if (!strstr(notes, part))
        fail_msg("'%s' is not in: %s", part, notes);
}

static void set_default(const struct store *s, const char *name)
{
    struct err e = ERR_INIT;

    assert_ok(boot_set_default(s, name, &e), e);
}

static void try_release(const struct store *s, const char *name, unsigned tries,
                        enum boot_armed expected)
{
    struct err e = ERR_INIT;
    enum boot_armed armed;
    bool has_default;

    assert_ok(boot_try(s, name, tries, false, &armed, &has_default, &e), e);
    assert_int_equal(armed, expected);
}

static void assert_good(const struct store *s, const char *name, enum boot_good expected)
{
    struct boot_choice booted;
    struct err e = ERR_INIT;
    enum boot_good outcome;

    assert_ok(boot_set_good(s, name, &outcome, &booted, &e), e);
    assert_int_equal(outcome, expected);
}

/* default, good, trial, tries and booted, in one text. */
static void assert_record(const struct store *s, const char *expected)
{
    struct boot_record r;
    struct err e = ERR_INIT;
    char text[256];

    assert_ok(boot_selection_read(s, &r, &e), e);
    snprintf(text, sizeof text, "%.20s %.20s %.20s/%u %.20s", r.of[BOOT_DEFAULT].name,
             r.of[BOOT_GOOD].name, r.of[BOOT_TRIAL].name, r.tries, r.of[BOOT_BOOTED].name);
    assert_string_equal(text, expected);
}

static void a_trial_that_is_good(void **state)
{
    struct store *s = three_releases(*state);
    struct err e = ERR_INIT;
    struct boot_choice booted;
    enum boot_good outcome;

    assert_boots(s, false, NULL, "");
    assert_fails(boot_set_good(s, NULL, &outcome, &booted, &e), e, ERR_NOT_FOUND,
                 "ihop-store default");
    set_default(s, "v1");
    assert_good(s, NULL, BOOT_NONE_BOOTED);
    assert_record(s, "v1  /0 ");
    assert_boots(s, false, NULL, "v1");
    assert_good(s, NULL, BOOT_ALREADY_DEFAULT);
    try_release(s, "v1", 3, BOOT_IS_DEFAULT);
    try_release(s, "v2", 2, BOOT_ARMED);
    assert_good(s, NULL, BOOT_ALREADY_DEFAULT);
    assert_boots(s, true, NULL, "v2");
    assert_record(s, "v1  v2/2 v1");
    assert_boots(s, false, NULL, "v2");
    assert_record(s, "v1  v2/1 v2");
    assert_good(s, "v1", BOOT_NOT_BOOTED);
    assert_record(s, "v1  v2/1 v2");
    assert_good(s, "v2", BOOT_MADE_DEFAULT);
    assert_record(s, "v2 v1 /0 v2");
    assert_good(s, "v2", BOOT_ALREADY_DEFAULT);
    assert_record(s, "v2 v1 /0 v2");
    store_close(s);
}

static void a_trial_that_fails(void **state)
{
    struct store *s = three_releases(*state);
    struct boot_record r;
    struct err e = ERR_INIT;

    set_default(s, "v1");
    set_default(s, "v2");
    try_release(s, "v3", 2, BOOT_ARMED);
    assert_boots(s, false, NULL, "v3");
    assert_boots(s, false, NULL, "v3");
    assert_ok(boot_selection_read(s, &r, &e), e);
    assert_false(boot_trial_failed(&r)); /* its last try is running */
    assert_int_equal(boot_role_that_keeps(&r, "v3"), BOOT_TRIAL);
    assert_boots(s, false, NULL, "v2");
    assert_noted("the trial of v3 has failed");
    assert_record(s, "v2 v1 v3/0 v2");
    assert_good(s, NULL, BOOT_ALREADY_DEFAULT);
    assert_ok(boot_selection_read(s, &r, &e), e);
    assert_true(boot_trial_failed(&r));
    assert_int_equal(boot_role_that_keeps(&r, "v3"), BOOT_ROLES);
    assert_int_equal(boot_role_that_keeps(&r, "v1"), BOOT_GOOD);
    /* A fallback is no trial. */
    assert_boots(s, false, "v2", "v1");
    assert_good(s, NULL, BOOT_FALLBACK);
    assert_record(s, "v2 v1 v3/0 v1");
    /* With all chosen ones skipped there is none: v3 has failed. */
    assert_int_equal(unlink(support_path(*state, "store/v1")), 0);
    assert_boots(s, false, "v2", "");
    try_release(s, "v3", 1, BOOT_ARMED);
    assert_boots(s, false, "v2", "v3");
    store_close(s);
}

static void releases_that_are_not_whole(void **state)
{
    struct store *s = three_releases(*state);
    uint32_t size = 1002;
    struct image image = support_image(&size, 1, 64);
    struct err e = ERR_INIT;
    enum boot_armed armed;
    bool has_default;

    set_default(s, "v1");
    set_default(s, "v2");
    assert_int_equal(truncate(store_support_chunk(s, &image, 0), 1), 0);
    assert_boots(s, false, NULL, "v1");
    assert_noted("v2 is skipped: release");
    assert_noted("is not whole: 1 of 1 chunks are missing or have the wrong size");
    assert_fails(boot_try(s, "v2", 1, false, &armed, &has_default, &e), e, ERR_NOT_FOUND,
                 "not whole");
    assert_fails(boot_set_default(s, "v2", &e), e, ERR_NOT_FOUND, "not whole");
    assert_fails(boot_set_default(s, "v9", &e), e, ERR_NOT_FOUND, "has no release v9");
    assert_fails(boot_set_default(s, "../v1", &e), e, ERR_USAGE, "a dot");
    assert_record(s, "v2 v1 /0 v1");
    /* Nothing of what was chosen: then what there is. */
    assert_int_equal(unlink(support_path(*state, "store/v1")), 0);
    assert_boots(s, false, NULL, "v3");
    assert_noted("the newest other release");
    assert_boots(s, false, "v3", "");
    image_free(&image);
    store_close(s);
}

static void another_image_under_the_name(void **state)
{
    struct store *s = three_releases(*state);
    struct boot_choice booted;
    struct err e = ERR_INIT;
    enum boot_good outcome;
    enum boot_armed armed;
    bool has_default;

    set_default(s, "v1");
    try_release(s, "v2", 3, BOOT_ARMED);
    assert_boots(s, false, NULL, "v2");
    publish(s, "v2", 2002);
    assert_fails(boot_set_good(s, NULL, &outcome, &booted, &e), e, ERR_OTHER_IMAGE,
                 "another image");
    assert_record(s, "v1  v2/2 v2");
    assert_boots(s, false, NULL, "v1");
    assert_noted("v2 is not tried: it holds another image");
    /* Once: the new image is armed, and then no more. */
    assert_ok(boot_try(s, "v2", 1, true, &armed, &has_default, &e), e);
    assert_int_equal(armed, BOOT_ARMED);
    assert_ok(boot_try(s, "v2", 1, true, &armed, &has_default, &e), e);
    assert_int_equal(armed, BOOT_STILL_ARMED);
    assert_boots(s, false, NULL, "v2");
    assert_ok(boot_try(s, "v2", 1, true, &armed, &has_default, &e), e);
    assert_int_equal(armed, BOOT_TRIED_BEFORE);
    assert_good(s, NULL, BOOT_MADE_DEFAULT);
    assert_ok(boot_try(s, "v1", 1, true, &armed, &has_default, &e), e);
    assert_int_equal(armed, BOOT_WAS_GOOD);
    /* The last good one, with a new image: two names that take turns. */
    publish(s, "v1", 2001);
    assert_ok(boot_try(s, "v1", 1, true, &armed, &has_default, &e), e);
    assert_int_equal(armed, BOOT_ARMED);
    assert_record(s, "v2  v1/1 v2");
    publish(s, "v2", 3002);
    assert_fails(boot_try(s, "v2", 1, true, &armed, &has_default, &e), e, ERR_OTHER_IMAGE,
                 "nothing is left to fall back to");
    store_close(s);
}

static void write_boot(const char *directory, const char *name, const char *text)
{
    support_write_file(support_path(directory, name), text, strlen(text));
}

static void a_damaged_file(void **state)
{
    struct store *s = three_releases(*state);
    struct boot_record r;
    struct boot_choice booted;
    struct err e = ERR_INIT;
    enum boot_good outcome;

    set_default(s, "v1");
    try_release(s, "v2", 3, BOOT_ARMED);
    assert_boots(s, false, NULL, "v2");
    write_boot(*state, "store/.ihop/boot", "default=v3\n");
    assert_fails(boot_selection_read(s, &r, &e), e, ERR_DAMAGED,
                 ".ihop/boot is damaged: it is cut off");
    assert_fails(boot_set_good(s, NULL, &outcome, &booted, &e), e, ERR_DAMAGED, "damaged");
    assert_fails(store_release_remove(s, "v3", true, &e), e, ERR_DAMAGED, "ihop-store default");
    /* The spare has the record before; how often the trial has booted since is not known. */
    assert_boots(s, true, NULL, "v1");
    assert_boots(s, false, NULL, "v1");
    assert_noted("what is known of it is used");
    assert_record(s, "v1  v2/0 v1"); /* mended */
    /* Lost. */
    assert_int_equal(unlink(support_path(*state, "store/.ihop/boot")), 0);
    assert_boots(s, false, NULL, "v1");
    assert_noted("is lost");
    assert_record(s, "v1  v2/0 v1");
    /* Both: the newest that is whole. */
    write_boot(*state, "store/.ihop/boot", "");
    write_boot(*state, "store/.ihop/boot.spare", "\n");
    assert_boots(s, false, NULL, "v3");
    assert_record(s, "  /0 v3");
    write_boot(*state, "store/.ihop/boot", "");
    set_default(s, "v1");
    assert_record(s, "v1  /0 ");
    store_close(s);
}

/* A directory, a link, a large file: not ours, and left alone. */
static void a_foreign_file(void **state)
{
    struct store *s = three_releases(*state);
    const char *boot = support_path(*state, "store/.ihop/boot");
    struct err e = ERR_INIT;
    struct stat st;

    set_default(s, "v1");
    for (int kind = 0; kind < 4; kind++) {
        assert_int_equal(kind == 1 ? rmdir(boot) : unlink(boot), 0);
        if (kind == 0)
            assert_int_equal(mkdir(boot, 0755), 0);
        else if (kind == 1)
            assert_int_equal(symlink("boot.spare", boot), 0);
        else if (kind == 2)
            assert_int_equal(mkfifo(boot, 0644), 0);
        else
            support_write_file(boot, "", 0);
        if (kind == 3)
            assert_int_equal(truncate(boot, (off_t)10 << 30), 0);
        assert_boots(s, false, NULL, "v1");
        assert_noted("none of ihop's files");
        assert_fails(boot_set_default(s, "v2", &e), e, ERR_IO, "move it away");
        assert_int_equal(lstat(boot, &st), 0);
        assert_int_equal(st.st_mode & S_IFMT, kind == 0   ? S_IFDIR
                                              : kind == 1 ? S_IFLNK
                                              : kind == 2 ? S_IFIFO
                                                          : S_IFREG);
    }
    store_close(s);
}

/* Somebody has made a second name for the spare: what he reads there stays. */
static void a_spare_with_two_names(void **state)
{
    struct store *s = three_releases(*state);
    const char *spare = support_path(*state, "store/.ihop/boot.spare");
    const char *other = support_path(*state, "other");
    uint8_t *before, *after;
    size_t size;

    set_default(s, "v1");
    assert_int_equal(link(spare, other), 0);
    before = support_read_file(other, &size);
    set_default(s, "v2");
    set_default(s, "v3");
    after = support_read_file(other, &size);
    assert_memory_equal(before, after, size);
    assert_record(s, "v3 v2 /0 ");
    free(before);
    free(after);
    store_close(s);
}

/* Not root, who may write everywhere: the directory of a store that was never written to. */
static void without_a_place_to_write(void **state)
{
    const struct store_options reading = {.access = STORE_READ};
    struct store *s = three_releases(*state);
    struct err e = ERR_INIT;

    set_default(s, "v1");
    try_release(s, "v2", 3, BOOT_ARMED);
    store_close(s);
    assert_int_equal(unlink(support_path(*state, "store/.ihop/publish")), 0);
    assert_int_equal(mkdir(support_path(*state, "store/.ihop/publish"), 0755), 0);
    assert_ok(store_open(support_path(*state, "store"), &reading, &s, &e), e);
    assert_boots(s, false, NULL, "v1");
    assert_noted("v2 is not tried, as that cannot be counted: cannot open");
    assert_noted("v1 is not recorded as booted: cannot open");
    assert_record(s, "v1  v2/3 ");
    store_close(s);
}

/* The lock can be had, and then the record cannot be written. */
static void without_a_place_for_the_record(void **state)
{
    struct store *s = three_releases(*state);
    const char *spare = support_path(*state, "store/.ihop/boot.spare");

    set_default(s, "v1");
    try_release(s, "v2", 3, BOOT_ARMED);
    assert_int_equal(unlink(spare), 0);
    assert_int_equal(mkdir(spare, 0755), 0);
    assert_boots(s, false, NULL, "v1");
    assert_noted("v2 is not tried, as that could not be counted: ");
    assert_noted("v1 is not recorded as booted: ");
    assert_noted("boot.spare is none of ihop's files");
    assert_record(s, "v1  v2/3 ");
    assert_int_equal(rmdir(spare), 0);
    assert_boots(s, false, NULL, "v2");
    store_close(s);
}

/* A power cut, or another release than the one that was chosen by this machine. */
static void booted_in_an_earlier_boot(void **state)
{
    struct store *s = three_releases(*state);
    char text[BOOT_RECORD_SIZE];
    struct boot_record r;
    struct err e = ERR_INIT;

    set_default(s, "v1");
    try_release(s, "v2", 1, BOOT_ARMED);
    assert_boots(s, false, NULL, "v2");
    assert_ok(boot_selection_read(s, &r, &e), e);
    assert_true(boot_is_this_boot(&r));
    strcpy(r.boot_id, "00000000-1111-2222-3333-444444444444");
    boot_record_format(&r, text);
    support_write_file(support_path(*state, "store/.ihop/boot"), text, sizeof text);
    assert_good(s, NULL, BOOT_EARLIER_BOOT);
    assert_record(s, "v1  v2/0 v2");
    assert_true(boot_trial_failed(&r));
    store_close(s);
}

static void what_boots_stays(void **state)
{
    struct store *s = three_releases(*state);
    struct store_release_list list = {0};
    struct err e = ERR_INIT;

    set_default(s, "v1");
    try_release(s, "v2", 1, BOOT_ARMED);
    assert_boots(s, false, "v2", "v1");
    assert_fails(store_release_remove(s, "v1", true, &e), e, ERR_BUSY, "v1 is the default");
    assert_fails(store_release_remove(s, "v2", true, &e), e, ERR_BUSY, "v2 is on trial");
    set_default(s, "v3");
    assert_fails(store_release_remove(s, "v1", true, &e), e, ERR_BUSY, "v1 is the last good one");
    assert_ok(store_release_list_read(s, &list, &e), e);
    assert_int_equal(list.items[0].boots, BOOT_GOOD);
    assert_int_equal(list.items[1].boots, BOOT_ROLES);
    assert_int_equal(list.items[2].boots, BOOT_DEFAULT);
    store_release_list_free(&list);
    assert_ok(store_release_remove(s, "v2", false, &e), e);
    publish(s, "v4", 1004);
    set_default(s, "v4");
    set_default(s, "v3");
    assert_record(s, "v3 v4 /0 v1");
    assert_fails(store_release_remove(s, "v1", true, &e), e, ERR_BUSY, "v1 is what was booted");
    assert_boots(s, false, NULL, "v3");
    assert_ok(store_release_remove(s, "v1", false, &e), e);
    store_close(s);
}

/* publish, with a version; size must differ from all others'. */
static void publish_version(struct store *s, const char *name, uint32_t size, const char *version)
{
    struct image image = support_image(&size, 1, 64);
    struct image_metadata said = {(char *)"ihop.version", (uint8_t *)version, strlen(version)};

    memset(image.source_checksum, (int)(size % 251), sizeof image.source_checksum);
    image.metadata = &said;
    image.metadata_count = 1;
    store_support_publish(s, name, &image);
    image.metadata = NULL;
    image.metadata_count = 0;
    image_free(&image);
}

static struct store *three_versions(const char *directory)
{
    struct store *s = store_support_open(directory, STORE_SYNC_AUTO, false);

    publish_version(s, "v1", 1001, "1");
    publish_version(s, "v2", 1002, "2");
    publish_version(s, "v3", 1003, "3");
    return s;
}

static void set_minimum(const struct store *s, uint64_t minimum)
{
    struct store_floor before;
    struct err e = ERR_INIT;

    assert_ok(store_floor_set(s, minimum, true, &before, &e), e);
}

/* What is below the minimum is neither chosen nor booted. */
static void below_the_minimum(void **state)
{
    struct store *s = three_versions(*state);
    struct err e = ERR_INIT;
    enum boot_armed armed;
    bool has_default;

    set_default(s, "v1");
    set_default(s, "v3");
    try_release(s, "v2", 2, BOOT_ARMED);
    set_minimum(s, 3);
    assert_boots(s, false, NULL, "v3");
    assert_noted("v2 is skipped: its version 2 is below 3, the minimum of the store");
    assert_boots(s, false, "v3", "");
    assert_noted("v1 is skipped: its version 1 is below 3");
    assert_fails(boot_set_default(s, "v2", &e), e, ERR_ARCHIVE, "below 3, the minimum");
    assert_fails(boot_try(s, "v2", 1, false, &armed, &has_default, &e), e, ERR_ARCHIVE,
                 "has the version 2");
    assert_record(s, "v3 v1 v2/2 v3");
    set_minimum(s, 0);
    assert_boots(s, false, "v3", "v2");
    set_default(s, "v2");
    store_close(s);
}

/* A trial that the minimum has overtaken does not become the default. */
static void good_below_the_minimum(void **state)
{
    struct store *s = three_versions(*state);
    struct boot_choice booted;
    struct err e = ERR_INIT;
    enum boot_good outcome;

    set_default(s, "v3");
    try_release(s, "v2", 2, BOOT_ARMED);
    assert_boots(s, false, NULL, "v2");
    set_minimum(s, 3);
    assert_fails(boot_set_good(s, NULL, &outcome, &booted, &e), e, ERR_ARCHIVE, "below 3");
    assert_boots(s, false, NULL, "v3");
    store_close(s);
}

/* The minimum was raised, and a power cut came before its release was there: the device boots. */
static void raised_before_its_release_is_there(void **state)
{
    struct store *s = three_versions(*state);
    struct err e = ERR_INIT;

    set_default(s, "v2");
    assert_ok(store_floor_accept(s, 9, 9, &e), e);
    assert_boots(s, false, NULL, "v2");
    assert_noted("warning: v2 is below the minimum of the store, and boots all the same");
    assert_record(s, "v2  /0 v2");
    assert_good(s, NULL, BOOT_ALREADY_DEFAULT);
    assert_boots(s, false, "v2", "");
    store_close(s);
}

/* The release that demands the minimum takes the place of the default, on trial; when it fails, the
 * default is there. When it is good, what is below never boots again. */
static void a_trial_by_itself(void **state)
{
    struct store *s = three_versions(*state);

    set_default(s, "v2");
    set_minimum(s, 3);
    assert_boots(s, true, NULL, "v3");
    assert_record(s, "v2  /0 ");
    for (int i = 0; i < BOOT_TRIES; i++) {
        assert_boots(s, false, NULL, "v3");
        if (i == 0)
            assert_noted("v3, the newest other release that is whole, on trial from now on");
    }
    assert_record(s, "v2  v3/0 v3");
    assert_boots(s, false, NULL, "v2");
    assert_noted("the trial of v3 has failed");
    assert_noted("boots all the same");
    assert_boots(s, false, NULL, "v2");
    try_release(s, "v3", 1, BOOT_ARMED);
    assert_boots(s, false, NULL, "v3");
    assert_good(s, NULL, BOOT_MADE_DEFAULT);
    assert_boots(s, false, NULL, "v3");
    assert_boots(s, false, "v3", "");
    store_close(s);
}

/* A floor that cannot be read keeps nothing from booting that the releases do not. */
static void a_damaged_floor(void **state)
{
    struct store *s = three_versions(*state);
    struct err e = ERR_INIT;
    enum boot_armed armed;
    bool has_default;

    set_default(s, "v2");
    set_minimum(s, 3);
    support_write_file(support_path(*state, "store/.ihop/floor"), "minimum=3\n", 10);
    assert_boots(s, false, NULL, "v2");
    assert_noted(".ihop/floor is damaged: it is cut off");
    assert_fails(boot_set_default(s, "v3", &e), e, ERR_DAMAGED,
                 "ihop-store minimum --force --set 0");
    assert_fails(boot_try(s, "v3", 1, false, &armed, &has_default, &e), e, ERR_DAMAGED, "floor");
    assert_record(s, "v2  /0 v2");
    store_close(s);
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(name, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_trial_that_is_good),
        TEST(a_trial_that_fails),
        TEST(releases_that_are_not_whole),
        TEST(another_image_under_the_name),
        TEST(a_damaged_file),
        TEST(a_foreign_file),
        TEST(a_spare_with_two_names),
        TEST(without_a_place_to_write),
        TEST(without_a_place_for_the_record),
        TEST(booted_in_an_earlier_boot),
        TEST(what_boots_stays),
        TEST(below_the_minimum),
        TEST(good_below_the_minimum),
        TEST(raised_before_its_release_is_there),
        TEST(a_trial_by_itself),
        TEST(a_damaged_floor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
