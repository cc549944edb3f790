/* SPDX-License-Identifier: MIT */
#include "format/image_builder.h"

#include "base/array.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/text.h"
#include "format/dictionary.pb-c.h"

#include <stdlib.h>
#include <string.h>

void image_builder_init(struct image_builder *b, enum err_kind kind)
{
    *b = (struct image_builder){.kind = kind};
}

void image_builder_free(struct image_builder *b)
{
    image_free(&b->image);
    free(b->order.items);
    b->order.items = NULL;
}

static int check_chunk(const struct image_builder *b, const ProtobufCBinaryData *hash,
                       const struct chunk *chunk, struct err *e)
{
    const struct chunk_table *chunks = &b->image.chunks;

    if (hash->len < LIMIT_HASH_MIN || hash->len > CHUNK_HASH_SIZE)
        return err_set(e, b->kind, "chunk %zu has a hash of %zu bytes (4 to 64 are possible)",
                       chunks->count, hash->len);
    if (chunks->count > 0 && hash->len != chunks->hash_length)
        return err_set(e, b->kind, "chunk %zu has a hash of %zu bytes, others of %zu",
                       chunks->count, hash->len, chunks->hash_length);
    if (chunk->source_size == 0 || chunk->source_size > LIMIT_CHUNK)
        return err_set(e, b->kind, "chunk %zu has a size of %u bytes (1 to %llu are possible)",
                       chunks->count, chunk->source_size, (unsigned long long)LIMIT_CHUNK);
    if (chunks->count >= UINT32_MAX)
        return err_set(e, b->kind, "too many chunks");
    return 0;
}

int image_builder_add_chunk(struct image_builder *b, const ProtobufCBinaryData *hash,
                            const struct chunk *chunk, struct err *e)
{
    if (check_chunk(b, hash, chunk, e) < 0)
        return -1;
    b->image.chunks.hash_length = hash->len;
    return chunk_table_append(&b->image.chunks, hash->data, chunk, e);
}

static int parse_metadata(struct image_builder *b, struct dict_reader *r,
                          const struct dict_field *f, struct err *e)
{
    const Ihop__MetadataEntry *entry =
        (const Ihop__MetadataEntry *)dict_unpack(r, f, &ihop__metadata_entry__descriptor, e);
    struct image *image = &b->image;
    struct image_metadata copy;

    if (!entry)
        return -1;
    if (!text_is_utf8(entry->key, strlen(entry->key)))
        return err_set(e, b->kind, "a metadata key is not valid UTF-8");
    b->metadata_bytes += strlen(entry->key) + entry->value.len;
    if (image->metadata_count >= LIMIT_METADATA_ENTRIES || b->metadata_bytes > LIMIT_METADATA_BYTES)
        return err_set(e, b->kind, "more metadata than %d entries or %llu bytes",
                       LIMIT_METADATA_ENTRIES, (unsigned long long)LIMIT_METADATA_BYTES);
    if (array_grow((void **)&image->metadata, &b->metadata_capacity, image->metadata_count,
                   sizeof *image->metadata, e) < 0)
        return -1;
    copy.key = strdup(entry->key);
    copy.size = entry->value.len;
    copy.value = malloc(copy.size + 1);
    if (!copy.key || !copy.value) {
        free(copy.key);
        free(copy.value);
        return err_nomem(e, "reading metadata");
    }
    if (copy.size > 0)
        memcpy(copy.value, entry->value.data, copy.size);
    image->metadata[image->metadata_count++] = copy;
    return 0;
}

static int parse_chunker(struct image_builder *b, struct dict_reader *r, const struct dict_field *f,
                         struct err *e)
{
    const Ihop__ChunkerParameters *p = (const Ihop__ChunkerParameters *)dict_unpack(
        r, f, &ihop__chunker_parameters__descriptor, e);
    struct image *image = &b->image;

    if (!p)
        return -1;
    if ((unsigned)p->chunking_algorithm > IMAGE_FIXED_SIZE)
        return err_set(e, b->kind, "unknown chunking algorithm %d", (int)p->chunking_algorithm);
    image->chunker = (enum image_chunker)p->chunking_algorithm;
    image->filter_bits = p->chunk_filter_bits;
    image->min_chunk_size = p->min_chunk_size;
    image->max_chunk_size = p->max_chunk_size;
    image->window_size = p->rolling_hash_window_size;
    b->declared_hash_length = p->chunk_hash_length;
    b->has_chunker = true;
    return 0;
}

