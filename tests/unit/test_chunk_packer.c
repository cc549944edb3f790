/* SPDX-License-Identifier: MIT */
/* test_chunk_packer: chunks that come in any order, from several threads: the table and the data
 * are those of one thread; memory is bounded; and a failure ends all. */
#include "support.h"

#include "base/cleanup.h"
#include "base/limits.h"
#include "compress/chunk_packer.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_THREADS 8

/* An image of chunks, of which many have the same content. */
struct scene {
    struct output_file target;
    struct chunk_packer *pack;
    const char *path;
    unsigned threads;
    size_t count, chunk_size, contents;
    unsigned hold_first_ms;  /* how long chunk 0 takes before it is packed */
    atomic_size_t taken;     /* the next index */
    atomic_size_t started;   /* calls */
    size_t started_at_first; /* as chunk 0 was packed */
    atomic_size_t failed;
    int flags; /* of the target's file */
};

struct thread {
    struct scene *scene;
    unsigned number;
};

static void sleep_ms(unsigned ms)
{
    struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&ts, NULL);
}

/* Which content chunk i has: runs, repeats at once and later, and new ones. */
static size_t content_of(const struct scene *s, size_t i)
{
    uint64_t seed = i / 3 + 1;

    return support_random(&seed) % s->contents;
}

static void fill(const struct scene *s, size_t i, uint8_t *data)
{
    size_t content = content_of(s, i);

    support_fill(data, s->chunk_size, content + 1);
    if (content % 2 == 0) /* one that gets smaller */
        memset(data + 16, (int)content, s->chunk_size - 16);
}

static void *pack_some(void *argument)
{
    struct thread *t = argument;
    struct scene *s = t->scene;
    uint8_t *data = malloc(s->chunk_size);
    struct err e = ERR_INIT;
    size_t i;

    while ((i = atomic_fetch_add(&s->taken, 1)) < s->count) {
        fill(s, i, data);
        if (i == 0 && s->hold_first_ms) {
            sleep_ms(s->hold_first_ms);
            s->started_at_first = atomic_load(&s->started);
        } else if (content_of(s, i) % 5 == t->number) {
            sleep_ms(1);
        }
        atomic_fetch_add(&s->started, 1);
        if (chunk_packer_chunk(s->pack, t->number, i, data, s->chunk_size, &e) < 0) {
            atomic_fetch_add(&s->failed, 1);
            break;
        }
    }
    free(data);
    return NULL;
}

