/* SPDX-License-Identifier: MIT */
/* test_signed_image: who can write the store changes a signed release in every byte, with its
 * checksum made anew: what is accepted then must describe the same bytes as before. */
#include "support.h"

#include "signature_support.h"

#include "base/limits.h"
#include "base/text.h"
#include "format/archive.h"
#include "format/release.h"
#include "signature/signed_image.h"

#include <stdlib.h>
#include <string.h>

#define OWNER   1 /* the key that is trusted */
#define ANOTHER 2
#define ZEROS   300 /* bytes of the chunk that is all zeros */

/* How the archive's header differs from one that can be made again of what the release says. */
enum header_form { FORM_USUAL, FORM_OLD_MAGIC, FORM_UNKNOWN_FIELD };

struct blob {
    uint8_t *data;
    size_t size;
};

/* A release and what is demanded of it. */
struct signed_release {
    struct image image;
    struct key_set set;
    struct signature_demand demand;
    struct blob file; /* the encoded release */
    struct blob header;
};

static void put_sum(struct blob *b)
{
    support_hash(b->data, b->size - CHUNK_HASH_SIZE, b->data + b->size - CHUNK_HASH_SIZE);
}

/* What an attacker does after each change of a release. */
static void put_frame(struct blob *b)
{
    text_put_le64(b->data + 6, b->size - RELEASE_OVERHEAD);
    put_sum(b);
}

/* Chunks of 100, 200 and 300 bytes; the last one has zeros. seed: different images. */
static struct image make_content(uint32_t seed, size_t hash_length)
{
    const uint32_t sizes[] = {100 + seed, 200, ZEROS};
    struct image image = support_image(sizes, COUNT(sizes), hash_length);
    uint8_t zeros[ZEROS] = {0}, hash[CHUNK_HASH_SIZE];

    support_hash(zeros, sizeof zeros, hash);
    memcpy(image.chunks.hashes + 2 * hash_length, hash, hash_length);
    image.max_chunk_size = ZEROS;
    for (size_t i = 0; i < COUNT(sizes); i++)
        image.chunks.items[i].archive_offset -= image.header_size;
    return image;
}

static struct blob make_header(const struct image *content, enum header_form form)
{
    static const uint8_t old_magic[] = "\0BITA1", unknown[] = {0xc0, 0x3e, 7};
    struct blob header;
    uint64_t offset;
    struct err e = ERR_INIT;
    size_t end;

    assert_ok(archive_encode(content, &(struct archive_layout){.alignment = 1}, &header.data,
                             &header.size, &offset, &e),
              e);
    if (form == FORM_OLD_MAGIC)
        memcpy(header.data, old_magic, 6);
    if (form == FORM_UNKNOWN_FIELD) {
        header.data = realloc(header.data, header.size + sizeof unknown);
        assert_non_null(header.data);
        end = header.size - CHUNK_HASH_SIZE - 8;
        memcpy(header.data + end, unknown, sizeof unknown);
        header.size += sizeof unknown;
        text_put_le64(header.data + 6, header.size - ARCHIVE_OVERHEAD);
        text_put_le64(header.data + end + sizeof unknown, header.size);
    }
    put_sum(&header);
    return header;
}

static void sign_image(struct image *image, uint8_t key)
{
    struct secret_key secret = signature_secret(key);
    struct minisign_signature s = signature_by(&secret, image->header_checksum, "v1");
    struct err e = ERR_INIT;
    char *text = minisign_write(&s, &e);

    assert_non_null(text);
    assert_ok(image_set_signatures(image, (uint8_t *)text, strlen(text), &e), e);
    free(text);
}

static void encode(struct signed_release *r)
{
    struct err e = ERR_INIT;

    free(r->file.data);
    assert_ok(release_encode(&r->image, &r->file.data, &r->file.size, &e), e);
}

static struct signed_release *make_release(uint32_t seed, enum header_form form, size_t hash_length)
{
    struct signed_release *r = calloc(1, sizeof *r);
    struct image content = make_content(seed, hash_length);
    struct err e = ERR_INIT;

