/* SPDX-License-Identifier: MIT */
/* test_release_lock: a server opens a release and waits for its lock while a clean-up removes that
 * file: it must see that what it has locked is gone, and take what has the name then. */
#include "store_support.h"

#include "store/release_load.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static const uint32_t old_sizes[] = {10000, 20000};
static const uint32_t new_sizes[] = {10000, 20001, 30000};

/* What the server loads as "r". */
struct loader {
    struct store *s;
    struct image image;
    int lock_fd, result;
    struct err e;
};

static void *load(void *user)
{
    struct loader *l = user;

    l->e = (struct err)ERR_INIT;
    l->result = store_release_load(l->s, "r", &l->image, &l->lock_fd, &l->e);
    return NULL;
}

/* How many descriptors of this process are the file at path. */
static unsigned count_open(const char *path)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;
    struct dirent *entry;

    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        char target[4096];
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, target, sizeof target - 1);

        if (n > 0) {
            target[n] = '\0';
            count += strcmp(target, path) == 0;
        }
    }
    closedir(dir);
    return count;
}

static void wait_until_opened(const char *path)
{
    const struct timespec pause = {.tv_nsec = 1000000};

    while (count_open(path) < 2) /* ours is one */
        nanosleep(&pause, NULL);
}

/* Takes all locks on the file that a clean-up takes. */
static int lock(const char *path)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CLOEXEC);

    assert_int_equal(fcntl(fd, F_OFD_SETLK, &whole), 0);
    assert_int_equal(flock(fd, LOCK_EX), 0);
    return fd;
}

/* The file is locked, then opened by the server, then gone; after that another one, or
 * none, has its name. */
static void race(struct loader *l, const char *directory, bool with_new)
{
    struct image old = support_image(old_sizes, COUNT(old_sizes), 64);
    struct image new = support_image(new_sizes, COUNT(new_sizes), 64);
    char *path;
    pthread_t thread;
    int fd;

    store_support_publish(l->s, "new", &new);
    store_support_publish(l->s, "r", &old);
    path = realpath(support_path(directory, "store/r"), NULL);
    fd = lock(path);
    assert_int_equal(pthread_create(&thread, NULL, load, l), 0);
    wait_until_opened(path);
    assert_int_equal(unlink(path), 0);
    if (with_new)
        assert_int_equal(rename(support_path(directory, "store/new"), path), 0);
    close(fd); /* and the locks */
    pthread_join(thread, NULL);
    free(path);
    if (l->result == 0)
        assert_true(image_same_source(&l->image, with_new ? &new : &old));
    image_free(&old);
    image_free(&new);
}

/* The machine is so busy that the server does not wait long enough: try once more. */
static struct loader run(void **state, bool with_new)
{
    struct loader l = {.s = store_support_open(*state, STORE_SYNC_AUTO, false), .lock_fd = -1};

    do
        race(&l, *state, with_new);
    while (l.result < 0 && l.e.kind == ERR_BUSY);
    return l;
}

static void finish(struct loader *l)
{
    if (l->lock_fd >= 0)
        close(l->lock_fd);
    image_free(&l->image);
    store_close(l->s);
}

static void takes_what_replaced_it(void **state)
{
    struct loader l = run(state, true);
    int fd = open(support_path(*state, "store/r"), O_RDONLY | O_CLOEXEC);

    assert_ok(l.result, l.e);
    /* The locked file is the one that has the name. */
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    close(fd);
    finish(&l);
}

static void nothing_replaced_it(void **state)
{
    struct loader l = run(state, false);

    assert_fails(l.result, l.e, ERR_NOT_FOUND, "no release r");
    finish(&l);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(takes_what_replaced_it),
        IN_DIRECTORY(nothing_replaced_it),
    };

    return cmocka_run_group_tests_name("release_lock", tests, NULL, NULL);
}
