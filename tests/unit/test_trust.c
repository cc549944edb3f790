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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hash_length),
        cmocka_unit_test(pinned_header),
    };

    return cmocka_run_group_tests_name("trust", tests, NULL, NULL);
}