    assert_non_null(r);
    r->header = make_header(&content, form);
    assert_ok(archive_parse(r->header.data, r->header.size, r->header.size + 1000, &r->image, &e),
              e);
    image_free(&content);
    sign_image(&r->image, OWNER);
    assert_ok(signed_image_keep_header(&r->image, r->header.data, &e), e);
    assert_int_equal(r->image.signed_header != NULL, form != FORM_USUAL);
    r->image.name = strdup("v1");
    r->image.archive_url = strdup("http://a/b.cba");
    signature_trust(&r->set, OWNER);
    r->demand = (struct signature_demand){.keys = &r->set};
    encode(r);
    return r;
}

static void free_release(struct signed_release *r)
{
    image_free(&r->image);
    key_set_free(&r->set);
    free(r->file.data);
    free(r->header.data);
    free(r);
}

/* Whether both describe the same bytes, and say the same about themselves. */
static bool is_same(const struct image *a, const struct image *b)
{
    const struct chunk_table *x = &a->chunks, *y = &b->chunks;
    bool same = image_same_source(a, b) && x->hash_length == y->hash_length &&
                x->count == y->count && a->order_count == b->order_count &&
                memcmp(a->order, b->order, a->order_count * sizeof *a->order) == 0 &&
                memcmp(x->hashes, y->hashes, x->count * x->hash_length) == 0 &&
                a->metadata_count == b->metadata_count;

    for (size_t i = 0; same && i < x->count; i++)
        same = x->items[i].source_size == y->items[i].source_size &&
               x->items[i].zero <= y->items[i].zero;
    return same;
}

/* What became of many changes. */
struct tally {
    size_t refused, accepted;
};

/* Judges a release file as whoever serves it does. */
static void judge(const struct signed_release *r, const struct blob *file, struct tally *t)
{
    struct err e = ERR_INIT;
    struct image image;

    if (release_parse(file->data, file->size, &image, &e) < 0) {
        assert_int_equal(e.kind, ERR_DAMAGED);
        t->refused++;
        return;
    }
    if (signed_image_check_release(&image, "v1", &r->demand, &e) == 0) {
        assert_true(is_same(&image, &r->image));
        t->accepted++;
    } else {
        assert_true(e.kind == ERR_ARCHIVE || e.kind == ERR_DAMAGED);
        t->refused++;
    }
    image_free(&image);
}

static struct blob copy_of(const struct blob *b, size_t more)
{
    struct blob copy = {malloc(b->size + more), b->size};

    assert_non_null(copy.data);
    memcpy(copy.data, b->data, b->size);
    return copy;
}

/* Each byte gets several other values. */
static struct tally change_bytes(const struct signed_release *r, bool sum)
{
    static const uint8_t flips[] = {1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0xff, 0x05};
    struct blob file = copy_of(&r->file, 0);
    struct tally t = {0};

    for (size_t at = 0; at < file.size; at++)
        for (size_t i = 0; i < COUNT(flips); i++) {
            file.data[at] ^= flips[i];
            if (sum)
                put_sum(&file);
            judge(r, &file, &t);
            memcpy(file.data, r->file.data, file.size);
        }
    free(file.data);
    return t;
}

/* Each byte is taken out, doubled, exchanged with the next one, and the file is cut there. */
static struct tally move_bytes(const struct signed_release *r)
{
    size_t end = r->file.size - CHUNK_HASH_SIZE;
    struct tally t = {0};

    for (size_t at = RELEASE_PREFIX_SIZE; at < end; at++)
        for (int kind = 0; kind < 4; kind++) {
            struct blob file = copy_of(&r->file, 1);
            uint8_t *p = file.data + at;

            if (kind == 0) {
                memmove(p, p + 1, --file.size - at);
            } else if (kind == 1) {
                memmove(p + 1, p, file.size++ - at);
            } else if (kind == 2) {
                uint8_t swap = p[0];

                p[0] = p[1];
                p[1] = swap;
            } else {
                file.size = at + CHUNK_HASH_SIZE;
            }
            put_frame(&file);
            judge(r, &file, &t);
            free(file.data);
        }
    return t;
}

