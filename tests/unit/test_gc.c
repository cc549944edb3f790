/* SPDX-License-Identifier: MIT */
/* test_gc: which chunks, releases and partial clones a clean-up removes. */
#include "store_support.h"

#include "format/release.h"
#include "store/gc.h"
#include "store/publish.h"
#include "store/release_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Chunk i of two images is the same when its size is: first and second share
 * chunks 0 and 1; third shares none. */
static const uint32_t first_sizes[] = {10000, 20000, 30000};
static const uint32_t second_sizes[] = {10000, 20000, 30001};
static const uint32_t third_sizes[] = {10002, 20002};

#define DAY 86400

/* A store, and images to put into it. */
struct fixture {
    struct store *s;
    struct image first, second, third;
    const char *directory;
};

static struct fixture begin(void **state)
{
    return (struct fixture){.s = store_support_open(*state, STORE_SYNC_AUTO, false),
                            .first = support_image(first_sizes, COUNT(first_sizes), 64),
                            .second = support_image(second_sizes, COUNT(second_sizes), 64),
                            .third = support_image(third_sizes, COUNT(third_sizes), 64),
                            .directory = support_path(*state, "store")};
}

static void end(struct fixture *f)
{
    store_close(f->s);
    image_free(&f->first);
    image_free(&f->second);
    image_free(&f->third);
}

static void clean_up(struct fixture *f, bool dry_run, struct store_gc_result *result)
{
    const struct store_gc_options o = {.dry_run = dry_run, .partial_age_s = STORE_PARTIAL_AGE_S};
    struct err e = ERR_INIT;

    assert_ok(store_relock(f->s, true, 0, &e), e);
    assert_ok(store_gc(f->s, &o, result, &e), e);
    assert_ok(store_relock(f->s, false, 0, &e), e);
}

/* gc removes so many chunks and keeps so many; a dry run has said so before, and
 * changed nothing; another one finds nothing left to do. */
static struct store_gc_result collects(struct fixture *f, uint64_t removed, uint64_t kept)
{
    struct store_gc_result dry, real, again;

    clean_up(f, true, &dry);
    clean_up(f, true, &real);
    assert_memory_equal(&dry, &real, sizeof dry);
    clean_up(f, false, &real);
    assert_memory_equal(&dry, &real, sizeof dry);
    assert_int_equal(real.chunks_removed, removed);
    assert_int_equal(real.chunks_kept, kept);
    assert_int_equal(real.bytes_removed > 0, removed > 0);
    clean_up(f, false, &again);
    assert_int_equal(again.chunks_removed, 0);
    assert_int_equal(again.chunks_kept, kept);
    assert_int_equal(again.retired_removed, 0);
    assert_int_equal(again.partials_removed, 0);
    return real;
}

static void assert_has(const struct fixture *f, const struct image *image, const char *expected)
{
    store_support_assert_missing(f->s, image, STORE_CHECK_CONTENT, expected, 0);
}

static void remove_release(struct fixture *f, const char *name)
{
    struct err e = ERR_INIT;

    assert_ok(store_release_remove(f->s, name, true, &e), e);
}

static void releases_keep_their_chunks(void **state)
{
    struct fixture f = begin(state);
    struct store_gc_result r;

    clean_up(&f, false, &r); /* an empty store */
    assert_int_equal(r.chunks_kept + r.chunks_removed + r.foreign, 0);
    store_support_publish(f.s, "first", &f.first);
    store_support_publish(f.s, "second", &f.second);
    store_support_add(f.s, &f.third, 0, 2); /* nobody's */
    r = collects(&f, 2, 4);
    assert_in_range(r.bytes_removed, 10002 + 20002, 10002 + 20002 + 2 * 65536);
    assert_has(&f, &f.first, "+++");
    assert_has(&f, &f.second, "+++");
    assert_has(&f, &f.third, "--");

    remove_release(&f, "first");
    r = collects(&f, 1, 3);
    assert_int_equal(r.retired_removed, 1);
    assert_has(&f, &f.first, "++-");
    assert_has(&f, &f.second, "+++");
    remove_release(&f, "second");
    collects(&f, 3, 0);
    end(&f);
}

