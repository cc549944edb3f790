/* SPDX-License-Identifier: MIT */
/* test_verity_table: the value of --verity, superblocks made by hand, and the table for the kernel.
 */
#include "support.h"

#include "attach/verity_table.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define ROOT   "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define OFFSET 1048576

/* Where the fields begin, and how large they are: not by the names of the code under test. */
enum {
    AT_VERSION = 8,
    AT_TYPE = 12,
    AT_ALGORITHM = 32,
    AT_DATA = 64,
    AT_HASH = 68,
    AT_BLOCKS = 72,
    AT_SALT_SIZE = 80
};

static void put(uint8_t *s, size_t at, size_t size, uint64_t value)
{
    uint8_t bytes[8];

    text_put_le64(bytes, value);
    memcpy(s + at, bytes, size);
}

/* 256 data blocks of 4 KiB: one level of 2 hash blocks, then one block. */
static void make_superblock(uint8_t s[VERITY_SUPERBLOCK])
{
    memset(s, 0, VERITY_SUPERBLOCK);
    memcpy(s, "verity\0\0", 8);
    put(s, AT_VERSION, 4, 1);
    put(s, AT_TYPE, 4, 1);
    memset(s + 16, 0x5a, 16);
    memcpy(s + AT_ALGORITHM, "sha256", 6);
    put(s, AT_DATA, 4, 4096);
    put(s, AT_HASH, 4, 4096);
    put(s, AT_BLOCKS, 8, 256);
    put(s, AT_SALT_SIZE, 2, 3);
    memcpy(s + 88, "\x01\x02\xff", 3);
}

static struct verity_demand demand(const char *text)
{
    struct verity_demand d;
    struct err e = ERR_INIT;

    assert_ok(verity_demand_parse(text, &d, &e), e);
    return d;
}

static void demands_are_whole(void **state)
{
    static const char *const bad[] = {
        "roothash=" ROOT,
        "recorded,offset=4096",
        "recorded,roothash=" ROOT ",offset=4096",
        "recorded=1",
        "",
        "offset=4096",
        "roothash=" ROOT ",offset=0",
        "roothash=" ROOT ",offset=513",
        "roothash=" ROOT ",offset=1M",
        "roothash=" ROOT ",offset=-512",
        "roothash=0011,offset=512",
        "roothash=" ROOT "0,offset=512",
        "roothash=" ROOT ROOT ROOT ",offset=512",
        "roothash=" ROOT ",offset=512,",
        "roothash=" ROOT ",offset=512,ignore-zero-blocks=1",
        "roothash=" ROOT ",offset=512,on-corruption=ignore",
        "roothash= " ROOT ",offset=512",
    };
    struct verity_demand d = demand("offset=512,roothash=AABBCCDDEEFF00112233445566778899");
    struct err e = ERR_INIT;

    (void)state;
    assert_string_equal(d.root_hash, "aabbccddeeff00112233445566778899");
    assert_true(d.offset == 512 && d.on_corruption == VERITY_ERROR);
    assert_false(d.ignore_zero_blocks || d.check_at_most_once);
    d = demand("roothash=" ROOT ",on-corruption=panic,offset=1024,check-at-most-once");
    assert_true(d.on_corruption == VERITY_PANIC && d.check_at_most_once);
    assert_false(d.recorded);
    d = demand("recorded,on-corruption=restart");
    assert_true(d.recorded && d.on_corruption == VERITY_RESTART);
    d = demand("check-at-most-once");
    assert_true(d.recorded && d.check_at_most_once && d.offset == 0);
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_fails(verity_demand_parse(bad[i], &d, &e), e, ERR_USAGE, "--verity");
}

static void tables_are_the_kernels(void **state)
{
    struct verity_demand d = demand("roothash=" ROOT ",offset=1048576");
    uint8_t s[VERITY_SUPERBLOCK];
    struct verity_tree t;
    struct err e = ERR_INIT;
    char text[512];

    (void)state;
    make_superblock(s);
    assert_ok(verity_tree_parse(s, &d, OFFSET + 4 * 4096, 4096, &t, &e), e);
    assert_true(verity_table_write(&t, &d, "43:0", text, sizeof text));
    assert_string_equal(text, "1 43:0 43:0 4096 4096 256 257 sha256 " ROOT " 0102ff");
    d = demand("roothash=" ROOT ",offset=1048576,ignore-zero-blocks,on-corruption=restart");
    put(s, AT_SALT_SIZE, 2, 0);
    put(s, AT_HASH, 4, 1024);
    put(s, AT_TYPE, 4, 0);
    assert_ok(verity_tree_parse(s, &d, OFFSET + 20 * 1024, 4096, &t, &e), e);
    assert_true(verity_table_write(&t, &d, "43:16", text, sizeof text));
    assert_string_equal(text, "0 43:16 43:16 4096 1024 256 1025 sha256 " ROOT
                              " - 2 restart_on_corruption ignore_zero_blocks");
    assert_false(verity_table_write(&t, &d, "43:16", text, 100));
}

