/* SPDX-License-Identifier: MIT */
/* test_trust: what the door refuses, and that it gives the reason. */
#include "support.h"

#include "fetch/trust.h"

#include <string.h>

static const uint32_t sizes[] = {1000, 2000};

/* Asks for an image with hashes of this length. */
static int ask(const struct trust *t, size_t hash_length, struct err *e)
{
    struct image image = support_image(sizes, COUNT(sizes), hash_length);
    int r = trust_check_image(t, &image, e);

    image_free(&image);
    return r;
}

static void hash_length(void **state)
{
    struct trust t = {.min_hash_length = LIMIT_HASH_TRUSTED};
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(ask(&t, 16, &e), e);
    assert_fails(ask(&t, 15, &e), e, ERR_ARCHIVE, "--allow-short-hash");
    t.min_hash_length = LIMIT_HASH_PINNED;
    assert_ok(ask(&t, 32, &e), e);
    assert_fails(ask(&t, 31, &e), e, ERR_ARCHIVE, "with a pinned header");
    t = TRUST_ANY;
    assert_ok(ask(&t, 4, &e), e);
}

static void pinned_header(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 64);
    uint8_t pin[CHUNK_HASH_SIZE];
    struct trust t = {.min_hash_length = LIMIT_HASH_PINNED, .pinned_checksum = pin};
    struct err e = ERR_INIT;

    (void)state;
    memcpy(pin, image.header_checksum, sizeof pin);
    assert_ok(trust_check_header(&t, image.header_checksum, &e), e);
    assert_ok(trust_check_image(&t, &image, &e), e);
    for (size_t i = 0; i < sizeof pin; i++) {
        pin[i] ^= 1;
        assert_fails(trust_check_header(&t, image.header_checksum, &e), e, ERR_ARCHIVE,
                     "--verify-header");
        assert_fails(trust_check_image(&t, &image, &e), e, ERR_ARCHIVE, "--verify-header");
        pin[i] ^= 1;
    }
    image_free(&image);
}

/* Asks for an image that says this about itself; NULL: nothing. */
static int ask_facts(const struct trust *t, const char *version, const char *compatible,
                     struct err *e)
{
    struct image image = support_image(sizes, COUNT(sizes), 64);
    struct image_metadata said[2];
    size_t count = 0;
    int r;

    if (version)
        said[count++] =
            (struct image_metadata){(char *)"ihop.version", (uint8_t *)version, strlen(version)};
    if (compatible)
        said[count++] = (struct image_metadata){(char *)"ihop.compatible", (uint8_t *)compatible,
                                                strlen(compatible)};
    image.metadata = said;
    image.metadata_count = count;
    r = trust_check_image(t, &image, e);
    image.metadata = NULL;
    image.metadata_count = 0;
    image_free(&image);
    return r;
}

static void device_type(void **state)
{
    struct trust t = {.compatible = NULL};
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(ask_facts(&t, NULL, "board-b", &e), e);
    t.compatible = "board-a";
    assert_ok(ask_facts(&t, NULL, "board-b\nboard-a", &e), e);
    assert_fails(ask_facts(&t, NULL, "board-b\nboard-c", &e), e, ERR_ARCHIVE,
                 "it is for devices of the type 'board-b', 'board-c', and this one is 'board-a'");
    assert_fails(ask_facts(&t, NULL, NULL, &e), e, ERR_ARCHIVE, "does not say which devices");
    assert_fails(ask_facts(&t, NULL, " ", &e), e, ERR_ARCHIVE, "no device type");
    t = TRUST_ANY;
    t.compatible = "board-a";
    assert_ok(ask_facts(&t, "x", "y", &e), e);
}

static void minimum_version(void **state)
{
    struct trust t = {.minimum = 5, .allow_downgrade = true};
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(ask_facts(&t, "5", NULL, &e), e);
    assert_fails(ask_facts(&t, "4", NULL, &e), e, ERR_ARCHIVE,
                 "its version 4 is below 5, the minimum");
    assert_fails(ask_facts(&t, NULL, NULL, &e), e, ERR_ARCHIVE,
                 "it has no version, which is below 5");
    t.minimum = 0;
    assert_ok(ask_facts(&t, NULL, NULL, &e), e);
    assert_fails(ask_facts(&t, "05", NULL, &e), e, ERR_ARCHIVE, "no number");
}

static void downgrade(void **state)
{
    struct image image = support_image(sizes, COUNT(sizes), 64);
    struct trust t = {.newest = 7, .newest_release = "v7"};
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(ask_facts(&t, "7", NULL, &e), e);
    assert_ok(ask_facts(&t, "8", NULL, &e), e);
    assert_fails(ask_facts(&t, "6", NULL, &e), e, ERR_ARCHIVE,
                 "its version 6 is lower than 7, the version of release v7: pass --allow-down");
    assert_fails(ask_facts(&t, NULL, NULL, &e), e, ERR_ARCHIVE,
                 "it has no version, which is lower");
    t.allow_downgrade = true;
    assert_ok(ask_facts(&t, "6", NULL, &e), e);
    t.allow_downgrade = false;
    t.installed_checksum = image.header_checksum;
    assert_ok(ask_facts(&t, "6", NULL, &e), e);
    image.header_checksum[63] ^= 1;
    assert_fails(ask_facts(&t, "6", NULL, &e), e, ERR_ARCHIVE, "--allow-downgrade");
    image.header_checksum[63] ^= 1;
    /* What is installed may be repaired, but not below the minimum. */
    t.minimum = 7;
    assert_fails(ask_facts(&t, "6", NULL, &e), e, ERR_ARCHIVE, "is below 7");
    image_free(&image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_length), cmocka_unit_test(pinned_header),
        cmocka_unit_test(device_type), cmocka_unit_test(minimum_version),
        cmocka_unit_test(downgrade),
    };

    return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