/* The image that a clone is about to write is kept as a release would be. */
static void an_image_to_come(void **state)
{
    struct fixture f = begin(state);
    struct chunk_usage chunk_usage = {0};
    const struct store_gc_options o = {.also_keep = &f.second, .chunk_usage = &chunk_usage};
    struct store_gc_result r;
    struct err e = ERR_INIT;

    store_support_add(f.s, &f.first, 0, 3);
    store_support_publish(f.s, "third", &f.third);
    assert_ok(store_relock(f.s, true, 0, &e), e);
    assert_ok(store_gc(f.s, &o, &r, &e), e);
    assert_has(&f, &f.first, "++-");
    assert_int_equal(chunk_usage_sum(&chunk_usage, &f.third.chunks, 1).chunks, 2);
    assert_int_equal(chunk_usage_sum(&chunk_usage, &f.second.chunks, 1).chunks, 3);
    chunk_usage_free(&chunk_usage);
    end(&f);
}

/* A dry run of --keep counts as if some releases were gone. */
static void without_some(void **state)
{
    static const char *const without[] = {"first", "third"};
    struct fixture f = begin(state);
    const struct store_gc_options o = {.dry_run = true, .without = without, .without_count = 2};
    struct store_gc_result dry, real;
    struct err e = ERR_INIT;

    store_support_publish(f.s, "first", &f.first);
    store_support_publish(f.s, "second", &f.second);
    store_support_publish(f.s, "third", &f.third);
    assert_ok(store_gc_check(f.s, &o, &e), e);
    assert_ok(store_gc(f.s, &o, &dry, &e), e);
    assert_int_equal(dry.chunks_removed, 3);
    assert_int_equal(dry.retired_removed, 2);
    assert_has(&f, &f.first, "+++");
    remove_release(&f, "first");
    remove_release(&f, "third");
    clean_up(&f, false, &real);
    assert_memory_equal(&dry, &real, sizeof dry);
    end(&f);
}

static int lock_file(const char *path)
{
    int fd = open(path, O_RDONLY);

    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_SH | LOCK_NB), 0);
    return fd;
}

/* A release is replaced, or removed, while it is served. */
static void served_ones_stay(void **state)
{
    for (int removed = 0; removed < 2; removed++) {
        struct fixture f = begin(state);
        struct store_gc_result r;
        int lock;

        store_support_publish(f.s, "name", &f.first);
        lock = lock_file(support_path(f.directory, "name"));
        if (removed)
            remove_release(&f, "name");
        else
            store_support_publish(f.s, "name", &f.third);
        r = collects(&f, 0, removed ? 3 : 5);
        assert_int_equal(r.retired_kept, 1);
        assert_int_equal(r.retired_removed, 0);
        assert_has(&f, &f.first, "+++");
        close(lock);
        r = collects(&f, 3, removed ? 0 : 2);
        assert_int_equal(r.retired_kept, 0);
        assert_int_equal(r.retired_removed, 1);
        assert_has(&f, &f.first, "---");
        end(&f);
        if (removed)
            break;
        f = begin(state);
        remove_release(&f, "name");
        collects(&f, 2, 0);
        end(&f);
    }
}

