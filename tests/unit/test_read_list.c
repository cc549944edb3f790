/* SPDX-License-Identifier: MIT */
/* test_read_list: reading parts of chunk files ahead, with io_uring and without. */
#include "support.h"

#include "plugin/read_list.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILES     3
#define FILE_SIZE ((size_t)(100 * KIB))

struct files {
    int fds[FILES];
    struct prefetch_part parts[FILES];
};

static void open_files(const char *directory, struct files *f)
{
    static uint8_t data[FILE_SIZE];
    char name[] = "0";

    for (int i = 0; i < FILES; i++, name[0]++) {
        support_fill(data, sizeof data, 1);
        support_write_file(support_path(directory, name), data, sizeof data);
        f->fds[i] = open(support_path(directory, name), O_RDONLY | O_CLOEXEC);
        assert_true(f->fds[i] >= 0);
        f->parts[i] = (struct prefetch_part){.fd = f->fds[i], .size = FILE_SIZE};
    }
}

static void close_files(struct files *f)
{
    for (int i = 0; i < FILES; i++)
        close(f->fds[i]);
}

static void drop_from_memory(int fd)
{
    assert_int_equal(fsync(fd), 0);
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

static bool in_memory(int fd, off_t offset)
{
    char byte;
    struct iovec to = {&byte, 1};

    return preadv2(fd, &to, 1, offset, RWF_NOWAIT) == 1;
}

/* Some file systems keep all in memory, or know no reads that do not wait. */
static bool can_be_dropped(int fd)
{
    char byte;

    assert_int_equal(pread(fd, &byte, 1, 0), 1);
    if (!in_memory(fd, 0))
        return false;
    drop_from_memory(fd);
    return !in_memory(fd, 0);
}

static void tells_what_was_cold(void **state)
{
    struct read_list p;
    struct files f;

    open_files(*state, &f);
    if (!can_be_dropped(f.fds[0])) {
        close_files(&f);
        skip();
    }
    read_list_init(&p, true);
    for (int i = 0; i < FILES; i++)
        drop_from_memory(f.fds[i]);
    assert_true(read_list_read(&p, f.parts, FILES));
    if (p.ring) {
        for (int i = 0; i < FILES; i++) { /* waits for what was begun */
            char byte;

            assert_int_equal(pread(f.fds[i], &byte, 1, 0), 1);
            assert_int_equal(pread(f.fds[i], &byte, 1, FILE_SIZE - 1), 1);
        }
        assert_false(read_list_read(&p, f.parts, FILES));
        drop_from_memory(f.fds[1]);
        assert_true(read_list_read(&p, f.parts, FILES));
    }
    read_list_free(&p);
    close_files(&f);
}

/* What is read is the part, all of it and no more than the pages it lies in. */
static void reads_the_part(void **state)
{
    struct read_list p;
    struct files f;
    char byte;

    open_files(*state, &f);
    if (!can_be_dropped(f.fds[0])) {
        close_files(&f);
        skip();
    }
    read_list_init(&p, true);
    drop_from_memory(f.fds[0]);
    posix_fadvise(f.fds[0], 0, 0, POSIX_FADV_RANDOM);
    f.parts[0].offset = 50000;
    f.parts[0].size = 20000;
    assert_true(read_list_read(&p, f.parts, 1));
    assert_int_equal(pread(f.fds[0], &byte, 1, 50000), 1);
    assert_int_equal(pread(f.fds[0], &byte, 1, 69999), 1);
    assert_true(in_memory(f.fds[0], 60000));
    assert_false(in_memory(f.fds[0], 40000));
    assert_false(in_memory(f.fds[0], 80000));
    read_list_free(&p);
    close_files(&f);
}

/* Without io_uring it is not known what is cached, and advice to the kernel does the work. */
static void does_without_a_ring(void **state)
{
    struct read_list p;
    struct files f;

    open_files(*state, &f);
    read_list_init(&p, true);
    p.tried = true;
    assert_true(read_list_read(&p, f.parts, FILES));
    assert_true(read_list_read(&p, f.parts, FILES));
    assert_null(p.ring);
    read_list_free(&p);
    close_files(&f);
}

/* A part that cannot be read is no reason to do without the ring. */
static void survives_bad_parts(void **state)
{
    const struct prefetch_part bad = {.fd = -1, .size = 1};
    struct prefetch_part many[PREFETCH_PARTS];
    struct read_list p;
    struct files f;
    bool had_ring;

    open_files(*state, &f);
    read_list_init(&p, true);
    for (size_t i = 0; i < PREFETCH_PARTS; i++)
        many[i] = f.parts[i % FILES];
    (void)read_list_read(&p, many, PREFETCH_PARTS);
    had_ring = p.ring != NULL;
    many[7] = bad;
    (void)read_list_read(&p, many, PREFETCH_PARTS);
    (void)read_list_read(&p, many, PREFETCH_PARTS);
    assert_true(had_ring == (p.ring != NULL));
    read_list_free(&p);
    close_files(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_what_was_cold, support_make_directory,
                                        support_remove_directory),
        cmocka_unit_test_setup_teardown(reads_the_part, support_make_directory,
                                        support_remove_directory),
        cmocka_unit_test_setup_teardown(does_without_a_ring, support_make_directory,
                                        support_remove_directory),
        cmocka_unit_test_setup_teardown(survives_bad_parts, support_make_directory,
                                        support_remove_directory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