static void run_scene(struct scene *s, enum image_compression compression)
{
    const struct chunk_packer_options options = {
        .jobs = s->threads, .compression = compression, .level = 1, .hash_length = 20};
    struct thread threads[MAX_THREADS];
    pthread_t ids[MAX_THREADS];
    struct err e = ERR_INIT;

    s->target = (struct output_file)OUTPUT_FILE_INIT;
    s->target.path = s->path;
    s->target.fd = open(s->path, s->flags | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(s->target.fd >= 0);
    s->pack = chunk_packer_new(&options, &s->target, &e);
    assert_non_null(s->pack);
    for (unsigned i = 0; i < s->threads; i++) {
        threads[i] = (struct thread){.scene = s, .number = i};
        assert_int_equal(pthread_create(&ids[i], NULL, pack_some, &threads[i]), 0);
    }
    for (unsigned i = 0; i < s->threads; i++)
        pthread_join(ids[i], NULL);
}

static void end_scene(struct scene *s)
{
    chunk_packer_free(s->pack);
    output_file_close(&s->target);
}

/* The table and the data are right, whatever the threads did. */
static void check_result(struct scene *s)
{
    size_t *first = malloc(s->contents * sizeof *first), seen = 0, size;
    uint8_t *plain = malloc(s->chunk_size), hash[CHUNK_HASH_SIZE];
    uint8_t *data = support_read_file(s->path, &size);
    struct image image = {0};
    uint64_t offset = 0;

    chunk_packer_finish(s->pack, &image);
    assert_int_equal(image.order_count, s->count);
    memset(first, 0xff, s->contents * sizeof *first);
    for (size_t i = 0; i < s->count; i++) {
        size_t content = content_of(s, i);

        if (first[content] == SIZE_MAX) {
            const struct chunk *c = &image.chunks.items[seen];

            first[content] = seen++;
            fill(s, i, plain);
            support_hash(plain, s->chunk_size, hash);
            assert_memory_equal(chunk_table_hash(&image.chunks, first[content]), hash, 20);
            assert_true(c->archive_offset == offset);
            assert_int_equal(c->source_size, s->chunk_size);
            if (c->archive_size == s->chunk_size)
                assert_memory_equal(data + offset, plain, s->chunk_size);
            offset += c->archive_size;
        }
        assert_int_equal(image.order[i], first[content]);
    }
    assert_int_equal(image.chunks.count, seen);
    assert_true(size == offset && s->target.size == offset);
    image_free(&image);
    free(data);
    free(plain);
    free(first);
}

static void any_order(void **state)
{
    static const enum image_compression ids[] = {IMAGE_NONE, IMAGE_ZSTD, IMAGE_BROTLI};
    uint8_t *reference = NULL;
    size_t reference_size = 0;

    for (size_t c = 0; c < COUNT(ids); c++)
        for (unsigned threads = 1; threads <= 5; threads += 2) {
            struct scene s = {.path = support_path(*state, "data"),
                              .threads = threads,
                              .count = 900,
                              .chunk_size = 3000,
                              .contents = 400,
                              .flags = O_RDWR};
            uint8_t *data;
            size_t size;

            run_scene(&s, ids[c]);
            assert_int_equal(s.failed, 0);
            check_result(&s);
            end_scene(&s);
            data = support_read_file(s.path, &size);
            if (threads == 1) {
                free(STEAL(reference));
                reference = data;
                reference_size = size;
                continue;
            }
            assert_int_equal(size, reference_size);
            assert_memory_equal(data, reference, size);
            free(data);
        }
    free(reference);
}

/* While the first chunk is late, the others stop when CHUNK_PACKER_WAITING is full. */
static void waiting_is_bounded(void **state)
{
    struct scene s = {.path = support_path(*state, "data"),
                      .threads = 4,
                      .count = 120,
                      .chunk_size = MIB,
                      .contents = 100000,
                      .hold_first_ms = 1500,
                      .flags = O_RDWR};

    run_scene(&s, IMAGE_NONE);
    assert_int_equal(s.failed, 0);
    /* A content comes three times in a row, and only the first time it has to wait. */
    assert_in_range(s.started_at_first, 4, 3 * (CHUNK_PACKER_WAITING / MIB + 4));
    check_result(&s);
    end_scene(&s);
}

/* One that cannot be written ends those that wait for it, too: here all wait for the
 * first, and the descriptor is for reading. */
static void failure_ends_all(void **state)
{
    struct scene s = {.path = support_path(*state, "data"),
                      .threads = 4,
                      .count = 400,
                      .chunk_size = MIB,
                      .contents = 100000,
                      .hold_first_ms = 1000,
                      .flags = O_RDONLY};

    run_scene(&s, IMAGE_NONE);
    assert_int_equal(s.failed, 4);
    assert_in_range(s.started, 5, 100);
    end_scene(&s);
}

/* What no reader would take is refused as soon as it is seen. */
static void more_chunks_than_an_archive_has(void **state)
{
    struct scene s = {.path = support_path(*state, "data"), .threads = 1, .flags = O_RDWR};
    struct err e = ERR_INIT;

    run_scene(&s, IMAGE_NONE); /* of no chunks */
    assert_ok(chunk_packer_chunk(s.pack, 0, 0, (const uint8_t *)"data", 4, &e), e);
    assert_fails(chunk_packer_chunk(s.pack, 0, LIMIT_ORDER, (const uint8_t *)"data", 4, &e), e,
                 ERR_USAGE, "too many chunks");
    end_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_order, support_make_directory,
                                        support_remove_directory),
        cmocka_unit_test_setup_teardown(waiting_is_bounded, support_make_directory,
                                        support_remove_directory),
        cmocka_unit_test_setup_teardown(failure_ends_all, support_make_directory,
                                        support_remove_directory),
        cmocka_unit_test_setup_teardown(more_chunks_than_an_archive_has, support_make_directory,
                                        support_remove_directory),
    };

    return cmocka_run_group_tests_name("pack", tests, NULL, NULL);
}
