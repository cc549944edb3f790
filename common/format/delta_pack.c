/* SPDX-License-Identifier: MIT */
#include "format/delta_pack.h"

#include "base/cleanup.h"
#include "base/limits.h"
#include "base/text.h"
#include "format/archive.h"
#include "format/dictionary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MADE_BY "ihop-compress " PACKAGE_VERSION

enum pack_field {
    FIELD_APPLICATION_VERSION = 1,
    FIELD_OLD_SOURCE_CHECKSUM = 2,
    FIELD_OLD_SOURCE_SIZE = 3,
    FIELD_HEADER_CHECKSUM = 4,
    FIELD_HEADER_SIZE = 5,
    FIELD_ARCHIVE_SIZE = 6,
    FIELD_HEADER_PATCH = 7,
    FIELD_HEADER_PATCH_PLAIN = 8,
    FIELD_DELTA_LIST = 9,
    FIELD_DELTA_LIST_PLAIN = 10,
    FIELD_SIGNATURES = 11,
};

bool delta_pack_has_magic(const uint8_t *data, size_t size)
{
    return size >= FRAME_MAGIC_SIZE && memcmp(data, DELTA_PACK_MAGIC, FRAME_MAGIC_SIZE) == 0;
}

const char *delta_pack_suffix(const uint8_t old_source_checksum[CHUNK_HASH_SIZE],
                              char suffix[DELTA_PACK_SUFFIX_SIZE])
{
    char *digits = stpcpy(suffix, ".from-");

    text_hex(old_source_checksum, DELTA_PACK_ID_DIGITS / 2, digits);
    return suffix;
}

bool delta_pack_is_suffix(const char *text)
{
    return strncmp(text, ".from-", 6) == 0 &&
           strspn(text + 6, "0123456789abcdef") == DELTA_PACK_ID_DIGITS &&
           text[6 + DELTA_PACK_ID_DIGITS] == '\0';
}

int delta_pack_parse_prefix(const uint8_t *prefix, uint64_t *size, struct err *e)
{
    uint64_t n = text_get_le64(prefix + FRAME_MAGIC_SIZE);

    if (!delta_pack_has_magic(prefix, DELTA_PACK_PREFIX_SIZE))
        return err_set(e, ERR_ARCHIVE, "this is not a delta pack (wrong magic)");
    if (n > LIMIT_DICTIONARY)
        return err_set(e, ERR_ARCHIVE, "its dictionary claims %llu bytes (at most %llu)",
                       (unsigned long long)n, (unsigned long long)LIMIT_DICTIONARY);
    *size = n + DELTA_PACK_OVERHEAD;
    return 0;
}

static int check_pack_checksum(const uint8_t *data, size_t size, struct err *e)
{
    CLEANUP(chunk_hasher_cleanup) struct chunk_hasher *h = chunk_hasher_new(e);
    uint8_t sum[CHUNK_HASH_SIZE];

    if (!h || chunk_hash(h, data, size - CHUNK_HASH_SIZE, sum, e) < 0)
        return -1;
    if (memcmp(sum, data + size - CHUNK_HASH_SIZE, sizeof sum) != 0)
        return err_set(e, ERR_ARCHIVE, "its checksum does not match its beginning");
    return 0;
}

/* What is there only once the field was. */
struct pack_seen {
    bool old_source_checksum, header_checksum;
};

static int take_checksum(const struct dict_field *f, uint8_t *out, bool *seen, struct err *e)
{
    if (!f->is_bytes || f->size != CHUNK_HASH_SIZE)
        return err_set(e, ERR_ARCHIVE, "its field %u is not a checksum of 64 bytes", f->number);
    memcpy(out, f->data, CHUNK_HASH_SIZE);
    *seen = true;
    return 0;
}

static int take_size(const struct dict_field *f, uint64_t most, uint64_t *out, struct err *e)
{
    if (f->is_bytes || f->value > most)
        return err_set(e, ERR_ARCHIVE, "its field %u is not a size of at most %llu bytes",
                       f->number, (unsigned long long)most);
    *out = f->value;
    return 0;
}

static int take_plain_size(const struct dict_field *f, size_t *out, struct err *e)
{
    uint64_t size;

    if (take_size(f, SIZE_MAX / 2, &size, e) < 0)
        return -1;
    *out = (size_t)size;
    return 0;
}

static int take_bytes(const struct dict_field *f, size_t most, const uint8_t **out, size_t *size,
                      struct err *e)
{
    if (!f->is_bytes || f->size == 0 || f->size > most)
        return err_set(e, ERR_ARCHIVE, "its field %u does not have 1 to %zu bytes", f->number,
                       most);
    *out = f->data;
    *size = f->size;
    return 0;
}

