/* SPDX-License-Identifier: MIT */
/* test_chunk_hash: BLAKE2b of any length, against known answers. */
#include "support.h"

#include "base/text.h"
#include "format/chunk_hash.h"

#include <string.h>

/* "abc": RFC 7693, appendix A. The others: the known answers published with
 * BLAKE2 (unkeyed BLAKE2b-512 of the bytes 00 01 02 ...). */
static const struct {
    const char *input;
    size_t size;
    const char *hash;
} vectors[] = {
    {"abc", 3,
     "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
     "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923"},
    {"", 0,
     "786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419"
     "d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce"},
    {"\0", 1,
     "2fa3f686df876995167e7c2e5d74c4c7b6e48f8068fe0e44208344d480f7904c"
     "36963e44115fe3eb2a3ac8694c28bcb4f5a0f3276f2e79487d8219057a506e4b"},
};

static void assert_hash(const uint8_t hash[CHUNK_HASH_SIZE], const char *expected)
{
    char hex[CHUNK_HASH_HEX];

    text_hex(hash, CHUNK_HASH_SIZE, hex);
    assert_string_equal(hex, expected);
}

/* One hasher for all messages, as the programs use it. */
static void published_vectors(void **state)
{
    struct err e = ERR_INIT;
    struct chunk_hasher *h = chunk_hasher_new(&e);
    uint8_t hash[CHUNK_HASH_SIZE];

    (void)state;
    assert_non_null(h);
    for (size_t i = 0; i < COUNT(vectors); i++) {
        assert_ok(chunk_hash(h, vectors[i].input, vectors[i].size, hash, &e), e);
        assert_hash(hash, vectors[i].hash);
    }
    chunk_hasher_free(h);
}

static void in_pieces(void **state)
{
    struct err e = ERR_INIT;
    struct chunk_hasher *h = chunk_hasher_new(&e);
    uint8_t hash[CHUNK_HASH_SIZE];

    (void)state;
    assert_ok(chunk_hash_begin(h, &e), e);
    assert_ok(chunk_hash_peek(h, hash, &e), e);
    assert_hash(hash, vectors[1].hash); /* of nothing */
    assert_ok(chunk_hash_update(h, "a", 1, &e), e);
    assert_ok(chunk_hash_peek(h, hash, &e), e);
    assert_ok(chunk_hash_update(h, "bc", 2, &e), e); /* peeking did not end it */
    assert_ok(chunk_hash_peek(h, hash, &e), e);
    assert_hash(hash, vectors[0].hash);
    assert_ok(chunk_hash_end(h, hash, &e), e);
    assert_hash(hash, vectors[0].hash);
    assert_ok(chunk_hash(h, "", 0, hash, &e), e); /* nothing is left over */
    assert_hash(hash, vectors[1].hash);
    chunk_hasher_free(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(in_pieces),
    };

    return cmocka_run_group_tests_name("chunk_hash", tests, NULL, NULL);
}
