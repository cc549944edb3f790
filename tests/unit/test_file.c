/* SPDX-License-Identifier: MIT */
/* test_file: the reader of local archives. */
#include "support.h"

#include "reader/file.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct reader *open_ok(const char *path)
{
    struct err e = ERR_INIT;
    struct reader *r = reader_open_file(path, &e);

    if (!r)
        fail_msg("failed: %s", e.text);
    return r;
}

static void reads_ranges(void **state)
{
    const char *path = support_path(*state, "a.cba");
    struct err e = ERR_INIT;
    uint8_t data[10] = {0};
    struct reader *r;

    support_write_file(path, "0123456789", 10);
    r = open_ok(path);
    assert_int_equal(r->size, 10);
    assert_ok(reader_read(r, 3, 4, data, &e), e);
    assert_memory_equal(data, "3456\0", 5);
    assert_ok(reader_read(r, 9, 1, data, &e), e);
    assert_int_equal(data[0], '9');
    assert_int_equal(r->stats.bytes, 5);
    assert_int_equal(r->stats.requests, 2);
    reader_close(r);
}

/* Somebody cuts the file while it is read: what does not come is not taken for come. */
static void a_file_that_is_cut(void **state)
{
    const char *path = support_path(*state, "a.cba");
    struct err e = ERR_INIT;
    uint8_t data[10] = {0};
    struct reader *r;

    support_write_file(path, "0123456789", 10);
    r = open_ok(path);
    assert_int_equal(truncate(path, 6), 0);
    assert_ok(reader_read(r, 2, 4, data, &e), e);
    assert_fails(reader_read(r, 3, 4, data, &e), e, ERR_ARCHIVE, "cut short");
    reader_close(r);
}

static void what_is_no_file(void **state)
{
    const char *fifo = support_path(*state, "fifo");
    struct err e = ERR_INIT;

    assert_null(reader_open_file(support_path(*state, "missing"), &e));
    assert_int_equal(e.kind, ERR_NOT_FOUND);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_null(reader_open_file(fifo, &e)); /* and does not wait for a writer */
    assert_int_equal(e.kind, ERR_IO);
    assert_null(reader_open_file(*state, &e));
    assert_int_equal(e.kind, ERR_IO);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(reads_ranges),
        IN_DIRECTORY(a_file_that_is_cut),
        IN_DIRECTORY(what_is_no_file),
    };

    return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
