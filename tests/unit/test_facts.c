/* SPDX-License-Identifier: MIT */
/* test_facts: what an image says about itself in metadata: what is taken, and what is refused. */
#include "support.h"

#include "format/facts.h"

#include <stdlib.h>
#include <string.h>

#define IMAGE_SIZE 8192
#define HASH       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* An image with keys and values, which alternate; values are texts. */
struct made {
    struct image image;
    struct image_metadata metadata[8];
};

static struct made make(const char *const *words)
{
    struct made m = {.image.source_size = IMAGE_SIZE};

    for (size_t i = 0; words[i]; i += 2)
        m.metadata[m.image.metadata_count++] = (struct image_metadata){
            (char *)words[i], (uint8_t *)words[i + 1], strlen(words[i + 1])};
    return m;
}

#define WORDS(...)                                                                                 \
    (const char *const[])                                                                          \
    {                                                                                              \
        __VA_ARGS__, NULL                                                                          \
    }

static int read_made(struct made *m, struct facts *f, struct err *e)
{
    m->image.metadata = m->metadata;
    return facts_read(&m->image, f, e);
}

static struct facts taken(const char *const *words)
{
    struct made m = make(words);
    struct facts f;
    struct err e = ERR_INIT;

    assert_ok(read_made(&m, &f, &e), e);
    assert_ok(facts_check_made(m.metadata, m.image.metadata_count, &e), e);
    return f;
}

static void refused(const char *const *words, const char *part)
{
    struct made m = make(words);
    struct facts f = {.version = 77};
    struct err e = ERR_INIT;

    assert_fails(read_made(&m, &f, &e), e, ERR_ARCHIVE, part);
    assert_int_equal(f.version, 77);
}

static void numbers(void **state)
{
    static const char *const bad[] = {"",
                                      "+1",
                                      "-1",
                                      " 1",
                                      "1 ",
                                      "1\n",
                                      "01",
                                      "00",
                                      "0x1",
                                      "1e3",
                                      "1.0",
                                      "1,0",
                                      "\xd9\xa1",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "184467440737095516150"};
    struct facts f = taken(WORDS("ihop.version", "18446744073709551615", "ihop.minimum-version",
                                 "18446744073709551615"));

    (void)state;
    assert_true(f.has_version && f.has_minimum && !f.has_compatible && !f.has_verity);
    assert_true(f.version == UINT64_MAX && f.minimum == UINT64_MAX);
    f = taken(WORDS("ihop.version", "0", "beside", "x"));
    assert_true(f.has_version && !f.has_minimum && f.version == 0);
    f = taken(WORDS("version", "x"));
    assert_true(!f.has_version && f.version == 0);
    for (size_t i = 0; i < COUNT(bad); i++) {
        refused(WORDS("ihop.version", bad[i]), "ihop.version is no number");
        refused(WORDS("ihop.version", "9", "ihop.minimum-version", bad[i]),
                "ihop.minimum-version is no number");
        refused(WORDS("ihop.verity.root-hash", HASH, "ihop.verity.hash-offset", bad[i]),
                "hash-offset is no number");
    }
}

/* A NUL inside a value ends no text. */
static void nul_inside(void **state)
{
    struct image_metadata m[3] = {{(char *)"ihop.version",
                                   (uint8_t *)"1\0"
                                              "2",
                                   3}};
    struct image image = {.metadata = m, .metadata_count = 1, .source_size = IMAGE_SIZE};
    struct facts f;
    struct err e = ERR_INIT;

    (void)state;
    assert_fails(facts_read(&image, &f, &e), e, ERR_ARCHIVE, "no number");
    m[0] = (struct image_metadata){(char *)"ihop.compatible", (uint8_t *)"a\0b", 3};
    assert_fails(facts_read(&image, &f, &e), e, ERR_ARCHIVE, "no device type");
    m[0] = (struct image_metadata){(char *)"ihop.verity.root-hash", (uint8_t *)HASH "\0", 65};
    assert_fails(facts_read(&image, &f, &e), e, ERR_ARCHIVE, "no root hash");
}

static void minimum_is_at_most_the_version(void **state)
{
    (void)state;
    assert_int_equal(taken(WORDS("ihop.minimum-version", "7", "ihop.version", "7")).minimum, 7);
    refused(WORDS("ihop.minimum-version", "8", "ihop.version", "7"), "would refuse itself");
    refused(WORDS("ihop.minimum-version", "1"), "would refuse itself");
    assert_true(taken(WORDS("ihop.minimum-version", "0")).has_minimum);
}

