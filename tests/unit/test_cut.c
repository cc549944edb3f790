/* SPDX-License-Identifier: MIT */
/* test_cut: several workers cut as one chunker does. */
#include "support.h"

#include "base/checked.h"
#include "base/io.h"
#include "base/limits.h"
#include "chunker/cut.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SIZE ((size_t)100000)

/* What the callbacks see, beside what they should see. */
struct seen {
    const uint8_t *data;
    size_t size;
    size_t ends[SIZE]; /* of each chunk, as one chunker cuts */
    size_t count;
    unsigned jobs;
    atomic_uchar handled[SIZE]; /* each chunk */
    atomic_size_t chunks, wrong;
    size_t shown;
    uint64_t progress;
    uint64_t fail_at; /* this chunk, or the byte of the input that fails */
};

static int see_chunk(void *user, const struct cut_chunk *chunk, struct err *e)
{
    struct seen *s = user;
    size_t start;

    (void)e;
    atomic_fetch_add(&s->chunks, 1);
    if (chunk->index >= s->count || chunk->worker >= s->jobs ||
        atomic_exchange(&s->handled[chunk->index], 1)) {
        atomic_fetch_add(&s->wrong, 1);
        return 0;
    }
    start = chunk->index ? s->ends[chunk->index - 1] : 0;
    if (chunk->offset != start || chunk->size != s->ends[chunk->index] - start ||
        memcmp(chunk->data, s->data + start, chunk->size) != 0)
        atomic_fetch_add(&s->wrong, 1);
    return 0;
}

static int see_input(void *user, const uint8_t *data, size_t size, struct err *e)
{
    struct seen *s = user;

    (void)e;
    if (size > s->size - s->shown || memcmp(data, s->data + s->shown, size) != 0)
        atomic_fetch_add(&s->wrong, 1);
    s->shown += size;
    return 0;
}

static void see_progress(void *user, uint64_t bytes_done)
{
    struct seen *s = user;

    if (bytes_done <= s->progress)
        atomic_fetch_add(&s->wrong, 1);
    s->progress = bytes_done;
}

/* Sets ends and count as one chunker cuts. */
static void expect(struct seen *s, const struct chunker_config *config)
{
    struct err e = ERR_INIT;
    struct chunker *c = chunker_new(config, &e);

    assert_non_null(c);
    s->count = 0;
    for (size_t at = 0; at < s->size;) {
        bool boundary;

        at += chunker_push(c, s->data + at, s->size - at, &boundary);
        s->ends[s->count++] = at;
    }
    chunker_free(c);
}

