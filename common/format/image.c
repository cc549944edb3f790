/* SPDX-License-Identifier: MIT */
#include "format/image.h"

#include "base/array.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "base/text.h"
#include "format/dictionary.pb-c.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

/* A chunk that shrinks by more than this may well be all zeros. */
#define ZERO_SUSPECT_RATIO 64

void image_free(struct image *image)
{
    for (size_t i = 0; i < image->metadata_count; i++) {
        free(image->metadata[i].key);
        free(image->metadata[i].value);
    }
    free(image->metadata);
    free(image->application_version);
    free(image->chunks);
    free(image->hashes);
    free(image->order);
    free(image->archive_url);
    *image = (struct image){0};
}

const char *image_hash_hex(const struct image *image, size_t chunk, char *out)
{
    text_hex(image_hash(image, chunk), image->hash_length, out);
    return out;
}

const char *image_chunker_name(const struct image *image)
{
    static const char *const names[] = {[IMAGE_BUZHASH] = "BuzHash",
                                        [IMAGE_ROLLSUM] = "RollSum",
                                        [IMAGE_FIXED_SIZE] = "fixed size"};

    return names[image->chunker];
}

uint64_t image_average_chunk_size(const struct image *image)
{
    if (image->chunker == IMAGE_FIXED_SIZE || image->filter_bits >= 32)
        return 0;
    return UINT64_C(2) << image->filter_bits;
}

const struct image_metadata *image_find_metadata(const struct image *image, const char *key)
{
    for (size_t i = 0; i < image->metadata_count; i++)
        if (strcmp(image->metadata[i].key, key) == 0)
            return &image->metadata[i];
    return NULL;
}

bool image_same_source(const struct image *a, const struct image *b)
{
    return a->source_size == b->source_size &&
           memcmp(a->source_checksum, b->source_checksum, CHUNK_HASH_SIZE) == 0;
}

/* Comparing the first bytes in place of the hashes spares most trips to memory. */
struct sort_key {
    uint64_t prefix; /* big-endian: in order of the bytes */
    uint32_t index;
};

static struct sort_key sort_key(const struct image *image, size_t chunk)
{
    uint64_t prefix = 0;

    memcpy(&prefix, image_hash(image, chunk), min_size(sizeof prefix, image->hash_length));
    return (struct sort_key){be64toh(prefix), (uint32_t)chunk};
}

static int compare_hashes(const void *a, const void *b, void *context)
{
    const struct sort_key *i = a, *j = b;
    const struct image *image = context;
    int order;

    if (i->prefix != j->prefix)
        return i->prefix < j->prefix ? -1 : 1;
    order = memcmp(image_hash(image, i->index), image_hash(image, j->index), image->hash_length);
    return order ? order : (i->index > j->index) - (i->index < j->index);
}

/* Shared out by first byte, which hashes have evenly, each share is small: a third of
 * the time that sorting all at once takes. */
static void sort_keys(const struct image *image, struct sort_key *keys)
{
    size_t ends[256] = {0}, begin = 0;

    for (size_t i = 0; i < image->chunk_count; i++)
        ends[*image_hash(image, i)]++;
    for (size_t byte = 0; byte < 256; byte++) {
        size_t count = ends[byte];

        ends[byte] = begin;
        begin += count;
    }
    for (size_t i = 0; i < image->chunk_count; i++)
        keys[ends[*image_hash(image, i)]++] = sort_key(image, i);
    begin = 0;
    for (size_t byte = 0; byte < 256; begin = ends[byte++])
        qsort_r(keys + begin, ends[byte] - begin, sizeof *keys, compare_hashes, (void *)image);
}