/* Several bytes at a time. */
static struct tally change_at_random(const struct signed_release *r)
{
    struct tally t = {0};
    uint64_t seed = 1;

    for (size_t n = 0; n < 3000; n++) {
        struct blob file = copy_of(&r->file, 0);
        size_t range = file.size - RELEASE_OVERHEAD;

        for (uint32_t changes = 2 + support_random(&seed) % 3; changes > 0; changes--) {
            size_t at = RELEASE_PREFIX_SIZE + support_random(&seed) % range;

            file.data[at] = (uint8_t)support_random(&seed);
        }
        put_sum(&file);
        judge(r, &file, &t);
        free(file.data);
    }
    return t;
}

static void attack(enum header_form form)
{
    struct signed_release *r = make_release(0, form, CHUNK_HASH_SIZE);
    struct tally plain = change_bytes(r, false), bytes = change_bytes(r, true),
                 moved = move_bytes(r), many = change_at_random(r), whole = {0};

    judge(r, &r->file, &whole);
    assert_int_equal(whole.accepted, 1);
    assert_int_equal(plain.accepted, 0);
    /* The archive's address, its size, the id of a key and the comment that nobody signs may
     * change. */
    assert_in_range(bytes.accepted, 10, bytes.refused / 4);
    assert_in_range(moved.accepted, 1, moved.refused / 4);
    print_message("of %zu changed releases %zu say the same, the others are refused\n",
                  plain.refused + bytes.accepted + bytes.refused + moved.accepted + moved.refused +
                      many.accepted + many.refused,
                  bytes.accepted + moved.accepted + many.accepted);
    free_release(r);
}

static void bytes_of_a_release(void **state)
{
    (void)state;
    attack(FORM_USUAL);
}

static void bytes_of_a_release_that_keeps_its_header(void **state)
{
    (void)state;
    attack(FORM_OLD_MAGIC);
    attack(FORM_UNKNOWN_FIELD);
}

static int check(const struct signed_release *r, const char *name, struct err *e)
{
    struct image image;
    int result;

    assert_ok(release_parse(r->file.data, r->file.size, &image, e), *e);
    result = signed_image_check_release(&image, name, &r->demand, e);
    image_free(&image);
    return result;
}

static void names(void **state)
{
    struct signed_release *r = make_release(0, FORM_USUAL, CHUNK_HASH_SIZE);
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(check(r, "v1", &e), e);
    assert_ok(check(r, NULL, &e), e);
    assert_fails(check(r, "v2", &e), e, ERR_ARCHIVE, "was published as 'v1' and has been renamed");
    free(r->image.name);
    r->image.name = NULL;
    encode(r);
    assert_fails(check(r, "v1", &e), e, ERR_ARCHIVE, "does not record its name");
    free_release(r);
}

/* What is changed by somebody who can encode releases as well as we can. */
static void contents(void **state)
{
    struct signed_release *r = make_release(0, FORM_USUAL, CHUNK_HASH_SIZE);
    struct chunk *chunks = r->image.chunks.items;
    struct err e = ERR_INIT;

    (void)state;
    assert_true(chunks[2].zero);
    chunks[2].zero = false;
    encode(r);
    assert_ok(check(r, "v1", &e), e);
    chunks[2].zero = chunks[1].zero = true;
    encode(r);
    assert_fails(check(r, "v1", &e), e, ERR_DAMAGED, "it was altered");
    chunks[1].zero = false;
    r->image.order[0] = 1;
    r->image.order[1] = 0;
    encode(r);
    assert_fails(check(r, "v1", &e), e, ERR_DAMAGED, "it was altered");
    r->image.order[0] = 0;
    r->image.order[1] = 1;
    chunks[0].source_size++;
    chunks[1].source_size--;
    encode(r);
    assert_fails(check(r, "v1", &e), e, ERR_DAMAGED, "it was altered");
    free_release(r);
}

