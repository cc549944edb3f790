/* SPDX-License-Identifier: MIT */
/* test_ed25519: signatures as RFC 8032 has them are made and verified, and what is not strictly of
 * its form is refused, also where the equation holds. */
#include "support.h"

#include "base/text.h"
#include "signature/ed25519.h"
#include "signature/ed25519_sign.h"

#include "ed25519_vectors.h"

#include <string.h>

/* RFC 8032, section 7.1: TEST 1, 2, 3 and TEST SHA(abc). */
static const struct {
    const char *seed, *key, *message, *signature;
} good[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
     "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
     "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
     "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"},
};

static void unhex(const char *hex, uint8_t *out, size_t size)
{
    assert_int_equal(text_unhex(hex, out, size), size);
}

static bool verifies(const uint8_t *key, const void *message, size_t size, const uint8_t *signature)
{
    struct err e = ERR_INIT;
    bool is_good;

    assert_ok(ed25519_verify(key, message, size, signature, &is_good, &e), e);
    return is_good;
}

static void vectors_of_the_rfc(void **state)
{
    uint8_t seed[32], key[32], made_key[32], message[64], signature[64], made[64];
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        size_t size = strlen(good[i].message) / 2;

        unhex(good[i].seed, seed, sizeof seed);
        unhex(good[i].key, key, sizeof key);
        unhex(good[i].message, message, size);
        unhex(good[i].signature, signature, sizeof signature);
        assert_ok(ed25519_public(seed, made_key, &e), e);
        assert_memory_equal(made_key, key, sizeof key);
        assert_ok(ed25519_sign(seed, message, size, made, &e), e);
        assert_memory_equal(made, signature, sizeof made);
        assert_true(ed25519_is_key(key));
        assert_true(verifies(key, message, size, signature));
    }
}

static void each_bit_counts(void **state)
{
    uint8_t key[32], message[64], signature[64];

    (void)state;
    unhex(good[3].key, key, sizeof key);
    unhex(good[3].message, message, sizeof message);
    unhex(good[3].signature, signature, sizeof signature);
    for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(verifies(key, message, sizeof message, signature));
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(verifies(key, message, sizeof message, signature));
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof key; bit++) {
        key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(verifies(key, message, sizeof message, signature));
        key[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_false(verifies(key, message, sizeof message - 1, signature));
    assert_true(verifies(key, message, sizeof message, signature));
}

/* S and S + L solve the same equation. */
static void s_has_one_form(void **state)
{
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    uint8_t key[32], message[64], signature[64];
    unsigned carry = 0;

    (void)state;
    unhex(good[3].key, key, sizeof key);
    unhex(good[3].message, message, sizeof message);
    unhex(good[3].signature, signature, sizeof signature);
    for (int i = 0; i < 32; i++) {
        carry += signature[32 + i] + order[i];
        signature[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_false(verifies(key, message, sizeof message, signature));
}

static void points_of_small_order(void **state)
{
    static const uint8_t message[64];
    uint8_t key[32], signature[64];

    (void)state;
    for (size_t i = 0; i < COUNT(ed25519_vectors); i++) {
        unhex(ed25519_vectors[i].key, key, sizeof key);
        unhex(ed25519_vectors[i].signature, signature, sizeof signature);
        assert_int_equal(ed25519_is_key(key), i >= 14);
        assert_false(verifies(key, message, sizeof message, signature));
    }
}

/* The encodings of y from p to 2^255 - 1 stand for y - p. */
static void keys_have_one_form(void **state)
{
    uint8_t key[32];

    (void)state;
    memset(key, 0xff, sizeof key);
    key[31] = 0x7f;
    for (int low = 0xed; low <= 0xff; low++) {
        key[0] = (uint8_t)low;
        assert_false(ed25519_is_key(key));
        key[31] = 0xff;
        assert_false(ed25519_is_key(key));
        key[31] = 0x7f;
    }
    key[0] = 0xeb; /* p - 2 is one number more than that of the point of order 2 */
    assert_true(ed25519_is_key(key));
}

/* A y that belongs to no point. */
static void keys_that_are_no_points(void **state)
{
    uint8_t key[32] = {2}, message[64] = {0}, signature[64];

    (void)state;
    unhex(good[3].signature, signature, sizeof signature);
    assert_true(ed25519_is_key(key));
    assert_false(verifies(key, message, sizeof message, signature));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_the_rfc), cmocka_unit_test(each_bit_counts),
        cmocka_unit_test(s_has_one_form),     cmocka_unit_test(points_of_small_order),
        cmocka_unit_test(keys_have_one_form), cmocka_unit_test(keys_that_are_no_points),
    };

    return cmocka_run_group_tests_name("ed25519", tests, NULL, NULL);
}