uint32_t *image_sort_by_hash(const struct image *image, struct err *e)
{
    CLEANUP_FREE struct sort_key *keys = malloc((image->chunk_count + 1) * sizeof *keys);
    uint32_t *sorted = malloc((image->chunk_count + 1) * sizeof *sorted);

    if (!keys || !sorted) {
        free(sorted);
        err_nomem(e, "sorting the chunk table");
        return NULL;
    }
    sort_keys(image, keys);
    for (size_t i = 0; i < image->chunk_count; i++)
        sorted[i] = keys[i].index;
    return sorted;
}

size_t image_find_hash(const struct image *image, const uint32_t *sorted, const uint8_t *hash)
{
    size_t low = 0, high = image->chunk_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = memcmp(image_hash(image, sorted[middle]), hash, image->hash_length);

        if (order == 0)
            return sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return IMAGE_NO_CHUNK;
}

void image_put_chunker(struct dict_writer *w, uint32_t field, const struct image *image)
{
    Ihop__ChunkerParameters p = IHOP__CHUNKER_PARAMETERS__INIT;

    p.chunk_filter_bits = image->filter_bits;
    p.min_chunk_size = image->min_chunk_size;
    p.max_chunk_size = image->max_chunk_size;
    p.rolling_hash_window_size = image->window_size;
    p.chunk_hash_length = (uint32_t)image->hash_length;
    p.chunking_algorithm = (Ihop__ChunkerParameters__Algorithm)image->chunker;
    dict_put_message(w, field, &p.base);
}

void image_put_compression(struct dict_writer *w, uint32_t field, const struct image *image)
{
    Ihop__ChunkCompression c = IHOP__CHUNK_COMPRESSION__INIT;

    c.compression = (Ihop__ChunkCompression__Type)image->compression;
    c.compression_level = image->compression_level;
    dict_put_message(w, field, &c.base);
}

void image_put_metadata(struct dict_writer *w, uint32_t field, const struct image *image)
{
    for (size_t i = 0; i < image->metadata_count; i++) {
        Ihop__MetadataEntry entry = IHOP__METADATA_ENTRY__INIT;

        entry.key = image->metadata[i].key;
        entry.value.data = image->metadata[i].value;
        entry.value.len = image->metadata[i].size;
        dict_put_message(w, field, &entry.base);
    }
}

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
                       const struct image_chunk *chunk, struct err *e)
{
    const struct image *image = &b->image;

    if (hash->len < LIMIT_HASH_MIN || hash->len > CHUNK_HASH_SIZE)
        return err_set(e, b->kind, "chunk %zu has a hash of %zu bytes (4 to 64 are possible)",
                       image->chunk_count, hash->len);
    if (image->chunk_count > 0 && hash->len != image->hash_length)
        return err_set(e, b->kind, "chunk %zu has a hash of %zu bytes, others of %zu",
                       image->chunk_count, hash->len, image->hash_length);
    if (chunk->source_size == 0 || chunk->source_size > LIMIT_CHUNK)
        return err_set(e, b->kind, "chunk %zu has a size of %u bytes (1 to %llu are possible)",
                       image->chunk_count, chunk->source_size, (unsigned long long)LIMIT_CHUNK);
    if (image->chunk_count >= UINT32_MAX)
        return err_set(e, b->kind, "too many chunks");
    return 0;
}

int image_add_chunk(struct image_builder *b, const ProtobufCBinaryData *hash,
                    const struct image_chunk *chunk, struct err *e)
{
    struct image *image = &b->image;

    if (check_chunk(b, hash, chunk, e) < 0)
        return -1;
    if (array_grow((void **)&image->chunks, &b->chunk_room, image->chunk_count,
                   sizeof *image->chunks, e) < 0 ||
        array_grow((void **)&image->hashes, &b->hash_room, image->chunk_count, hash->len, e) < 0)
        return -1;
    image->hash_length = hash->len;
    memcpy(image->hashes + image->chunk_count * hash->len, hash->data, hash->len);
    image->chunks[image->chunk_count++] = *chunk;
    return 0;
}

