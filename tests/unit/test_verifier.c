/* SPDX-License-Identifier: MIT */
/* test_verifier: each chunk is hashed once before its first bytes are served. */
#include "support.h"

#include "base/cleanup.h"
#include "plugin/chunk_fds.h"
#include "plugin/stats.h"
#include "plugin/verifier.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The plugin's own, for what is tested here alone. */

int ihop_debug_stats;

void stats_add(enum stats_event event, uint64_t amount)
{
    (void)event;
    (void)amount;
}

static struct verifier *verifier; /* of the test at hand */
static bool good_too_early, put_in_place, fails;

/* At this moment other threads still read the old file. */
bool chunk_fds_replace(const struct chunk_lease *kept, const struct chunk_lease *fresh)
{
    good_too_early = verifier_is_good(verifier, 0);
    put_in_place = kept->fd == 100 && fresh->kept == false;
    return !fails;
}

static const uint32_t sizes[] = {100000};

static int chunk_file(const char *directory, const struct image *image, bool good)
{
    const char *path = support_path(directory, good ? "good" : "bad");
    uint8_t *data = support_chunk(image, 0);
    int fd;

    data[99999] ^= !good;
    support_write_file(path, data, sizes[0]);
    free(data);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void replaces_first(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    const struct chunk_lease kept = {.fd = 100, .kept = true};
    struct chunk_lease good = {.fd = chunk_file(*state, &image, true)};
    struct chunk_lease bad = {.fd = chunk_file(*state, &image, false)};
    struct err e = ERR_INIT;

    verifier = verifier_new(&image, &e);
    assert_non_null(verifier);
    put_in_place = false;
    /* A chunk that cannot be put in place is good for its reader, not for the others. */
    fails = true;
    assert_ok(verifier_replace(verifier, 0, &kept, &good, "c", &e), e);
    assert_true(put_in_place);
    assert_false(verifier_is_good(verifier, 0));
    fails = false;
    assert_ok(verifier_replace(verifier, 0, &kept, &good, "c", &e), e);
    assert_false(good_too_early);
    assert_true(verifier_is_good(verifier, 0));
    /* A replacement that comes later is hashed, though the chunk before it was good. */
    put_in_place = false;
    assert_fails(verifier_replace(verifier, 0, &kept, &bad, "c", &e), e, ERR_DAMAGED,
                 "does not match its hash");
    assert_false(put_in_place);
    assert_true(verifier_is_bad(verifier, 0));
    /* A chunk that was found bad stays bad. */
    assert_fails(verifier_replace(verifier, 0, &kept, &good, "c", &e), e, ERR_DAMAGED, "hash");
    assert_fails(verifier_check(verifier, 0, good.fd, "c", &e), e, ERR_DAMAGED, "hash");
    assert_false(put_in_place);
    verifier_free(verifier);
    close(good.fd);
    close(bad.fd);
    image_free(&image);
}

static void checks(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 32);
    int good = chunk_file(*state, &image, true), bad = chunk_file(*state, &image, false);
    struct err e = ERR_INIT;

    verifier = verifier_new(&image, &e);
    assert_non_null(verifier);
    assert_ok(verifier_check(verifier, 0, good, "c", &e), e);
    assert_true(verifier_is_good(verifier, 0));
    assert_ok(verifier_check(verifier, 0, bad, "c", &e), e); /* not hashed again */
    verifier_free(verifier);
    verifier = verifier_new(&image, &e);
    assert_fails(verifier_check(verifier, 0, bad, "c", &e), e, ERR_DAMAGED, "hash");
    assert_true(verifier_is_bad(verifier, 0));
    verifier_free(verifier);
    close(good);
    close(bad);
    image_free(&image);
}

#define IN_DIRECTORY(test)                                                                         \
    cmocka_unit_test_setup_teardown(test, support_make_directory, support_remove_directory)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(replaces_first),
        IN_DIRECTORY(checks),
    };

    return cmocka_run_group_tests_name("verifier", tests, NULL, NULL);
}
