/* SPDX-License-Identifier: MIT */
#include "format/release.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/text.h"
#include "format/archive.h"
#include "format/dictionary.pb-c.h"
#include "format/image_builder.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t magic[] = RELEASE_MAGIC;

static const struct image_fields fields = {
    .application_version = 1,
    .source_checksum = 2,
    .source_size = 3,
    .order = 4,
    .chunker = 6,
    .compression = 104,
    .metadata = 105,
};

enum release_field {
    FIELD_CHUNK_DESCRIPTORS = 5,
    FIELD_ARCHIVE_URL = 100,
    FIELD_HEADER_CHECKSUM = 101,
    FIELD_HEADER_SIZE = 102,
    FIELD_ARCHIVE_SIZE = 103,
    FIELD_NUMBER = 106,
    FIELD_NAME = 107,
    FIELD_SIGNATURES = 108,
    FIELD_SIGNED_HEADER = 109,
    FIELD_ARCHIVE_URL_LACKS = 120,
};

bool release_has_magic(const uint8_t *data, size_t size)
{
    return size >= sizeof magic && memcmp(data, magic, sizeof magic) == 0;
}

static int check_frame(const uint8_t *data, size_t size, struct err *e)
{
    CLEANUP(chunk_hasher_cleanup) struct chunk_hasher *h = NULL;
    uint8_t sum[CHUNK_HASH_SIZE];

    if (size < RELEASE_OVERHEAD)
        return err_set(e, ERR_DAMAGED, "the release has %zu bytes: it is empty or cut short", size);
    if (!release_has_magic(data, size))
        return err_set(e, ERR_DAMAGED, "this is not a release (wrong magic)");
    if (text_get_le64(data + 6) != size - RELEASE_OVERHEAD)
        return err_set(e, ERR_DAMAGED, "the release is cut short or overlong");
    h = chunk_hasher_new(e);
    if (!h || chunk_hash(h, data, size - CHUNK_HASH_SIZE, sum, e) < 0)
        return -1;
    if (memcmp(sum, data + size - CHUNK_HASH_SIZE, sizeof sum) != 0)
        return err_set(e, ERR_DAMAGED, "the release's checksum does not match its content");
    return 0;
}

static int add_release_chunk(struct image_builder *b, struct dict_reader *r,
                             const struct dict_field *f, struct err *e)
{
    const Ihop__ReleaseChunk *c =
        (const Ihop__ReleaseChunk *)dict_unpack(r, f, &ihop__release_chunk__descriptor, e);
    struct chunk chunk;

    if (!c)
        return -1;
    chunk = (struct chunk){
        .archive_offset = c->archive_offset,
        .archive_size = c->archive_size,
        .source_size = c->source_size,
        .zero = c->zero,
    };
    return image_builder_add_chunk(b, &c->checksum, &chunk, e);
}

static int set_header_checksum(struct image_builder *b, const struct dict_field *f, struct err *e)
{
    if (!f->is_bytes || f->size != CHUNK_HASH_SIZE)
        return err_set(e, ERR_DAMAGED, "the recorded header checksum has the wrong size");
    memcpy(b->image.header_checksum, f->data, CHUNK_HASH_SIZE);
    return 0;
}

static int set_signatures(struct image_builder *b, const struct dict_field *f, struct err *e)
{
    if (!f->is_bytes || f->size > LIMIT_SIGNATURE_TEXT)
        return err_set(e, ERR_DAMAGED, "the recorded signatures have the wrong size");
    return image_set_signatures(&b->image, f->data, f->size, e);
}

/* Its size is compared with the recorded one when all is read. */
static int set_signed_header(struct image_builder *b, const struct dict_field *f, struct err *e)
{
    uint8_t *copy;

    if (!f->is_bytes || f->size > LIMIT_DICTIONARY + ARCHIVE_OVERHEAD || f->size == 0)
        return err_set(e, ERR_DAMAGED, "the recorded header has the wrong size");
    copy = malloc(f->size);
    if (!copy)
        return err_nomem(e, "reading a recorded header");
    memcpy(copy, f->data, f->size);
    free(b->image.signed_header);
    b->image.signed_header = copy;
    b->signed_header_size = f->size;
    return 0;
}