int image_add_metadata(struct image_builder *b, struct dict_reader *r, const struct dict_field *f,
                       struct err *e)
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
    if (array_grow((void **)&image->metadata, &b->metadata_room, image->metadata_count,
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

int image_set_chunker(struct image_builder *b, struct dict_reader *r, const struct dict_field *f,
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

int image_set_compression(struct image_builder *b, struct dict_reader *r,
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

int image_set_source_checksum(struct image_builder *b, const struct dict_field *f, struct err *e)
{
    if (!f->is_bytes || f->size != CHUNK_HASH_SIZE)
        return err_set(e, b->kind, "the source checksum has %zu bytes instead of 64",
                       f->is_bytes ? f->size : 0);
    memcpy(b->image.source_checksum, f->data, CHUNK_HASH_SIZE);
    b->has_source_checksum = true;
    return 0;
}

static int check_parameters(const struct image_builder *b, size_t min_hash_length, struct err *e)
{
    const struct image *image = &b->image;

    if (!b->has_source_checksum)
        return err_set(e, b->kind, "the dictionary has no source checksum");
    if (!b->has_chunker)
        return err_set(e, b->kind, "the dictionary has no chunker parameters");
    if (image->chunk_count > 0 && b->declared_hash_length != image->hash_length)
        return err_set(e, b->kind, "the chunk hashes have %zu bytes, but %u are declared",
                       image->hash_length, b->declared_hash_length);
    if (b->declared_hash_length < LIMIT_HASH_MIN || b->declared_hash_length > CHUNK_HASH_SIZE)
        return err_set(e, b->kind,
                       "a chunk hash length of %u bytes is declared (4 to 64 are "
                       "possible)",
                       b->declared_hash_length);
    if (b->declared_hash_length < min_hash_length)
        return err_set(e, b->kind, "the chunk hashes have %u bytes; %zu are needed to trust them%s",
                       b->declared_hash_length, min_hash_length,
                       min_hash_length <= LIMIT_HASH_TRUSTED
                           ? " (make the archive with --hash-length 64, or pass "
                             "--allow-short-hash)"
                           : " with a pinned header");
    return 0;
}

/* Redirects the second chunk of an equal hash to the first: target[i] is the
 * chunk to use for i. A hash names one content, so the sizes must agree; and a
 * short hash may well be shared by two contents, which nobody could tell apart. */
static int find_repeated(const struct image_builder *b, uint32_t *target, struct err *e)
{
    const struct image *image = &b->image;
    CLEANUP_FREE uint32_t *sorted = image_sort_by_hash(image, e);
    char hex[CHUNK_HASH_HEX];

    if (!sorted)
        return -1;
    for (size_t i = 0; i < image->chunk_count; i++)
        target[i] = (uint32_t)i;
    for (size_t i = 1; i < image->chunk_count; i++) {
        uint32_t first = target[sorted[i - 1]], this = sorted[i];

        if (memcmp(image_hash(image, first), image_hash(image, this), image->hash_length) != 0)
            continue;
        if (image->hash_length < LIMIT_HASH_TRUSTED ||
            image->chunks[first].source_size != image->chunks[this].source_size)
            return err_set(e, b->kind, "two different chunks have the hash %s",
                           image_hash_hex(image, this, hex));
        target[this] = first;
    }
    return 0;
}

/* Checks the order against table and size, and marks the chunks in use. */
static int check_order(struct image_builder *b, uint32_t *target, bool *used, struct err *e)
{
    struct image *image = &b->image;
    uint64_t total = 0;

    for (size_t i = 0; i < b->order.count; i++) {
        uint32_t *index = &b->order.items[i];

        if (*index >= image->chunk_count)
            return err_set(e, b->kind, "chunk index %u is out of range (%zu chunks)", *index,
                           image->chunk_count);
        *index = target[*index];
        used[*index] = true;
        if (!checked_add_u64(total, image->chunks[*index].source_size, &total))
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

/* Drops the chunks that nothing refers to; target becomes old index -> new. */
static void compact(struct image_builder *b, uint32_t *target, const bool *used)
{
    struct image *image = &b->image;
    size_t kept = 0;

    for (size_t i = 0; i < image->chunk_count; i++) {
        if (!used[i])
            continue;
        target[i] = (uint32_t)kept;
        image->chunks[kept] = image->chunks[i];
        memmove(image->hashes + kept * image->hash_length, image_hash(image, i),
                image->hash_length);
        kept++;
    }
    image->chunk_count = kept;
    for (size_t i = 0; i < b->order.count; i++)
        b->order.items[i] = target[b->order.items[i]];
}

int image_finish(struct image_builder *b, size_t min_hash_length, struct image *out, struct err *e)
{
    CLEANUP_FREE uint32_t *target = NULL;
    CLEANUP_FREE bool *used = NULL;

    if (check_parameters(b, min_hash_length, e) < 0)
        return -1;
    if (!b->image.application_version && !(b->image.application_version = strdup("")))
        return err_nomem(e, "reading a dictionary");
    target = malloc((b->image.chunk_count + 1) * sizeof *target);
    used = calloc(b->image.chunk_count + 1, sizeof *used);
    if (!target || !used)
        return err_nomem(e, "checking the chunk table");
    if (find_repeated(b, target, e) < 0 || check_order(b, target, used, e) < 0)
        return -1;
    compact(b, target, used);
    b->image.hash_length = b->declared_hash_length;
    b->image.order = STEAL(b->order.items);
    b->image.order_count = b->order.count;
    *out = b->image;
    b->image = (struct image){0};
    return 0;
}

static bool may_be_zero(const struct image *image, const struct image_chunk *chunk)
{
    return !chunk->zero && (chunk->source_size == image->max_chunk_size ||
                            chunk->archive_size < chunk->source_size / ZERO_SUSPECT_RATIO);
}

static int compare_sizes(const void *a, const void *b, void *context)
{
    const struct image *image = context;
    uint32_t i = image->chunks[*(const uint32_t *)a].source_size;
    uint32_t j = image->chunks[*(const uint32_t *)b].source_size;

    return (i > j) - (i < j);
}

/* Feeds zeros up to each size in ascending order and compares on the way. */
static int compare_with_zeros(struct image *image, const uint32_t *suspects, size_t count,
                              struct err *e)
{
    static const uint8_t zeros[64 * 1024];
    CLEANUP(chunk_hasher_cleanup) struct chunk_hasher *h = chunk_hasher_new(e);
    uint8_t hash[CHUNK_HASH_SIZE];
    uint32_t fed = 0;

    if (!h || chunk_hash_begin(h, e) < 0)
        return -1;
    for (size_t i = 0; i < count; i++) {
        struct image_chunk *chunk = &image->chunks[suspects[i]];
        bool more = i == 0 || fed < chunk->source_size;

        while (fed < chunk->source_size) {
            size_t n = min_size(sizeof zeros, chunk->source_size - fed);

            if (chunk_hash_update(h, zeros, n, e) < 0)
                return -1;
            fed += (uint32_t)n;
        }
        if (more && chunk_hash_peek(h, hash, e) < 0)
            return -1;
        chunk->zero = memcmp(hash, image_hash(image, suspects[i]), image->hash_length) == 0;
    }
    return 0;
}

int image_find_zero_chunks(struct image *image, struct err *e)
{
    CLEANUP_FREE uint32_t *suspects = malloc((image->chunk_count + 1) * sizeof *suspects);
    size_t count = 0;

    if (!suspects)
        return err_nomem(e, "looking for zero chunks");
    for (size_t i = 0; i < image->chunk_count; i++)
        if (may_be_zero(image, &image->chunks[i]))
            suspects[count++] = (uint32_t)i;
    qsort_r(suspects, count, sizeof *suspects, compare_sizes, image);
    return compare_with_zeros(image, suspects, count, e);
}