static int parse_compression(struct image_builder *b, struct dict_reader *r,
                             const struct dict_field *f, struct err *e)
{
    const Ihop__ChunkCompression *c =
        (const Ihop__ChunkCompression *)dict_unpack(r, f, &ihop__chunk_compression__descriptor, e);

    if (!c)
        return -1;
    if ((unsigned)c->compression > IMAGE_BROTLI)
        return err_set(e, b->kind, "unknown compression %d", (int)c->compression);
    b->image.compression = (enum image_compression)c->compression;
    b->image.compression_level = c->compression_level;
    b->image.has_archive = true;
    return 0;
}

static int parse_source_checksum(struct image_builder *b, const struct dict_field *f, struct err *e)
{
    if (!f->is_bytes || f->size != CHUNK_HASH_SIZE)
        return err_set(e, b->kind, "the source checksum has %zu bytes instead of 64",
                       f->is_bytes ? f->size : 0);
    memcpy(b->image.source_checksum, f->data, CHUNK_HASH_SIZE);
    b->has_source_checksum = true;
    return 0;
}

int image_builder_add_field(struct image_builder *b, const struct image_fields *fields,
                            struct dict_reader *r, const struct dict_field *f, struct err *e)
{
    if (f->number == fields->application_version)
        return dict_get_text(r, f, LIMIT_VERSION_TEXT, &b->image.application_version, e);
    if (f->number == fields->source_checksum)
        return parse_source_checksum(b, f, e);
    if (f->number == fields->source_size)
        b->image.source_size = f->value;
    if (f->number == fields->order)
        return dict_numbers_add(r, f, &b->order, e);
    if (f->number == fields->chunker)
        return parse_chunker(b, r, f, e);
    if (f->number == fields->compression)
        return parse_compression(b, r, f, e);
    if (f->number == fields->metadata)
        return parse_metadata(b, r, f, e);
    return 0;
}

static int check_parameters(const struct image_builder *b, struct err *e)
{
    const struct image *image = &b->image;

    if (!b->has_source_checksum)
        return err_set(e, b->kind, "the dictionary has no source checksum");
    if (!b->has_chunker)
        return err_set(e, b->kind, "the dictionary has no chunker parameters");
    if (image->chunks.count > 0 && b->declared_hash_length != image->chunks.hash_length)
        return err_set(e, b->kind, "the chunk hashes have %zu bytes, but %u are declared",
                       image->chunks.hash_length, b->declared_hash_length);
    if (b->declared_hash_length < LIMIT_HASH_MIN || b->declared_hash_length > CHUNK_HASH_SIZE)
        return err_set(e, b->kind,
                       "a chunk hash length of %u bytes is declared (4 to 64 are "
                       "possible)",
                       b->declared_hash_length);
    return 0;
}

/* Finds chunks of equal hash: target[i] is the number of the first chunk that has the hash of
 * chunk i. Equal hashes stand for equal content, so the sizes must agree. Short hashes must not
 * repeat at all, because two different contents may well share one. */
static int find_repeated(const struct image_builder *b, uint32_t *target, struct err *e)
{
    const struct image *image = &b->image;
    CLEANUP_FREE uint32_t *sorted = chunk_table_sort_by_hash(&image->chunks, e);
    char hex[CHUNK_HASH_HEX];

    if (!sorted)
        return -1;
    for (size_t i = 0; i < image->chunks.count; i++)
        target[i] = (uint32_t)i;
    for (size_t i = 1; i < image->chunks.count; i++) {
        uint32_t first = target[sorted[i - 1]], this = sorted[i];

        if (memcmp(chunk_table_hash(&image->chunks, first), chunk_table_hash(&image->chunks, this),
                   image->chunks.hash_length) != 0)
            continue;
        if (image->chunks.hash_length < LIMIT_HASH_TRUSTED ||
            image->chunks.items[first].source_size != image->chunks.items[this].source_size)
            return err_set(e, b->kind, "two different chunks have the hash %s",
                           chunk_table_hash_hex(&image->chunks, this, hex));
        target[this] = first;
    }
    return 0;
}