static int parse_release_field(struct image_builder *b, struct dict_reader *r,
                               const struct dict_field *f, struct err *e)
{
    switch (f->number) {
    case FIELD_CHUNK_DESCRIPTORS:
        return add_release_chunk(b, r, f, e);
    case FIELD_ARCHIVE_URL:
        return dict_get_text(r, f, LIMIT_URL, &b->image.archive_url, e);
    case FIELD_HEADER_CHECKSUM:
        return set_header_checksum(b, f, e);
    case FIELD_HEADER_SIZE:
        b->image.header_size = f->value;
        return 0;
    case FIELD_ARCHIVE_SIZE:
        b->image.archive_size = f->value;
        return 0;
    case FIELD_NAME:
        return dict_get_text(r, f, LIMIT_RELEASE_NAME, &b->image.name, e);
    case FIELD_SIGNATURES:
        return set_signatures(b, f, e);
    case FIELD_SIGNED_HEADER:
        return set_signed_header(b, f, e);
    case FIELD_ARCHIVE_URL_LACKS:
        b->image.archive_url_lacks = f->value != 0;
        return 0;
    default:
        return image_builder_add_field(b, &fields, r, f, e);
    }
}

/* What is recorded about the archive must be possible, because a repair requests by it. */
static int check_archive_fields(const struct image_builder *b, struct err *e)
{
    const struct image *image = &b->image;
    uint64_t end;

    if (image->signed_header && b->signed_header_size != image->header_size)
        return err_set(e, ERR_DAMAGED, "the recorded header does not have the recorded size");
    if (!image->has_archive)
        return 0;
    if (image->header_size < CHUNK_HASH_SIZE || image->header_size > image->archive_size)
        return err_set(e, ERR_DAMAGED, "the recorded header size is out of range");
    for (size_t i = 0; i < image->chunks.count; i++) {
        const struct chunk *c = &image->chunks.items[i];

        if (c->archive_size == 0 || c->archive_size > LIMIT_CHUNK ||
            !checked_add_u64(c->archive_offset, c->archive_size, &end) || end > image->archive_size)
            return err_set(e, ERR_DAMAGED, "the recorded place of chunk %zu is out of range", i);
    }
    return 0;
}

/* Takes the fields of a release, with those about its chunks or without. */
static int parse_fields(struct image_builder *b, const uint8_t *data, size_t size, bool chunks,
                        struct err *e)
{
    CLEANUP(dict_reader_free) struct dict_reader r;
    struct dict_field f;
    enum dict_got got;

    dict_reader_init(&r, NULL, 0, ERR_DAMAGED);
    if (check_frame(data, size, e) < 0)
        return -1;
    dict_reader_init(&r, data + RELEASE_PREFIX_SIZE, size - RELEASE_OVERHEAD, ERR_DAMAGED);
    while ((got = dict_next(&r, &f, e)) == DICT_FIELD)
        if ((chunks || (f.number != FIELD_CHUNK_DESCRIPTORS && f.number != fields.order)) &&
            parse_release_field(b, &r, &f, e) < 0)
            return -1;
    return got == DICT_FAILED ? -1 : 0;
}

int release_parse(const uint8_t *data, size_t size, struct image *image, struct err *e)
{
    CLEANUP(image_builder_free) struct image_builder b;

    image_builder_init(&b, ERR_DAMAGED);
    if (parse_fields(&b, data, size, true, e) < 0 || check_archive_fields(&b, e) < 0)
        return -1;
    return image_builder_finish(&b, image, e);
}

int release_parse_metadata(const uint8_t *data, size_t size, struct image *image, struct err *e)
{
    CLEANUP(image_builder_free) struct image_builder b;

    image_builder_init(&b, ERR_DAMAGED);
    if (parse_fields(&b, data, size, false, e) < 0)
        return -1;
    *image = b.image;
    b.image = (struct image){0};
    return 0;
}

static void put_release_chunk(struct dict_writer *w, const struct image *image, size_t i)
{
    const struct chunk *chunk = &image->chunks.items[i];
    Ihop__ReleaseChunk c = IHOP__RELEASE_CHUNK__INIT;

    c.checksum.data = (uint8_t *)chunk_table_hash(&image->chunks, i);
    c.checksum.len = image->chunks.hash_length;
    c.source_size = chunk->source_size;
    c.archive_offset = chunk->archive_offset;
    c.archive_size = chunk->archive_size;
    c.zero = chunk->zero;
    dict_put_message(w, FIELD_CHUNK_DESCRIPTORS, &c.base);
}

