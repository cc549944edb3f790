/* SPDX-License-Identifier: MIT */
/* test_read_batch: several reads by one system call. */
#include "support.h"

#include "base/limits.h"
#include "plugin/read_batch.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define FILE_SIZE ((size_t)(300 * KIB))

struct fixture {
    struct read_batch batch;
    uint8_t data[FILE_SIZE];
    int fd;
};
static struct fixture f;

/* False where there is no io_uring: there nothing is ever done, which is right as well. */
static bool begin(const char *directory)
{
    support_fill(f.data, sizeof f.data, 1);
    support_write_file(support_path(directory, "file"), f.data, sizeof f.data);
    f.fd = open(support_path(directory, "file"), O_RDONLY | O_CLOEXEC);
    assert_true(f.fd >= 0);
    read_batch_init(&f.batch);
    return f.batch.count > 0;
}

static void end(void)
{
    close(f.fd);
    read_batch_free(&f.batch);
}

/* As many parts of the file as a batch may have, in any order. */
static void fill_items(struct read_batch_item *items, size_t count, uint8_t *buf)
{
    for (size_t i = 0; i < count; i++) {
        size_t place = (i * 7 % count) * 9000 + i;

        items[i] = (struct read_batch_item){
            .fd = f.fd, .buf = buf + i * 9000, .size = (uint32_t)(8000 + i), .offset = place};
    }
}

static bool are_right(const struct read_batch_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!items[i].done || memcmp(items[i].buf, f.data + items[i].offset, items[i].size) != 0)
            return false;
    return true;
}

static void reads_many_parts(void **state)
{
    static uint8_t buf[READ_BATCH_MAX * 9000];
    struct read_batch_item items[READ_BATCH_MAX];

    if (!begin(*state)) {
        end();
        skip();
    }
    for (size_t count = 1; count <= READ_BATCH_MAX; count++) {
        memset(buf, 0, sizeof buf);
        fill_items(items, count, buf);
        read_batch_run(&f.batch, items, count);
        assert_true(are_right(items, count));
    }
    end();
}

/* What fails or ends early is not done; its neighbours are. */
static void leaves_what_is_not_whole(void **state)
{
    static uint8_t buf[4][4096];
    struct read_batch_item items[4];

    if (!begin(*state)) {
        end();
        skip();
    }
    for (size_t i = 0; i < 4; i++)
        items[i] =
            (struct read_batch_item){.fd = f.fd, .buf = buf[i], .size = sizeof buf[i], .offset = i};
    items[1].fd = 1 << 20; /* not open */
    items[2].offset = FILE_SIZE - 100;
    for (int again = 0; again < 2; again++) {
        read_batch_run(&f.batch, items, 4);
        assert_true(items[0].done);
        assert_false(items[1].done);
        assert_false(items[2].done);
        assert_true(items[3].done);
        assert_memory_equal(buf[3], f.data + 3, sizeof buf[3]);
    }
    end();
}

/* Without a ring that is free nothing is done, and nothing waits. */
static void does_nothing_without_rings(void **state)
{
    uint8_t buf[16];
    struct read_batch none = {0};
    struct read_batch_item item = {.buf = buf, .size = sizeof buf, .done = true};

    (void)begin(*state);
    item.fd = f.fd;
    read_batch_run(&none, &item, 1);
    assert_false(item.done);
    end();
}

static atomic_uint wrong, done;

static void *read_again_and_again(void *unused)
{
    static _Thread_local uint8_t buf[READ_BATCH_MAX * 9000];
    struct read_batch_item items[READ_BATCH_MAX];

    (void)unused;
    for (int i = 0; i < 200; i++) {
        fill_items(items, READ_BATCH_MAX, buf);
        read_batch_run(&f.batch, items, READ_BATCH_MAX);
        for (size_t k = 0; k < READ_BATCH_MAX; k++) {
            atomic_fetch_add(&done, items[k].done);
            if (items[k].done && !are_right(&items[k], 1))
                atomic_fetch_add(&wrong, 1);
        }
    }
    return NULL;
}

/* More threads than rings: what finds none is left, and nobody gets another one's bytes. */
static void serves_threads_apart(void **state)
{
    pthread_t threads[24];

    if (!begin(*state)) {
        end();
        skip();
    }
    for (size_t i = 0; i < 24; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_again_and_again, NULL), 0);
    for (size_t i = 0; i < 24; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(atomic_load(&wrong), 0);
    assert_true(atomic_load(&done) > 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_many_parts, support_make_directory,
                                        support_remove_directory),
        cmocka_unit_test_setup_teardown(leaves_what_is_not_whole, support_make_directory,
                                        support_remove_directory),
        cmocka_unit_test_setup_teardown(does_nothing_without_rings, support_make_directory,
                                        support_remove_directory),
        cmocka_unit_test_setup_teardown(serves_threads_apart, support_make_directory,
                                        support_remove_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