static int take_pack_field(struct delta_pack *p, struct pack_seen *seen, const struct dict_field *f,
                           struct err *e)
{
    switch (f->number) {
    case FIELD_OLD_SOURCE_CHECKSUM:
        return take_checksum(f, p->old_source_checksum, &seen->old_source_checksum, e);
    case FIELD_OLD_SOURCE_SIZE:
        return take_size(f, LIMIT_IMAGE, &p->old_source_size, e);
    case FIELD_HEADER_CHECKSUM:
        return take_checksum(f, p->header_checksum, &seen->header_checksum, e);
    case FIELD_HEADER_SIZE:
        return take_size(f, LIMIT_DICTIONARY + ARCHIVE_OVERHEAD, &p->header_size, e);
    case FIELD_ARCHIVE_SIZE:
        return take_size(f, INT64_MAX, &p->archive_size, e);
    case FIELD_HEADER_PATCH:
        return take_bytes(f, LIMIT_DICTIONARY, &p->patch, &p->patch_size, e);
    case FIELD_HEADER_PATCH_PLAIN:
        return take_plain_size(f, &p->patch_plain, e);
    case FIELD_DELTA_LIST:
        return take_bytes(f, LIMIT_DICTIONARY, &p->list, &p->list_size, e);
    case FIELD_DELTA_LIST_PLAIN:
        return take_plain_size(f, &p->list_plain, e);
    case FIELD_SIGNATURES:
        return take_bytes(f, LIMIT_SIGNATURE_TEXT, &p->signatures, &p->signatures_size, e);
    default: /* A later version may have added it. */
        return 0;
    }
}

static int check_pack(const struct delta_pack *p, const struct pack_seen *seen, struct err *e)
{
    if (!seen->old_source_checksum || !seen->header_checksum)
        return err_set(e, ERR_ARCHIVE, "it does not say for which images it is");
    if (p->header_size < ARCHIVE_OVERHEAD || p->header_size > p->archive_size)
        return err_set(e, ERR_ARCHIVE, "it is for an archive with a header of %llu bytes",
                       (unsigned long long)p->header_size);
    if (!p->list || p->list_plain == 0)
        return err_set(e, ERR_ARCHIVE, "it has no list of deltas");
    if (p->patch ? p->patch_plain == 0 || p->patch_plain > p->header_size : p->patch_plain > 0)
        return err_set(e, ERR_ARCHIVE,
                       "its header patch has %zu bytes (1 to the header's %llu are possible)",
                       p->patch_plain, (unsigned long long)p->header_size);
    return 0;
}

int delta_pack_parse(const uint8_t *data, size_t size, struct delta_pack *pack, struct err *e)
{
    struct delta_pack p = {.deltas_offset = size};
    struct pack_seen seen = {0};
    struct dict_reader r;
    struct dict_field f;
    enum dict_got got;
    uint64_t expected;

    if (size < DELTA_PACK_OVERHEAD)
        return err_set(e, ERR_ARCHIVE, "its beginning is cut short");
    if (delta_pack_parse_prefix(data, &expected, e) < 0)
        return -1;
    if (size != expected)
        return err_set(e, ERR_ARCHIVE, "its beginning is cut short");
    if (check_pack_checksum(data, size, e) < 0)
        return -1;
    dict_reader_init(&r, data + DELTA_PACK_PREFIX_SIZE, size - DELTA_PACK_OVERHEAD, ERR_ARCHIVE);
    while ((got = dict_next(&r, &f, e)) == DICT_FIELD)
        if (take_pack_field(&p, &seen, &f, e) < 0)
            return -1;
    if (got == DICT_FAILED || check_pack(&p, &seen, e) < 0)
        return -1;
    *pack = p;
    return 0;
}

int delta_pack_encode(const struct delta_pack *pack, uint8_t **data, size_t *size, struct err *e)
{
    struct dict_writer w = {0};

    dict_begin(&w, (const uint8_t *)DELTA_PACK_MAGIC);
    dict_put_bytes(&w, FIELD_APPLICATION_VERSION, MADE_BY, strlen(MADE_BY));
    dict_put_bytes(&w, FIELD_OLD_SOURCE_CHECKSUM, pack->old_source_checksum, CHUNK_HASH_SIZE);
    dict_put_number(&w, FIELD_OLD_SOURCE_SIZE, pack->old_source_size);
    dict_put_bytes(&w, FIELD_HEADER_CHECKSUM, pack->header_checksum, CHUNK_HASH_SIZE);
    dict_put_number(&w, FIELD_HEADER_SIZE, pack->header_size);
    dict_put_number(&w, FIELD_ARCHIVE_SIZE, pack->archive_size);
    if (pack->patch) {
        dict_put_bytes(&w, FIELD_HEADER_PATCH, pack->patch, pack->patch_size);
        dict_put_number(&w, FIELD_HEADER_PATCH_PLAIN, pack->patch_plain);
    }
    dict_put_bytes(&w, FIELD_DELTA_LIST, pack->list, pack->list_size);
    dict_put_number(&w, FIELD_DELTA_LIST_PLAIN, pack->list_plain);
    if (pack->signatures)
        dict_put_bytes(&w, FIELD_SIGNATURES, pack->signatures, pack->signatures_size);
    dict_end(&w);
    if (dict_sign(&w, e) < 0) {
        free(w.data);
        return err_context(e, "writing a delta pack");
    }
    *data = w.data;
    *size = w.size;
    return 0;
}