static void put_archive_fields(struct dict_writer *w, const struct image *image)
{
    if (image->archive_url)
        dict_put_bytes(w, FIELD_ARCHIVE_URL, image->archive_url, strlen(image->archive_url));
    if (image->archive_url && image->archive_url_lacks)
        dict_put_number(w, FIELD_ARCHIVE_URL_LACKS, 1);
    dict_put_bytes(w, FIELD_HEADER_CHECKSUM, image->header_checksum, CHUNK_HASH_SIZE);
    dict_put_number(w, FIELD_HEADER_SIZE, image->header_size);
    dict_put_number(w, FIELD_ARCHIVE_SIZE, image->archive_size);
    image_put_compression(w, &fields, image);
    if (image->signatures)
        dict_put_bytes(w, FIELD_SIGNATURES, image->signatures, image->signatures_size);
    if (image->signed_header)
        dict_put_bytes(w, FIELD_SIGNED_HEADER, image->signed_header, image->header_size);
}

static void put_release_dictionary(struct dict_writer *w, const struct image *image)
{
    image_put_source(w, &fields, image);
    image_put_order(w, &fields, image);
    for (size_t i = 0; i < image->chunks.count; i++)
        put_release_chunk(w, image, i);
    image_put_chunker(w, &fields, image);
    if (image->has_archive)
        put_archive_fields(w, image);
    if (image->name)
        dict_put_bytes(w, FIELD_NAME, image->name, strlen(image->name));
    image_put_metadata(w, &fields, image);
}

int release_encode(const struct image *image, uint8_t **data, size_t *size, struct err *e)
{
    struct dict_writer w = {0};

    dict_begin(&w, magic);
    put_release_dictionary(&w, image);
    dict_end(&w);
    if (dict_sign(&w, e) < 0) {
        free(w.data);
        return err_context(e, "writing a release");
    }
    *data = w.data;
    *size = w.size;
    return 0;
}

bool release_is_framed(const uint8_t *data, size_t size)
{
    return size >= RELEASE_OVERHEAD && release_has_magic(data, size);
}

uint64_t release_number(const uint8_t head[RELEASE_HEAD_SIZE])
{
    struct err ignored = ERR_INIT;
    struct dict_field f;
    struct dict_reader r;
    uint64_t number;

    dict_reader_init(&r, head + RELEASE_PREFIX_SIZE, RELEASE_HEAD_SIZE - RELEASE_PREFIX_SIZE,
                     ERR_DAMAGED);
    if (!release_has_magic(head, RELEASE_HEAD_SIZE) || dict_next(&r, &f, &ignored) != DICT_FIELD ||
        f.number != FIELD_NUMBER || !f.is_bytes || f.size != RELEASE_NUMBER_SIZE)
        return 0;
    number = text_get_le64(f.data);
    /* The largest number is not valid, because the next release needs a larger one. */
    return text_get_le64(f.data + 8) == ~number && number < UINT64_MAX ? number : 0;
}

static int sign_frame(const uint8_t *data, size_t size, struct release_frame *frame, struct err *e)
{
    CLEANUP(chunk_hasher_cleanup) struct chunk_hasher *h = chunk_hasher_new(e);

    if (!h || chunk_hash_begin(h, e) < 0 ||
        chunk_hash_update(h, frame->head, sizeof frame->head, e) < 0 ||
        chunk_hash_update(h, data + RELEASE_PREFIX_SIZE, size - RELEASE_OVERHEAD, e) < 0)
        return -1;
    return chunk_hash_end(h, frame->sum, e);
}

int release_set_number(const uint8_t *data, size_t size, uint64_t number,
                       struct release_frame *frame, struct err *e)
{
    struct dict_writer w = {0};
    uint8_t value[RELEASE_NUMBER_SIZE];
    int r = -1;

    text_put_le64(value, number);
    text_put_le64(value + 8, ~number);
    dict_begin(&w, magic);
    dict_put_bytes(&w, FIELD_NUMBER, value, sizeof value);
    if (w.failed) {
        err_nomem(e, "numbering a release");
    } else {
        memcpy(frame->head, w.data, sizeof frame->head);
        text_put_le64(frame->head + FRAME_MAGIC_SIZE,
                      size - RELEASE_OVERHEAD + RELEASE_HEAD_SIZE - RELEASE_PREFIX_SIZE);
        r = sign_frame(data, size, frame, e);
    }
    free(w.data);
    return r;
}
