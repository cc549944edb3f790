/* SPDX-License-Identifier: MIT */
#include "format/archive_writer.h"

#include "base/checked.h"
#include "base/text.h"
#include "format/dictionary.pb-c.h"

const struct image_fields archive_fields = {
    .application_version = 1,
    .source_checksum = 2,
    .source_size = 3,
    .chunker = 4,
    .compression = 5,
    .order = 6,
    .metadata = 8,
};

void archive_writer_begin(struct dict_writer *w)
{
    dict_begin(w, (const uint8_t *)ARCHIVE_MAGIC);
}

void archive_writer_put_front(struct dict_writer *w, const struct image *image)
{
    image_put_source(w, &archive_fields, image);
    image_put_chunker(w, &archive_fields, image);
    image_put_compression(w, &archive_fields, image);
}

void archive_writer_put_order(struct dict_writer *w, const uint32_t *order, size_t count)
{
    dict_put_numbers(w, archive_fields.order, order, count);
}

void archive_writer_put_chunk(struct dict_writer *w, const struct chunk *chunk, const uint8_t *hash,
                              size_t hash_length)
{
    Ihop__ArchiveChunk c = IHOP__ARCHIVE_CHUNK__INIT;

    c.checksum.data = (uint8_t *)hash;
    c.checksum.len = hash_length;
    c.archive_size = chunk->archive_size;
    c.archive_offset = chunk->archive_offset;
    c.source_size = chunk->source_size;
    dict_put_message(w, ARCHIVE_FIELD_CHUNK_DESCRIPTORS, &c.base);
}

void archive_writer_put_back(struct dict_writer *w, const struct image *image)
{
    image_put_metadata(w, &archive_fields, image);
}

int archive_writer_end(struct dict_writer *w, uint64_t data_offset, struct err *e)
{
    uint8_t bytes[8];

    dict_end(w);
    text_put_le64(bytes, data_offset);
    dict_put_raw(w, bytes, sizeof bytes);
    return dict_sign(w, e);
}

uint64_t archive_writer_data_offset(const struct image *image)
{
    uint64_t first = image->archive_size;

    for (size_t i = 0; i < image->chunks.count; i++)
        first = min_u64(first, image->chunks.items[i].archive_offset);
    return first;
}
