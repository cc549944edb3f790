/* SPDX-License-Identifier: MIT */
/* dictionary: the protobuf layer under archive and release.
 *
 * The outer message is walked field by field, and each nested message is unpacked alone by
 * protobuf-c, through an allocator with a cap. So the heap has to hold only one nested message
 * at a time. Unpacking the outer message in one call would take up to 60 times its size,
 * before any value could be checked. docs/formats.md has the numbers.
 *
 * A reader or a writer belongs to one thread at a time. Nothing here does I/O.
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
    bool is_bytes;       /* it is length-delimited and has data and size; any other has value */
    uint64_t value;      /* of a varint */
    const uint8_t *data; /* points into the dictionary */
    size_t size;
};

struct dict_reader {
    const uint8_t *at, *end;
    enum err_kind kind; /* of errors: ERR_ARCHIVE or ERR_DAMAGED, by what the dictionary is of */
    uint8_t *arena;     /* memory for the nested message that was unpacked last */
    size_t arena_size, arena_used;
};

/* data is borrowed and must live as long as the reader and its fields. */
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

/* Unpacks a nested message, which belongs to the reader and lives until the next call. */
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

/* Writing. Values equal to the default are left out, as proto3 demands. A failed allocation
 * is remembered, and dict_sign reports it. The caller frees data. */

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

/* Write the frame (frame.h). dict_begin comes first, dict_end comes after the last field of
 * the dictionary, and dict_sign comes last and appends the checksum. */
void dict_begin(struct dict_writer *w, const uint8_t magic[FRAME_MAGIC_SIZE]);
void dict_end(struct dict_writer *w);
int dict_sign(struct dict_writer *w, struct err *e) __attribute__((warn_unused_result));

#endif