static void device_types(void **state)
{
    static const char *const bad[] = {"",     "\n",     "a\n\nb", "\na",  " a",       "a ",
                                      "a\tb", "a\r\nb", "\x7f",   "\xff", "a\xc2\x85"};
    struct facts f = taken(WORDS("ihop.compatible", "board-a\nBoard b, revision 2\n\xc3\xa9"));
    char text[FACTS_TYPES_TEXT], longest[LIMIT_DEVICE_TYPE + 2], many[2 * LIMIT_DEVICE_TYPES + 3];

    (void)state;
    assert_true(facts_is_for(&f, "board-a") && facts_is_for(&f, "Board b, revision 2"));
    assert_true(facts_is_for(&f, "\xc3\xa9"));
    assert_false(facts_is_for(&f, "board-") || facts_is_for(&f, "board-a\nBoard b, revision 2") ||
                 facts_is_for(&f, "board-ab") || facts_is_for(&f, "") || facts_is_for(&f, "Board"));
    assert_string_equal(facts_types_text(&f, text), "'board-a', 'Board b, revision 2', '\xc3\xa9'");
    f = taken(WORDS("ihop.compatible", "a\nb\nc\nd\ne\n")); /* as of a text file */
    assert_true(facts_is_for(&f, "e") && !facts_is_for(&f, ""));
    assert_string_equal(facts_types_text(&f, text), "'a', 'b', 'c' and 2 more");
    for (size_t i = 0; i < COUNT(bad); i++)
        refused(WORDS("ihop.compatible", bad[i]), "ihop.compatible");
    memset(longest, 'x', sizeof longest);
    longest[LIMIT_DEVICE_TYPE] = '\0';
    f = taken(WORDS("ihop.compatible", longest));
    assert_true(facts_is_for(&f, longest));
    longest[LIMIT_DEVICE_TYPE] = 'x';
    longest[LIMIT_DEVICE_TYPE + 1] = '\0';
    refused(WORDS("ihop.compatible", longest), "no device type");
    for (int i = 0; i <= LIMIT_DEVICE_TYPES; i++)
        strcpy(many + 2 * (size_t)i, "a\n");
    refused(WORDS("ihop.compatible", many), "no device type");
    many[2 * LIMIT_DEVICE_TYPES] = '\0';
    assert_true(taken(WORDS("ihop.compatible", many)).has_compatible);
    f = taken(WORDS("beside", "a"));
    assert_false(facts_is_for(&f, "a"));
}

static void verity(void **state)
{
    static const char *const hashes[] = {
        "",          "0123",    "0123456789abcdef0123456789abcde", (HASH HASH "00"), (HASH "0"),
        (HASH "\n"), ("g" HASH)};
    static const char *const offsets[] = {"0", "1", "4097", "7681", "8192", "18446744073709551104"};
    struct facts f = taken(WORDS("ihop.verity.root-hash", HASH, "ihop.verity.hash-offset", "7680"));

    (void)state;
    assert_true(f.has_verity && f.hash_offset == 7680 && f.root_hash_size == 32);
    assert_true(f.root_hash[0] == 0x01 && f.root_hash[31] == 0xef);
    refused(WORDS("ihop.verity.root-hash", HASH), "belong together");
    refused(WORDS("ihop.verity.hash-offset", "4096"), "belong together");
    for (size_t i = 0; i < COUNT(hashes); i++)
        refused(WORDS("ihop.verity.root-hash", hashes[i], "ihop.verity.hash-offset", "4096"),
                "no root hash");
    for (size_t i = 0; i < COUNT(offsets); i++)
        refused(WORDS("ihop.verity.root-hash", HASH, "ihop.verity.hash-offset", offsets[i]),
                "no place in the image");
}

static void twice_and_unknown(void **state)
{
    struct made m = make(WORDS("ihop.later", "?", "ihop.version", "1"));
    struct facts f;
    struct err e = ERR_INIT;

    (void)state;
    refused(WORDS("ihop.version", "1", "ihop.version", "1"), "there twice");
    refused(WORDS("ihop.compatible", "a", "x", "y", "ihop.compatible", "b"), "there twice");
    refused(WORDS("ihop.verity.root-hash", HASH, "ihop.verity.root-hash", HASH), "there twice");
    assert_ok(read_made(&m, &f, &e), e);
    assert_int_equal(f.version, 1);
    assert_fails(facts_check_made(m.metadata, 2, &e), e, ERR_ARCHIVE, "'ihop.later' is not known");
}

static void sameness(void **state)
{
    struct made a = make(WORDS("ihop.version", "1", "x", "1")), b = a, c, d;

    (void)state;
    c = make(WORDS("ihop.version", "2", "x", "1"));
    d = make(WORDS("ihop.version", "1", "ihop.later", "1"));
    a.image.metadata = a.metadata;
    b.image.metadata = b.metadata;
    c.image.metadata = c.metadata;
    d.image.metadata = d.metadata;
    b.metadata[1].value = (uint8_t *)"2";
    assert_true(facts_are_same(&a.image, &b.image));
    assert_false(facts_are_same(&a.image, &c.image) || facts_are_same(&a.image, &d.image) ||
                 facts_are_same(&d.image, &a.image));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(nul_inside),
        cmocka_unit_test(minimum_is_at_most_the_version),
        cmocka_unit_test(device_types),
        cmocka_unit_test(verity),
        cmocka_unit_test(twice_and_unknown),
        cmocka_unit_test(sameness),
    };

    return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