/* Checks the order against the chunk table and the image's size, redirects its entries to
 * target, and marks the chunks that are in use. */
static int check_chunk_order(struct image_builder *b, uint32_t *target, bool *used, struct err *e)
{
    struct image *image = &b->image;
    uint64_t total = 0;

    for (size_t i = 0; i < b->order.count; i++) {
        uint32_t *index = &b->order.items[i];

        if (*index >= image->chunks.count)
            return err_set(e, b->kind, "chunk index %u is out of range (%zu chunks)", *index,
                           image->chunks.count);
        *index = target[*index];
        used[*index] = true;
        if (!checked_add_u64(total, image->chunks.items[*index].source_size, &total))
            return err_set(e, b->kind, "the chunk sizes overflow");
    }
    if (total != image->source_size)
        return err_set(e, b->kind, "the chunks add up to %llu bytes, the image has %llu",
                       (unsigned long long)total, (unsigned long long)image->source_size);
    if (total > LIMIT_IMAGE)
        return err_set(e, b->kind, "an image of %llu bytes is too large",
                       (unsigned long long)total);
    return 0;
}

int image_builder_finish(struct image_builder *b, struct image *out, struct err *e)
{
    CLEANUP_FREE uint32_t *target = NULL;
    CLEANUP_FREE bool *used = NULL;

    if (check_parameters(b, e) < 0)
        return -1;
    if (!b->image.application_version && !(b->image.application_version = strdup("")))
        return err_nomem(e, "reading a dictionary");
    target = malloc((b->image.chunks.count + 1) * sizeof *target);
    used = calloc(b->image.chunks.count + 1, sizeof *used);
    if (!target || !used)
        return err_nomem(e, "checking the chunk table");
    if (find_repeated(b, target, e) < 0 || check_chunk_order(b, target, used, e) < 0)
        return -1;
    chunk_table_retain(&b->image.chunks, used, target);
    for (size_t i = 0; i < b->order.count; i++)
        b->order.items[i] = target[b->order.items[i]];
    b->image.chunks.hash_length = b->declared_hash_length;
    b->image.order = STEAL(b->order.items);
    b->image.order_count = b->order.count;
    *out = b->image;
    b->image = (struct image){0};
    return 0;
}

void image_put_source(struct dict_writer *w, const struct image_fields *fields,
                      const struct image *image)
{
    dict_put_bytes(w, fields->application_version, image->application_version,
                   strlen(image->application_version));
    dict_put_bytes(w, fields->source_checksum, image->source_checksum, CHUNK_HASH_SIZE);
    dict_put_number(w, fields->source_size, image->source_size);
}

void image_put_order(struct dict_writer *w, const struct image_fields *fields,
                     const struct image *image)
{
    dict_put_numbers(w, fields->order, image->order, image->order_count);
}

void image_put_chunker(struct dict_writer *w, const struct image_fields *fields,
                       const struct image *image)
{
    Ihop__ChunkerParameters p = IHOP__CHUNKER_PARAMETERS__INIT;

    p.chunk_filter_bits = image->filter_bits;
    p.min_chunk_size = image->min_chunk_size;
    p.max_chunk_size = image->max_chunk_size;
    p.rolling_hash_window_size = image->window_size;
    p.chunk_hash_length = (uint32_t)image->chunks.hash_length;
    p.chunking_algorithm = (Ihop__ChunkerParameters__Algorithm)image->chunker;
    dict_put_message(w, fields->chunker, &p.base);
}

void image_put_compression(struct dict_writer *w, const struct image_fields *fields,
                           const struct image *image)
{
    Ihop__ChunkCompression c = IHOP__CHUNK_COMPRESSION__INIT;

    c.compression = (Ihop__ChunkCompression__Type)image->compression;
    c.compression_level = image->compression_level;
    dict_put_message(w, fields->compression, &c.base);
}

void image_put_metadata(struct dict_writer *w, const struct image_fields *fields,
                        const struct image *image)
{
    for (size_t i = 0; i < image->metadata_count; i++) {
        Ihop__MetadataEntry entry = IHOP__METADATA_ENTRY__INIT;

        entry.key = image->metadata[i].key;
        entry.value.data = image->metadata[i].value;
        entry.value.len = image->metadata[i].size;
        dict_put_message(w, fields->metadata, &entry.base);
    }
}
