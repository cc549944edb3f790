/* SPDX-License-Identifier: MIT */
#include "format/dictionary.h"

#include "base/array.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

enum wire_type {
    WIRE_VARINT = 0,
    WIRE_FIXED64 = 1,
    WIRE_BYTES = 2,
    WIRE_FIXED32 = 5,
};

void dict_reader_init(struct dict_reader *r, const uint8_t *data, size_t size, enum err_kind kind)
{
    *r = (struct dict_reader){.at = data, .end = size ? data + size : data, .kind = kind};
}

void dict_reader_free(struct dict_reader *r)
{
    free(r->arena);
    r->arena = NULL;
}

/* Reads one varint of at most 10 bytes and advances *at past it; false when it is not valid. */
static bool get_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
    uint64_t n = 0;

    for (unsigned shift = 0; shift < 70 && *at < end; shift += 7) {
        uint8_t byte = *(*at)++;

        if (shift == 63 && byte > 1)
            return false;
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *value = n;
            return true;
        }
    }
    return false;
}

static bool skip(struct dict_reader *r, size_t size)
{
    if ((size_t)(r->end - r->at) < size)
        return false;
    r->at += size;
    return true;
}

/* Reads one field of any type and tells whether its type is one that known fields have.
 * Returns false when the field is not valid. */