static void set_age(const char *path, time_t seconds)
{
    const time_t then = time(NULL) - seconds;
    const struct timespec times[2] = {{.tv_sec = then}, {.tv_sec = then}};

    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static const char *add_partial(struct fixture *f, const char *name, const struct image *image)
{
    struct err e = ERR_INIT;
    uint8_t *data = NULL;
    size_t size;

    assert_ok(release_encode(image, &data, &size, &e), e);
    assert_ok(store_partial_write(f->s, name, data, size, &e), e);
    free(data);
    return support_path(support_path(f->directory, ".ihop/partial"), name);
}

/* Writes down of partial clone "third" that it was last looked at so: with that boot id, or
 * this boot's. */
static void set_sighting(struct fixture *f, const char *boot, uint64_t since_boot, int64_t wall,
                         uint64_t age)
{
    const char *path = support_path(f->directory, ".ihop/seen/third");
    char line[256], id[37], *rest;
    size_t size;
    int n;
    uint8_t *old = support_read_file(path, &size);
    unsigned long long ctime_s, ctime_ns, bytes;

    assert_int_equal(size, 256);
    old[255] = '\0';
    rest = (char *)old;
    assert_int_equal(sscanf(rest, "ihop-seen 1 %36s %*s %*s %*s %llu %llu %llu", id, &ctime_s,
                            &ctime_ns, &bytes),
                     4);
    n = snprintf(line, sizeof line, "ihop-seen 1 %s %llu %lld %llu %llu %llu %llu",
                 boot ? boot : id, (unsigned long long)since_boot, (long long)wall,
                 (unsigned long long)age, ctime_s, ctime_ns, bytes);
    memset(line + n, ' ', sizeof line - (size_t)n);
    line[255] = '\n';
    support_write_file(path, line, 256);
    free(old);
}

static uint64_t uptime(void)
{
    struct timespec t;

    assert_int_equal(clock_gettime(CLOCK_BOOTTIME, &t), 0);
    return (uint64_t)t.tv_sec;
}

#define OTHER_BOOT "00000000-1111-2222-3333-444444444444"

static void partial_ages_by_boots(struct fixture *f, time_t now)
{
    struct store_gc_result r;

    /* In one boot the wall clock does not matter. */
    set_sighting(f, NULL, uptime(), now - 50 * 365 * DAY, 29 * DAY);
    r = collects(f, 0, 4);
    set_sighting(f, NULL, uptime() + 1000, now + 50 * 365 * DAY, 29 * DAY);
    r = collects(f, 0, 4);
    /* Another boot counts for a day at most, and for nothing when the clock was set back. */
    set_sighting(f, OTHER_BOOT, 5, now - 50 * 365 * DAY, 28 * DAY);
    r = collects(f, 0, 4);
    set_sighting(f, OTHER_BOOT, 5, now + 50 * 365 * DAY, 30 * DAY);
    r = collects(f, 0, 4);
    set_sighting(f, OTHER_BOOT, 5, INT64_MIN, UINT64_C(29) * DAY - 10);
    r = collects(f, 0, 4);
    set_sighting(f, OTHER_BOOT, 5, INT64_MAX, 30 * DAY);
    r = collects(f, 0, 4);
    assert_int_equal(r.partials_kept, 1);
}

/* Returns the path of the partial clone that is there afterwards. */
static const char *partial_without_record(struct fixture *f, time_t now)
{
    struct store_gc_result r;
    const char *path;

    /* A power cut has left an empty record. */
    support_write_file(support_path(f->directory, ".ihop/seen/third"), "", 0);
    r = collects(f, 0, 4);
    assert_int_equal(r.partials_kept, 1);
    /* The partial clone is written anew: it is another file than the one of the record. */
    set_sighting(f, NULL, 0, now, 300 * DAY);
    assert_int_equal(
        rename(support_path(f->directory, ".ihop/seen/third"), support_path(f->directory, "kept")),
        0);
    path = add_partial(f, "third", &f->third);
    assert_int_equal(
        rename(support_path(f->directory, "kept"), support_path(f->directory, ".ihop/seen/third")),
        0);
    r = collects(f, 0, 4);
    assert_int_equal(r.partials_kept, 1);
    return path;
}

static void partial_of_release(struct fixture *f)
{
    struct store_gc_result r;
    const char *path;

    /* The clone was killed after its publish: nothing is unfinished. */
    path = add_partial(f, "second", &f->second);
    r = collects(f, 0, 3);
    assert_int_equal(r.partials_removed, 1);
    /* An update of that name is unfinished. */
    store_support_add(f->s, &f->first, 2, 1);
    path = add_partial(f, "second", &f->first);
    r = collects(f, 0, 4);
    assert_int_equal(r.partials_kept, 1);
    assert_has(f, &f->first, "+++");
    assert_int_equal(unlink(path), 0);
}

/* What an interrupted clone has fetched stays for 30 days, as this machine has counted them. */
static void partials(void **state)
{
    struct fixture f = begin(state);
    const time_t now = time(NULL);
    struct store_gc_result r;
    const char *path;

    store_support_publish(f.s, "second", &f.second);
    store_support_add(f.s, &f.third, 0, 1);
    path = add_partial(&f, "third", &f.third);
    r = collects(&f, 0, 4);
    assert_int_equal(r.partials_kept, 1);
    assert_has(&f, &f.third, "+-");
    set_age(path, 400 * DAY); /* a clock alone is not believed */
    r = collects(&f, 0, 4);
    assert_int_equal(r.partials_kept, 1);

    partial_ages_by_boots(&f, now);
    path = partial_without_record(&f, now);

    set_sighting(&f, OTHER_BOOT, 5, now - 2 * DAY, UINT64_C(29) * DAY + 10);
    support_write_file(support_path(f.directory, ".ihop/seen/gone"), "ihop-seen 1 ", 12);
    support_write_file(support_path(f.directory, ".ihop/seen/not-ours"), "mine", 4);
    r = collects(&f, 1, 3);
    assert_int_equal(r.partials_removed, 1);
    assert_int_equal(r.partials_kept, 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(store_support_count(support_path(f.directory, ".ihop/seen")), 1);

    partial_of_release(&f);
    end(&f);
}

/* Neither a damaged partial clone nor one that was never given its name keeps chunks. */
static void partials_that_are_not(void **state)
{
    struct fixture f = begin(state);
    struct store_gc_result r;
    const char *path;
    uint8_t *data;
    size_t size;

    store_support_add(f.s, &f.first, 0, 3);
    path = add_partial(&f, "first", &f.first);
    data = support_read_file(path, &size);
    support_write_file(support_path(f.directory, ".ihop/partial/.temporary"), data, size);
    data[size / 2] ^= 1;
    support_write_file(path, data, size);
    support_write_file(support_path(f.directory, ".ihop/partial/empty"), "", 0);
    r = collects(&f, 3, 0);
    assert_int_equal(r.partials_removed, 3);
    assert_int_equal(store_support_count(support_path(f.directory, ".ihop/partial")), 0);
    free(data);
    end(&f);
}

/* A good chunk under some other name. */
static const char *beside(const struct fixture *f, const struct image *image, const char *name)
{
    const char *path = store_support_chunk(f->s, image, 0);
    char directory[4096];

    strcpy(directory, path);
    *strrchr(directory, '/') = '\0';
    return support_path(directory, name);
}

static void foreign_files_stay(void **state)
{
    static const char *const odd[] = {"x",
                                      "00.chunk",
                                      "0011223.chunk",
                                      "00112233.CHUNK",
                                      "0011223g.chunk",
                                      "00112233.chunk.new",
                                      "00112233AA.chunk",
                                      ".chunk"};
    struct fixture f = begin(state);
    struct store_gc_result r;
    const char *directory;

    store_support_publish(f.s, "first", &f.first);
    for (size_t i = 0; i < COUNT(odd); i++)
        support_write_file(beside(&f, &f.first, odd[i]), "x", 1);
    /* A directory with a chunk's name, and directories and files that are no layout of ours. */
    directory = beside(&f, &f.first, "00112233.chunk");
    assert_int_equal(mkdir(directory, 0755), 0);
    support_write_file(support_path(f.directory, "chunks/00112233.chunk"), "x", 1);
    assert_int_equal(mkdir(support_path(f.directory, "chunks/0011"), 0755), 0);
    support_write_file(support_path(f.directory, "chunks/0011/00112233.chunk"), "x", 1);
    assert_int_equal(mkdir(support_path(f.directory, "chunks/00.old"), 0755), 0);
    support_write_file(support_path(f.directory, "chunks/00.old/00112233.chunk"), "x", 1);
    r = collects(&f, 0, 3);
    assert_int_equal(r.foreign, COUNT(odd) + 4);
    for (size_t i = 0; i < COUNT(odd); i++)
        assert_int_equal(access(beside(&f, &f.first, odd[i]), F_OK), 0);
    assert_int_equal(access(directory, F_OK), 0);
    assert_int_equal(access(support_path(f.directory, "chunks/0011/00112233.chunk"), F_OK), 0);
    assert_int_equal(access(support_path(f.directory, "chunks/00.old/00112233.chunk"), F_OK), 0);
    end(&f);
}

/* A link where a chunk or a directory would be is none of ours. */
static void links_are_not_followed(void **state)
{
    struct fixture f = begin(state);
    const char *outside = support_path(*state, "outside"), *chunk, *directory;
    struct store_gc_result r;

    store_support_publish(f.s, "first", &f.first);
    assert_int_equal(mkdir(outside, 0755), 0);
    chunk = support_path(outside, "00112233.chunk");
    support_write_file(chunk, "x", 1);
    assert_int_equal(symlink(chunk, beside(&f, &f.first, "00112233.chunk")), 0);
    directory = support_path(f.directory, "chunks/gg");
    assert_int_equal(symlink(outside, directory), 0);
    for (unsigned i = 0; i < 256; i++) { /* a directory that no chunk of ours has */
        char name[16];

        snprintf(name, sizeof name, "chunks/%02x", i);
        if (symlink(outside, support_path(f.directory, name)) == 0)
            break;
        assert_int_equal(errno, EEXIST);
        assert_true(i < 255);
    }
    clean_up(&f, false, &r);
    assert_int_equal(r.foreign, 3);
    assert_int_equal(r.chunks_removed, 0);
    assert_int_equal(access(chunk, F_OK), 0);
    assert_has(&f, &f.first, "+++");
    end(&f);
}

static void four_digits(void **state)
{
    struct fixture f = begin(state);
    const char *root = support_path(*state, "other");

    store_close(f.s);
    assert_int_equal(mkdir(root, 0755), 0);
    f.s = store_support_open(root, STORE_SYNC_FILES, true);
    f.directory = support_path(root, "store");
    store_support_publish(f.s, "first", &f.first);
    store_support_add(f.s, &f.third, 0, 2);
    collects(&f, 2, 3);
    assert_has(&f, &f.first, "+++");
    end(&f);
}

/* A writer was killed: what it staged counts, if something needs it. */
static void staged_chunks_are_adopted(void **state)
{
    struct fixture f = begin(state);
    const char *staging = support_path(f.directory, ".ihop/staging"), *lost, *name;
    struct store_gc_result r;

    store_support_add(f.s, &f.first, 0, 1);
    store_support_add(f.s, &f.third, 0, 1);
    add_partial(&f, "first", &f.first);
    lost = support_path(staging, "0011223344556677");
    assert_int_equal(mkdir(lost, 0755), 0);
    name = strrchr(store_support_chunk(f.s, &f.first, 0), '/') + 1;
    assert_int_equal(rename(store_support_chunk(f.s, &f.first, 0), support_path(lost, name)), 0);
    name = strrchr(store_support_chunk(f.s, &f.third, 0), '/') + 1;
    assert_int_equal(rename(store_support_chunk(f.s, &f.third, 0), support_path(lost, name)), 0);
    assert_has(&f, &f.first, "---");
    clean_up(&f, false, &r);
    assert_has(&f, &f.first, "+--");
    assert_has(&f, &f.third, "--");
    assert_int_equal(r.chunks_kept, 1);
    assert_int_equal(store_support_count(staging), 0);
    end(&f);
}

static void assert_nothing_lost(const struct fixture *f)
{
    assert_has(f, &f->first, "+++");
    assert_has(f, &f->second, "+++");
    assert_has(f, &f->third, "++");
}

static void refuses(struct fixture *f, const char *part)
{
    const struct store_gc_options o = {.partial_age_s = 0};
    struct store_gc_result r;
    struct err e = ERR_INIT;

    assert_ok(store_relock(f->s, true, 0, &e), e);
    assert_fails(store_gc_check(f->s, &o, &e), e, ERR_DAMAGED, part);
    assert_fails(store_gc(f->s, &o, &r, &e), e, ERR_DAMAGED, part);
    assert_non_null(strstr(e.text, "nothing was deleted"));
    assert_int_equal(r.chunks_removed, 0);
    assert_nothing_lost(f);
}

/* The chunks of a release that cannot be read are not known, so none is removed. */
static void a_damaged_release_stops_it(void **state)
{
    struct fixture f = begin(state);
    uint8_t *data;
    size_t size;
    const char *path;
    int lock;

    store_support_publish(f.s, "first", &f.first);
    store_support_publish(f.s, "second", &f.second);
    store_support_add(f.s, &f.third, 0, 2);
    path = support_path(f.directory, "first");
    data = support_read_file(path, &size);
    data[size / 2] ^= 1;
    support_write_file(path, data, size);
    refuses(&f, "store/first");
    support_write_file(path, "", 0); /* as ihop 0.1 leaves them */
    refuses(&f, "store/first");
    assert_int_equal(unlink(path), 0);

    /* A replaced release that is served stays, too; one that is not served is removed. */
    path = support_path(f.directory, ".ihop/retired/0011223344556677");
    support_write_file(path, data, size);
    lock = lock_file(path);
    refuses(&f, "retired/0011");
    close(lock);
    collects(&f, 3, 3);
    free(data);
    end(&f);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(releases_keep_their_chunks),
        IN_DIRECTORY(an_image_to_come),
        IN_DIRECTORY(without_some),
        IN_DIRECTORY(served_ones_stay),
        IN_DIRECTORY(partials),
        IN_DIRECTORY(partials_that_are_not),
        IN_DIRECTORY(foreign_files_stay),
        IN_DIRECTORY(links_are_not_followed),
        IN_DIRECTORY(four_digits),
        IN_DIRECTORY(staged_chunks_are_adopted),
        IN_DIRECTORY(a_damaged_release_stops_it),
    };

    return cmocka_run_group_tests_name("gc", tests, NULL, NULL);
}