static int memory_file(const uint8_t *data, size_t size)
{
    int fd = memfd_create("input", MFD_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(io_write_full(fd, data, size), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static void reset(struct seen *s, unsigned jobs)
{
    s->jobs = jobs;
    for (size_t i = 0; i < s->count; i++)
        atomic_store(&s->handled[i], 0);
    atomic_store(&s->chunks, 0);
    atomic_store(&s->wrong, 0);
    s->shown = 0;
    s->progress = 0;
}

static void check_cut(struct seen *s, int fd, const struct chunker_config *config, unsigned jobs,
                      size_t piece_size)
{
    const struct cut_options options = {.jobs = jobs,
                                        .name = "it",
                                        .piece_size = piece_size,
                                        .chunk = see_chunk,
                                        .input = see_input,
                                        .progress = see_progress,
                                        .user = s};
    struct err e = ERR_INIT;
    uint64_t size = 1;

    reset(s, jobs);
    assert_ok(cut_input(fd, config, &options, &size, &e), e);
    assert_int_equal(size, s->size);
    assert_int_equal(s->wrong, 0);
    assert_int_equal(s->chunks, s->count);
    assert_int_equal(s->shown, s->size);
    assert_int_equal(s->progress, s->size);
}

static void fill_input(uint8_t *data, int kind)
{
    uint64_t seed = 17;

    support_fill(data, SIZE, 99);
    if (kind == 1) /* zeros, after a window that ends in another byte */
        memset(data + 64, 0, SIZE - 64);
    if (kind == 2)
        memset(data, 0, SIZE);
    if (kind == 3) /* long runs */
        for (size_t i = 0; i < SIZE; i += 2500)
            memset(data + i, (int)(support_random(&seed) % 4), min_size(2300, SIZE - i));
    if (kind == 4) /* a period: every chunk start goes on in a way of its own */
        for (size_t i = 500; i < SIZE; i++)
            data[i] = data[i - 500];
}
#define KINDS 5

static const struct chunker_config configs[] = {
    {IMAGE_ROLLSUM, 9, 64, 256, 4096},     {IMAGE_BUZHASH, 9, 64, 256, 4096},
    {IMAGE_ROLLSUM, 3, 64, 16, 50000},     {IMAGE_BUZHASH, 4, 16, 1, 300},
    {IMAGE_ROLLSUM, 5, 20, 600, 700},      {IMAGE_BUZHASH, 2, 64, 400, 1000},
    {IMAGE_ROLLSUM, 20, 64, 100, 1 << 20}, {IMAGE_FIXED_SIZE, 0, 0, 0, 5000},
    {IMAGE_FIXED_SIZE, 0, 0, 0, 1 << 20},
};

static void equal_to_one_chunker(void **state)
{
    static const size_t piece_sizes[] = {0, 50, 500, 4096, 25000, SIZE - 1, SIZE};
    struct seen *s = calloc(1, sizeof *s);
    uint8_t *data = malloc(SIZE);

    (void)state;
    assert_non_null(s);
    assert_non_null(data);
    s->data = data;
    s->size = SIZE;
    for (int kind = 0; kind < KINDS; kind++) {
        int fd;

        fill_input(data, kind);
        fd = memory_file(data, SIZE);
        for (size_t i = 0; i < COUNT(configs); i++) {
            expect(s, &configs[i]);
            for (size_t p = 0; p < COUNT(piece_sizes); p++) {
                unsigned jobs = 1 + (unsigned)(kind + (int)(i + p)) % 8;

                assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
                check_cut(s, fd, &configs[i], jobs, piece_sizes[p]);
            }
        }
        close(fd);
    }
    free(data);
    free(s);
}

/* Inputs of few bytes, and every piece size for them. */
static void short_inputs(void **state)
{
    static const uint32_t windows[] = {1, 5, 16};
    struct seen *s = calloc(1, sizeof *s);
    uint8_t data[48];

    (void)state;
    assert_non_null(s);
    support_fill(data, sizeof data, 3);
    s->data = data;
    for (s->size = 0; s->size <= sizeof data; s->size += 3) {
        int fd = memory_file(data, s->size);

        for (size_t i = 0; i < 2 * COUNT(windows); i++) {
            struct chunker_config config = {i % 2 ? IMAGE_ROLLSUM : IMAGE_BUZHASH, 2,
                                            windows[i / 2], 8, 20};

            expect(s, &config);
            for (size_t piece_size = 1; piece_size < 50; piece_size += 6) {
                assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
                check_cut(s, fd, &config, 2, piece_size);
            }
        }
        close(fd);
    }
    free(s);
}

struct pipe_writer {
    int fd;
    const uint8_t *data;
};

static void *write_pipe(void *argument)
{
    struct pipe_writer *w = argument;
    uint64_t seed = 1;

    for (size_t at = 0, n; at < SIZE; at += n) {
        n = min_size(1 + support_random(&seed) % 3000, SIZE - at);
        if (io_write_full(w->fd, w->data + at, n) < 0)
            break;
    }
    close(w->fd);
    return NULL;
}

static void a_pipe(void **state)
{
    struct seen *s = calloc(1, sizeof *s);
    uint8_t *data = malloc(SIZE);
    struct pipe_writer writer;
    pthread_t thread;
    int fds[2];

    (void)state;
    assert_non_null(s);
    assert_non_null(data);
    fill_input(data, 0);
    s->data = data;
    s->size = SIZE;
    expect(s, &configs[0]);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    writer = (struct pipe_writer){.fd = fds[1], .data = data};
    assert_int_equal(pthread_create(&thread, NULL, write_pipe, &writer), 0);
    check_cut(s, fds[0], &configs[0], 3, 4096);
    pthread_join(thread, NULL);
    close(fds[0]);
    free(data);
    free(s);
}

/* ---- order, errors ---- */

struct turns {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t next;
};

/* Waits until all workers with lower numbers are done. */
static int wait_turn(void *user, const struct cut_chunk *chunk, struct err *e)
{
    struct turns *t = user;

    (void)e;
    pthread_mutex_lock(&t->lock);
    while (t->next < chunk->index)
        pthread_cond_wait(&t->changed, &t->lock);
    t->next++;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
    return 0;
}

static void waiting_for_lower_ones(void **state)
{
    struct turns turns = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};
    struct cut_options options = {.name = "it", .chunk = wait_turn, .user = &turns};
    uint8_t *data = malloc(SIZE);
    struct err e = ERR_INIT;
    uint64_t size;
    int fd;

    (void)state;
    assert_non_null(data);
    fill_input(data, 0);
    fd = memory_file(data, SIZE);
    alarm(60); /* a deadlock ends the test */
    for (options.jobs = 1; options.jobs <= 8; options.jobs++) {
        turns.next = 0;
        options.piece_size = 1000 * options.jobs;
        assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
        assert_ok(cut_input(fd, &configs[0], &options, &size, &e), e);
        assert_true(turns.next > 100);
    }
    alarm(0);
    close(fd);
    free(data);
}

static int fail_chunk(void *user, const struct cut_chunk *chunk, struct err *e)
{
    const struct seen *s = user;

    if (chunk->index > s->fail_at)
        return err_set(e, ERR_CANCELLED, "after the failure");
    return chunk->index < s->fail_at ? 0 : err_set(e, ERR_SPACE, "chunk refused");
}

static int fail_input(void *user, const uint8_t *data, size_t size, struct err *e)
{
    struct seen *s = user;

    (void)data;
    s->shown += size;
    return s->shown <= s->fail_at ? 0 : err_set(e, ERR_MEMORY, "input refused");
}

static int take_any(void *user, const struct cut_chunk *chunk, struct err *e)
{
    (void)user;
    (void)chunk;
    (void)e;
    return 0;
}

static void first_error_wins(void **state)
{
    struct seen *s = calloc(1, sizeof *s);
    struct cut_options options = {.name = "it", .piece_size = 3000, .user = s};
    uint8_t *data = malloc(SIZE);
    uint64_t size;
    int fd;

    (void)state;
    assert_non_null(s);
    assert_non_null(data);
    fill_input(data, 0);
    fd = memory_file(data, SIZE);
    for (options.jobs = 1; options.jobs <= 4; options.jobs++) {
        for (s->fail_at = 0; s->fail_at < 60; s->fail_at += 7) {
            struct err e = ERR_INIT;

            options.chunk = fail_chunk;
            options.input = NULL;
            assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
            assert_fails(cut_input(fd, &configs[0], &options, &size, &e), e, ERR_SPACE,
                         "chunk refused");
        }
        for (s->fail_at = 0; s->fail_at < SIZE; s->fail_at += SIZE / 5) {
            struct err e = ERR_INIT;

            options.chunk = take_any;
            options.input = fail_input;
            s->shown = 0;
            assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
            assert_fails(cut_input(fd, &configs[0], &options, &size, &e), e, ERR_MEMORY,
                         "input refused");
        }
    }
    close(fd);
    free(data);
    free(s);
}

static void unreadable_inputs(void **state)
{
    const struct cut_options options = {.jobs = 3, .name = "the directory", .chunk = take_any};
    struct chunker_config bad = configs[0];
    struct err e = ERR_INIT;
    uint64_t size = 77;
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_fails(cut_input(fd, &configs[0], &options, &size, &e), e, ERR_IO,
                 "reading the directory: Is a directory");
    assert_int_equal(e.sys_errno, EISDIR);
    bad.filter_bits = 0;
    assert_fails(cut_input(fd, &bad, &options, &size, &e), e, ERR_USAGE, "filter bits");
    assert_int_equal(size, 77);
    close(fd);
}

/* ---- memory ---- */

struct hoard {
    atomic_size_t held, most;
    atomic_size_t chunks;
};

/* Each chunk is in memory for a while. */
static int hold(void *user, const struct cut_chunk *chunk, struct err *e)
{
    struct hoard *h = user;
    size_t held = atomic_fetch_add(&h->held, chunk->size) + chunk->size;

    (void)e;
    if (held > atomic_load(&h->most))
        atomic_store(&h->most, held); /* near enough: all calls here overlap */
    usleep(20000);
    atomic_fetch_sub(&h->held, chunk->size);
    atomic_fetch_add(&h->chunks, 1);
    return 0;
}

/* Chunks that span pieces stay within their budget, also when many could be held. */
static void spanning_chunks_are_bounded(void **state)
{
    const struct chunker_config config = {.algorithm = IMAGE_FIXED_SIZE, .max_size = 12 * MIB};
    struct hoard hoard = {0};
    const struct cut_options options = {.jobs = 8, .name = "it", .chunk = hold, .user = &hoard};
    struct err e = ERR_INIT;
    uint64_t size;
    int fd = memfd_create("input", MFD_CLOEXEC);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)(120 * MIB)), 0);
    assert_ok(cut_input(fd, &config, &options, &size, &e), e);
    assert_int_equal(hoard.chunks, 10);
    assert_true(hoard.most >= 12 * MIB);
    assert_true(hoard.most <= CUT_SPANNING);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_to_one_chunker),
        cmocka_unit_test(short_inputs),
        cmocka_unit_test(a_pipe),
        cmocka_unit_test(waiting_for_lower_ones),
        cmocka_unit_test(first_error_wins),
        cmocka_unit_test(unreadable_inputs),
        cmocka_unit_test(spanning_chunks_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