static void wrong_fields_are_refused(void **state)
{
    static const struct {
        size_t at, size;
        uint64_t value;
        const char *text;
    } bad[] = {
        {0, 1, 'V', "no superblock"},
        {7, 1, 1, "no superblock"},
        {AT_VERSION, 4, 2, "version 2"},
        {AT_TYPE, 4, 2, "type 2"},
        {AT_ALGORITHM, 1, 0, "no hash algorithm"},
        {AT_ALGORITHM + 2, 1, ' ', "no hash algorithm"},
        {AT_ALGORITHM + 2, 1, '(', "no hash algorithm"},
        {AT_DATA, 4, 0, "blocks of 0"},
        {AT_DATA, 4, 256, "blocks of 256"},
        {AT_DATA, 4, 4097, "blocks of 4097"},
        {AT_DATA, 4, 8192, "pages of 4096"},
        {AT_DATA, 4, 0x80000000, "blocks of 2147483648"},
        {AT_HASH, 4, 131072, "131072"},
        {AT_HASH, 4, 3072, "3072"},
        {AT_BLOCKS, 8, 0, "before the hash tree"},
        {AT_BLOCKS, 8, 257, "before the hash tree"},
        {AT_BLOCKS, 8, UINT64_MAX, "before the hash tree"},
        {AT_BLOCKS, 8, UINT64_C(1) << 52, "before the hash tree"},
        {AT_SALT_SIZE, 2, 257, "salt of 257"},
    };
    struct verity_demand d = demand("roothash=" ROOT ",offset=1048576");
    uint8_t s[VERITY_SUPERBLOCK];
    struct verity_tree t;
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        make_superblock(s);
        put(s, bad[i].at, bad[i].size, bad[i].value);
        assert_fails(verity_tree_parse(s, &d, OFFSET * 2, 4096, &t, &e), e, ERR_ARCHIVE,
                     bad[i].text);
    }
    make_superblock(s);
    memset(s + AT_ALGORITHM, 'a', 32); /* no NUL */
    assert_fails(verity_tree_parse(s, &d, OFFSET * 2, 4096, &t, &e), e, ERR_ARCHIVE, "algorithm");
}

/* The tree of 256 blocks begins a block after the superblock's and has 2 + 1 blocks. */
static void trees_end_before_the_image(void **state)
{
    struct verity_demand d = demand("roothash=" ROOT ",offset=1048576");
    uint8_t s[VERITY_SUPERBLOCK];
    struct verity_tree t;
    struct err e = ERR_INIT;

    (void)state;
    make_superblock(s);
    assert_ok(verity_tree_parse(s, &d, OFFSET + 4 * 4096, 4096, &t, &e), e);
    assert_fails(verity_tree_parse(s, &d, OFFSET + 4 * 4096 - 512, 4096, &t, &e), e, ERR_ARCHIVE,
                 "tree does not end");
    assert_fails(verity_tree_parse(s, &d, OFFSET + 512, 4096, &t, &e), e, ERR_ARCHIVE,
                 "tree does not end");
    assert_fails(verity_tree_parse(s, &d, OFFSET + 511, 4096, &t, &e), e, ERR_ARCHIVE,
                 "the image ends");
    put(s, AT_BLOCKS, 8, 128); /* one level, of one block */
    assert_ok(verity_tree_parse(s, &d, OFFSET + 2 * 4096, 4096, &t, &e), e);
    put(s, AT_BLOCKS, 8, 129);
    assert_fails(verity_tree_parse(s, &d, OFFSET + 3 * 4096, 4096, &t, &e), e, ERR_ARCHIVE,
                 "tree does not end");
    put(s, AT_BLOCKS, 8, 1); /* the root hash is that of the one block, and there is no tree */
    assert_ok(verity_tree_parse(s, &d, OFFSET + 4096, 4096, &t, &e), e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(demands_are_whole),
        cmocka_unit_test(tables_are_the_kernels),
        cmocka_unit_test(wrong_fields_are_refused),
        cmocka_unit_test(trees_end_before_the_image),
    };

    return cmocka_run_group_tests_name("verity_table", tests, NULL, NULL);
}