static bool read_field(struct dict_reader *r, struct dict_field *f, bool *known)
{
    uint64_t tag, size;

    if (!get_varint(&r->at, r->end, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3)
        return false;
    *f = (struct dict_field){.number = (uint32_t)(tag >> 3)};
    *known = true;
    switch (tag & 7) {
    case WIRE_VARINT:
        return get_varint(&r->at, r->end, &f->value);
    case WIRE_BYTES:
        if (!get_varint(&r->at, r->end, &size) || size > (size_t)(r->end - r->at))
            return false;
        f->is_bytes = true;
        f->data = r->at;
        f->size = (size_t)size;
        r->at += f->size;
        return true;
    case WIRE_FIXED64:
        *known = false;
        return skip(r, 8);
    case WIRE_FIXED32:
        *known = false;
        return skip(r, 4);
    default: /* Groups were deprecated before proto3 existed. */
        return false;
    }
}

enum dict_got dict_next(struct dict_reader *r, struct dict_field *f, struct err *e)
{
    bool known = false;

    while (r->at < r->end && !known)
        if (!read_field(r, f, &known)) {
            err_set(e, r->kind, "the dictionary is not valid protobuf");
            return DICT_FAILED;
        }
    return known ? DICT_FIELD : DICT_END;
}

static void *arena_alloc(void *data, size_t size)
{
    struct dict_reader *r = data;
    uint8_t *p = r->arena + r->arena_used;

    size = (size + 15) & ~(size_t)15;
    if (size > r->arena_size - r->arena_used)
        return NULL;
    r->arena_used += size;
    return p;
}

static void arena_free(void *data, void *pointer)
{
    (void)data;
    (void)pointer;
}

/* How much memory is enough for any sensible message: protobuf-c takes about 65 bytes for an
 * unknown field of 2 bytes, and copies the payload of known fields once. */
static size_t arena_need(size_t message_size)
{
    return 4096 + 64 * min_size(message_size, 64 * KIB) + 2 * message_size;
}

const ProtobufCMessage *dict_unpack(struct dict_reader *r, const struct dict_field *f,
                                    const ProtobufCMessageDescriptor *type, struct err *e)
{
    ProtobufCAllocator allocator = {arena_alloc, arena_free, r};
    ProtobufCMessage *message = NULL;

    if (f->is_bytes && f->size <= LIMIT_NESTED_MESSAGE) {
        size_t need = arena_need(f->size);

        if (need > r->arena_size) {
            free(r->arena);
            r->arena_size = 0;
            r->arena = malloc(need);
            if (!r->arena) {
                err_nomem(e, "reading a dictionary");
                return NULL;
            }
            r->arena_size = need;
        }
        r->arena_used = 0;
        message = protobuf_c_message_unpack(type, &allocator, f->size, f->data);
    }
    if (!message)
        err_set(e, r->kind, "the dictionary's field %u is not a valid %s", f->number,
                type->short_name);
    return message;
}

static int numbers_push(struct dict_reader *r, struct dict_numbers *list, uint64_t value,
                        struct err *e)
{
    if (value > UINT32_MAX)
        return err_set(e, r->kind, "a chunk index in the dictionary is out of range");
    if (list->count >= LIMIT_ORDER)
        return err_set(e, r->kind,
                       "the dictionary's chunk order has too many entries (at most %zu)",
                       LIMIT_ORDER);
    if (array_grow((void **)&list->items, &list->capacity, list->count, sizeof *list->items, e) < 0)
        return -1;
    list->items[list->count++] = (uint32_t)value;
    return 0;
}

int dict_numbers_add(struct dict_reader *r, const struct dict_field *f, struct dict_numbers *list,
                     struct err *e)
{
    const uint8_t *at = f->data, *end;
    uint64_t value;

    if (!f->is_bytes)
        return numbers_push(r, list, f->value, e);
    end = at + f->size;
    while (at < end) {
        if (!get_varint(&at, end, &value))
            return err_set(e, r->kind, "the dictionary's chunk order is not valid protobuf");
        if (numbers_push(r, list, value, e) < 0)
            return -1;
    }
    return 0;
}

int dict_get_text(const struct dict_reader *r, const struct dict_field *f, size_t max, char **text,
                  struct err *e)
{
    char *copy;

    if (!f->is_bytes || f->size > max || !text_is_utf8(f->data, f->size) ||
        memchr(f->data, '\0', f->size))
        return err_set(e, r->kind, "the dictionary's field %u is not a valid text", f->number);
    copy = strndup((const char *)f->data, f->size);
    if (!copy)
        return err_nomem(e, "reading a dictionary");
    free(*text);
    *text = copy;
    return 0;
}

void dict_put_raw(struct dict_writer *w, const void *data, size_t size)
{
    if (w->failed || size == 0)
        return;
    if (w->capacity - w->size < size) {
        size_t capacity = 2 * (w->size + size) + 256;
        uint8_t *grown = realloc(w->data, capacity);

        if (!grown) {
            w->failed = true;
            return;
        }
        w->data = grown;
        w->capacity = capacity;
    }
    memcpy(w->data + w->size, data, size);
    w->size += size;
}

static size_t varint_bytes(uint64_t value, uint8_t out[10])
{
    size_t n = 0;

    while (value >= 0x80) {
        out[n++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    out[n++] = (uint8_t)value;
    return n;
}

static void put_varint(struct dict_writer *w, uint64_t value)
{
    uint8_t bytes[10];

    dict_put_raw(w, bytes, varint_bytes(value, bytes));
}

static void put_tag(struct dict_writer *w, uint32_t field, enum wire_type type)
{
    put_varint(w, (uint64_t)field << 3 | type);
}

void dict_put_number(struct dict_writer *w, uint32_t field, uint64_t value)
{
    if (value == 0)
        return;
    put_tag(w, field, WIRE_VARINT);
    put_varint(w, value);
}

void dict_put_bytes(struct dict_writer *w, uint32_t field, const void *data, size_t size)
{
    if (size == 0)
        return;
    put_tag(w, field, WIRE_BYTES);
    put_varint(w, size);
    dict_put_raw(w, data, size);
}

void dict_put_numbers(struct dict_writer *w, uint32_t field, const uint32_t *items, size_t count)
{
    uint8_t scratch[10];
    size_t size = 0;

    if (count == 0)
        return;
    for (size_t i = 0; i < count; i++)
        size += varint_bytes(items[i], scratch);
    put_tag(w, field, WIRE_BYTES);
    put_varint(w, size);
    for (size_t i = 0; i < count; i++)
        put_varint(w, items[i]);
}

struct writer_buffer {
    ProtobufCBuffer base; /* the first member, because protobuf-c hands back a pointer to it */
    struct dict_writer *writer;
};

static void writer_append(ProtobufCBuffer *buffer, size_t size, const uint8_t *data)
{
    dict_put_raw(((struct writer_buffer *)buffer)->writer, data, size);
}

void dict_put_message(struct dict_writer *w, uint32_t field, const ProtobufCMessage *message)
{
    struct writer_buffer target = {{writer_append}, w};

    put_tag(w, field, WIRE_BYTES);
    put_varint(w, protobuf_c_message_get_packed_size(message));
    protobuf_c_message_pack_to_buffer(message, &target.base);
}

void dict_begin(struct dict_writer *w, const uint8_t magic[FRAME_MAGIC_SIZE])
{
    static const uint8_t
        size[FRAME_PREFIX_SIZE - FRAME_MAGIC_SIZE]; /* zeros, which dict_end replaces */

    dict_put_raw(w, magic, FRAME_MAGIC_SIZE);
    dict_put_raw(w, size, sizeof size);
}

void dict_end(struct dict_writer *w)
{
    if (!w->failed)
        text_put_le64(w->data + FRAME_MAGIC_SIZE, w->size - FRAME_PREFIX_SIZE);
}

int dict_sign(struct dict_writer *w, struct err *e)
{
    CLEANUP(chunk_hasher_cleanup) struct chunk_hasher *h = chunk_hasher_new(e);
    uint8_t sum[CHUNK_HASH_SIZE];

    if (!h)
        return -1;
    if (!w->failed) {
        if (chunk_hash(h, w->data, w->size, sum, e) < 0)
            return -1;
        dict_put_raw(w, sum, sizeof sum);
    }
    return w->failed ? err_nomem(e, "writing a dictionary") : 0;
}