static void another_header(void **state)
{
    struct signed_release *a = make_release(0, FORM_OLD_MAGIC, CHUNK_HASH_SIZE),
                          *b = make_release(0, FORM_UNKNOWN_FIELD, CHUNK_HASH_SIZE);
    struct err e = ERR_INIT;

    (void)state;
    memcpy(a->image.header_checksum, b->image.header_checksum, CHUNK_HASH_SIZE);
    encode(a);
    assert_fails(check(a, "v1", &e), e, ERR_ARCHIVE, "");
    sign_image(&a->image, OWNER);
    encode(a);
    assert_fails(check(a, "v1", &e), e, ERR_DAMAGED, "it was altered");
    free(a->image.signed_header);
    a->image.signed_header = NULL;
    encode(a);
    assert_fails(check(a, "v1", &e), e, ERR_DAMAGED, "it was altered");
    free_release(a);
    free_release(b);
}

/* The signatures of one release with the content of another. */
static void another_release(void **state)
{
    struct signed_release *a = make_release(0, FORM_USUAL, CHUNK_HASH_SIZE),
                          *b = make_release(5, FORM_USUAL, CHUNK_HASH_SIZE);
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(image_set_signatures(&a->image, b->image.signatures, b->image.signatures_size, &e),
              e);
    encode(a);
    assert_fails(check(a, "v1", &e), e, ERR_ARCHIVE, "");
    memcpy(a->image.header_checksum, b->image.header_checksum, CHUNK_HASH_SIZE);
    encode(a);
    assert_fails(check(a, "v1", &e), e, ERR_DAMAGED, "it was altered");
    free_release(a);
    free_release(b);
}

static void who_signed(void **state)
{
    struct signed_release *r = make_release(0, FORM_USUAL, CHUNK_HASH_SIZE);
    struct err e = ERR_INIT;

    (void)state;
    r->demand.needed = 2;
    signature_trust(&r->set, ANOTHER);
    assert_fails(check(r, "v1", &e), e, ERR_ARCHIVE, "");
    r->demand.needed = 0;
    assert_ok(check(r, "v1", &e), e);
    sign_image(&r->image, 3);
    encode(r);
    assert_fails(check(r, "v1", &e), e, ERR_ARCHIVE, "");
    assert_ok(image_set_signatures(&r->image, NULL, 0, &e), e);
    encode(r);
    assert_fails(check(r, "v1", &e), e, ERR_ARCHIVE, "");
    r->image.has_archive = false;
    encode(r);
    assert_fails(check(r, "v1", &e), e, ERR_ARCHIVE, "ihop 0.1");
    r->demand.keys = NULL;
    assert_ok(check(r, "v9", &e), e);
    free_release(r);
}

static void hashes(void **state)
{
    struct signed_release *enough = make_release(0, FORM_USUAL, LIMIT_HASH_PINNED),
                          *few = make_release(0, FORM_USUAL, LIMIT_HASH_PINNED - 1);
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(check(enough, "v1", &e), e);
    assert_ok(signed_image_check(&enough->image, &enough->demand, &e), e);
    assert_fails(check(few, "v1", &e), e, ERR_ARCHIVE, "needed below a signature");
    assert_fails(signed_image_check(&few->image, &few->demand, &e), e, ERR_ARCHIVE,
                 "have 31 bytes; 32 are needed");
    free_release(enough);
    free_release(few);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_of_a_release),
        cmocka_unit_test(bytes_of_a_release_that_keeps_its_header),
        cmocka_unit_test(names),
        cmocka_unit_test(contents),
        cmocka_unit_test(another_header),
        cmocka_unit_test(another_release),
        cmocka_unit_test(who_signed),
        cmocka_unit_test(hashes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
