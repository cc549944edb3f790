/* SPDX-License-Identifier: MIT */
/* dictionary: the protobuf layer under archive and release.
 *
 * The outer message is walked field by field and each nested message is
 * unpacked alone by protobuf-c, through an allocator with a cap. Unpacking the
 * outer message in one call would take up to 60 times its size in heap, before
 * one value of it could be checked; so, the heap needed is one nested message.
 * docs/formats.md has the numbers.
 *
 * No threads, no I/O.
 */
#ifndef IHOP_FORMAT_DICTIONARY_H
#define IHOP_FORMAT_DICTIONARY_H

#include "base/err.h"
#include "format/chunk_hash.h"
#include "format/frame.h"

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reading */

struct dict_field {
    uint32_t number;
    bool is_bytes;       /* length-delimited: data and size; else value */
    uint64_t value;      /* varint; fixed fields are skipped as unknown */
    const uint8_t *data; /* points into the dictionary */
    size_t size;
};

struct dict_reader {
    const uint8_t *at, *end;
    enum err_kind kind; /* of the errors: whose dictionary this is */
    uint8_t *arena;     /* for the nested message at hand */
    size_t arena_size, arena_used;
};

void dict_reader_init(struct dict_reader *r, const uint8_t *data, size_t size, enum err_kind kind);
void dict_reader_free(struct dict_reader *r);

enum dict_got {
    DICT_FAILED = -1,
    DICT_END = 0,
    DICT_FIELD = 1,
};

/* Steps to the next field and fills *f, or comes to the end. Fields of types that no known
 * field has are skipped. */
enum dict_got dict_next(struct dict_reader *r, struct dict_field *f, struct err *e)
    __attribute__((warn_unused_result));

/* Unpacks a nested message. It lives until the next call; do not free it. */
const ProtobufCMessage *dict_unpack(struct dict_reader *r, const struct dict_field *f,
                                    const ProtobufCMessageDescriptor *type, struct err *e)
    __attribute__((warn_unused_result));

/* Appends the numbers of a repeated uint32 field, packed or not, to a growing
 * array that the caller frees. */
struct dict_numbers {
    uint32_t *items;
    size_t count, capacity;
};
int dict_numbers_add(struct dict_reader *r, const struct dict_field *f, struct dict_numbers *list,
                     struct err *e) __attribute__((warn_unused_result));

/* Copies a string field of at most max bytes; the caller frees *text. */
int dict_get_text(const struct dict_reader *r, const struct dict_field *f, size_t max, char **text,
                  struct err *e) __attribute__((warn_unused_result));

/* Writing: values equal to the default are left out, as proto3 wants it. A
 * failed allocation sticks, and dict_sign reports it. The caller frees data. */

struct dict_writer {
    uint8_t *data;
    size_t size, capacity;
    bool failed;
};

void dict_put_raw(struct dict_writer *w, const void *data, size_t size);
void dict_put_number(struct dict_writer *w, uint32_t field, uint64_t value);
void dict_put_bytes(struct dict_writer *w, uint32_t field, const void *data, size_t size);
void dict_put_numbers(struct dict_writer *w, uint32_t field, const uint32_t *items, size_t count);
void dict_put_message(struct dict_writer *w, uint32_t field, const ProtobufCMessage *message);

/* The frame: begin comes first, end behind the dictionary's last field, sign after
 * what may follow. */
void dict_begin(struct dict_writer *w, const uint8_t magic[FRAME_MAGIC_SIZE]);
void dict_end(struct dict_writer *w);
int dict_sign(struct dict_writer *w, struct err *e) __attribute__((warn_unused_result));

#endif
