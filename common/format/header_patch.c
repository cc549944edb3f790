/* SPDX-License-Identifier: MIT */
#include "format/header_patch.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/limits.h"
#include "format/archive.h"
#include "format/archive_writer.h"
#include "format/columns.h"

#include <stdlib.h>
#include <string.h>

/* Of a descriptor besides its hash, in bytes: its tag and size, the hash's, and both sizes'. */
#define DESCRIPTOR_MIN 8

/* Which chunk of the old table each of the new one is. */
static int find_references(const struct image *old, const struct image *new, size_t *references,
                           struct err *e)
{
    CLEANUP_FREE uint32_t *sorted = NULL;
    bool comparable = old->chunks.hash_length == new->chunks.hash_length;

    if (comparable && !(sorted = chunk_table_sort_by_hash(&old->chunks, e)))
        return -1;
    for (size_t i = 0; i < new->chunks.count; i++) {
        size_t *found = &references[i];

        *found = CHUNK_TABLE_NONE;
        if (comparable)
            *found = chunk_table_find(&old->chunks, sorted, chunk_table_hash(&new->chunks, i));
        if (*found != CHUNK_TABLE_NONE &&
            old->chunks.items[*found].source_size != new->chunks.items[i].source_size)
            *found = CHUNK_TABLE_NONE;
    }
    return 0;
}

static void put_dictionary_part(struct columns_writer *w, const struct image *image,
                                void (*part)(struct dict_writer *, const struct image *))
{
    struct dict_writer d = {0};

    part(&d, image);
    columns_put(w, d.size);
    columns_put_bytes(w, d.data, d.size);
    w->failed = w->failed || d.failed;
    free(d.data);
}

/* A new chunk is expected to replace an old one. */
static void put_references(struct columns_writer *w, const size_t *references, size_t count)
{
    size_t expected = 0;

    for (size_t i = 0; i < count; i++, expected++) {
        if (references[i] == CHUNK_TABLE_NONE) {
            columns_put(w, 0);
            continue;
        }
        columns_put(w, 1 + columns_zigzag((uint64_t)references[i] - expected));
        expected = references[i];
    }
}

static int put_new_chunks(struct columns_writer *w, const struct chunk_table *t,
                          const size_t *references, struct err *e)
{
    CLEANUP_FREE uint32_t *source_sizes = malloc((t->count + 1) * sizeof *source_sizes);
    CLEANUP_FREE uint32_t *archive_sizes = malloc((t->count + 1) * sizeof *archive_sizes);
    size_t count = 0;

    if (!source_sizes || !archive_sizes)
        return err_nomem(e, "making a header's patch");
    for (size_t i = 0; i < t->count; i++) {
        if (references[i] != CHUNK_TABLE_NONE)
            continue;
        columns_put_bytes(w, chunk_table_hash(t, i), t->hash_length);
        source_sizes[count] = t->items[i].source_size;
        archive_sizes[count++] = t->items[i].archive_size;
    }
    columns_put_planes(w, source_sizes, count);
    columns_put_planes(w, archive_sizes, count);
    return 0;
}

static void put_places(struct columns_writer *w, const struct image *old, const struct image *new,
                       const size_t *references)
{
    const struct chunk_table *t = &new->chunks;
    uint64_t expected = archive_writer_data_offset(new);

    for (size_t i = 0; i < t->count; i++)
        if (references[i] != CHUNK_TABLE_NONE)
            columns_put_near(w, old->chunks.items[references[i]].archive_size,
                             t->items[i].archive_size);
    for (size_t i = 0; i < t->count; i++) {
        columns_put_near(w, expected, t->items[i].archive_offset);
        expected = t->items[i].archive_offset + t->items[i].archive_size;
    }
}

static void put_order(struct columns_writer *w, const struct image *image)
{
    uint64_t expected = 0;

    for (size_t i = 0; i < image->order_count; i++) {
        columns_put_near(w, expected, image->order[i]);
        expected = (uint64_t)image->order[i] + 1;
    }
}

static int write_patch(struct columns_writer *w, const struct image *old, const struct image *new,
                       struct err *e)
{
    size_t count = new->chunks.count;
    CLEANUP_FREE size_t *references = malloc((count + 1) * sizeof *references);

    if (!references)
        return err_nomem(e, "making a header's patch");
    if (find_references(old, new, references, e) < 0)
        return -1;
    put_dictionary_part(w, new, archive_writer_put_front);
    put_dictionary_part(w, new, archive_writer_put_back);
    columns_put_near(w, new->header_size, archive_writer_data_offset(new));
    columns_put(w, new->chunks.hash_length);
    columns_put(w, count);
    columns_put(w, new->order_count);
    put_references(w, references, count);
    if (put_new_chunks(w, &new->chunks, references, e) < 0)
        return -1;
    put_places(w, old, new, references);
    put_order(w, new);
    return w->failed ? err_nomem(e, "making a header's patch") : 0;
}

/* Whether a device that applies the patch gets the header. */
static int try_patch(const struct columns_writer *w, const struct image *old,
                     const struct image *new, bool *works, struct err *e)
{
    struct header_patch_wanted wanted = {
        .checksum = new->header_checksum,
        .header_size = new->header_size,
        .archive_size = new->archive_size,
    };
    uint8_t *header = NULL;
    struct err why = ERR_INIT;

    *works = false;
    if (w->size > new->header_size)
        return 0;
    if (header_patch_apply(old, w->data, w->size, &wanted, &header, &why) == 0)
        *works = true;
    free(header);
    if (why.kind == ERR_NONE || why.kind == ERR_ARCHIVE)
        return 0;
    *e = why;
    return -1;
}

int header_patch_make(const struct image *old, const struct image *new, uint8_t **patch,
                      size_t *size, bool *works, struct err *e)
{
    struct columns_writer w = {0};

    if (write_patch(&w, old, new, e) < 0 || try_patch(&w, old, new, works, e) < 0) {
        free(w.data);
        return -1;
    }
    if (!*works) {
        free(w.data);
        return 0;
    }
    *patch = w.data;
    *size = w.size;
    return 0;
}

/* A patch that is being read. Its columns are read side by side: first their beginnings are found,
 * which needs no memory, however many rows they claim to have. */
struct patch_columns {
    const struct image *old;
    const uint8_t *front, *back; /* parts of the dictionary */
    size_t front_size, back_size;
    uint64_t data_offset;
    size_t hash_length, count, order_count;
    size_t new_count, new_done;                           /* chunks that the old table lacks */
    const uint8_t *hashes, *source_sizes, *archive_sizes; /* theirs; the sizes in planes */
    struct columns_reader references, kept_sizes, places, order;
};

static const uint8_t *get_dictionary_part(struct columns_reader *r, size_t *size, struct err *e)
{
    uint64_t n;

    if (columns_get(r, &n, e) < 0)
        return NULL;
    *size = n > SIZE_MAX ? SIZE_MAX : (size_t)n;
    return columns_get_bytes(r, *size, e);
}

static int get_count(struct columns_reader *r, uint64_t most, size_t *count, struct err *e)
{
    uint64_t n;

    if (columns_get(r, &n, e) < 0)
        return -1;
    if (n > most)
        return err_set(e, ERR_ARCHIVE, "its header patch has more rows than the header can have");
    *count = (size_t)n;
    return 0;
}

static int read_patch_head(struct patch_columns *p, struct columns_reader *r,
                           const struct header_patch_wanted *wanted, struct err *e)
{
    uint64_t length;

    p->front = get_dictionary_part(r, &p->front_size, e);
    if (!p->front)
        return -1;
    p->back = get_dictionary_part(r, &p->back_size, e);
    if (!p->back || columns_get_near(r, wanted->header_size, &p->data_offset, e) < 0 ||
        columns_get(r, &length, e) < 0)
        return -1;
    if (p->data_offset < wanted->header_size || p->data_offset > wanted->archive_size)
        return err_set(e, ERR_ARCHIVE, "its header patch has a chunk data offset out of range");
    if (length < LIMIT_HASH_MIN || length > CHUNK_HASH_SIZE)
        return err_set(e, ERR_ARCHIVE, "its header patch has hashes of %llu bytes",
                       (unsigned long long)length);
    p->hash_length = (size_t)length;
    if (get_count(r, wanted->header_size / (p->hash_length + DESCRIPTOR_MIN), &p->count, e) < 0)
        return -1;
    return get_count(r, min_u64(wanted->header_size, LIMIT_ORDER), &p->order_count, e);
}

/* Finds where the next column begins; the numbers of this one are checked when they are used. */
static int skip_column(struct columns_reader *r, size_t count, struct err *e)
{
    uint64_t ignored;

    for (size_t i = 0; i < count; i++)
        if (columns_get(r, &ignored, e) < 0)
            return -1;
    return 0;
}

static int find_columns(struct patch_columns *p, struct columns_reader *r, struct err *e)
{
    uint64_t reference;

    p->references = *r;
    for (size_t i = 0; i < p->count; i++) {
        if (columns_get(r, &reference, e) < 0)
            return -1;
        p->new_count += reference == 0;
    }
    p->hashes = columns_get_bytes(r, p->new_count * p->hash_length, e);
    if (!p->hashes)
        return -1;
    p->source_sizes = columns_get_bytes(r, COLUMNS_PLANES * p->new_count, e);
    if (!p->source_sizes)
        return -1;
    p->archive_sizes = columns_get_bytes(r, COLUMNS_PLANES * p->new_count, e);
    if (!p->archive_sizes)
        return -1;
    p->kept_sizes = *r;
    if (skip_column(r, p->count - p->new_count, e) < 0)
        return -1;
    p->places = *r;
    if (skip_column(r, p->count, e) < 0)
        return -1;
    p->order = *r;
    if (skip_column(r, p->order_count, e) < 0)
        return -1;
    if (r->at != r->end)
        return err_set(e, ERR_ARCHIVE, "its header patch has %zu bytes too many",
                       (size_t)(r->end - r->at));
    return 0;
}

static int apply_order(struct patch_columns *p, struct dict_writer *w, struct err *e)
{
    CLEANUP_FREE uint32_t *order = malloc((p->order_count + 1) * sizeof *order);
    uint64_t expected = 0, index;

    if (!order)
        return err_nomem(e, "reading a header's patch");
    for (size_t i = 0; i < p->order_count; i++) {
        if (columns_get_near(&p->order, expected, &index, e) < 0)
            return -1;
        if (index >= p->count)
            return err_set(e, ERR_ARCHIVE, "its header patch has a chunk index out of range");
        order[i] = (uint32_t)index;
        expected = index + 1;
    }
    archive_writer_put_order(w, order, p->order_count);
    return 0;
}

/* The next of the chunks that the old table lacks. */
static void new_chunk(struct patch_columns *p, struct chunk *chunk, const uint8_t **hash)
{
    size_t i = p->new_done++;

    *hash = p->hashes + i * p->hash_length;
    chunk->source_size = columns_from_planes(p->source_sizes, p->new_count, i);
    chunk->archive_size = columns_from_planes(p->archive_sizes, p->new_count, i);
}

/* A chunk of the old table, and of the size that it has in the new archive. */
static int kept_chunk(struct patch_columns *p, uint64_t reference, struct chunk *chunk,
                      const uint8_t **hash, struct err *e)
{
    const struct chunk_table *t = &p->old->chunks;
    uint64_t size;

    if (reference >= t->count || t->hash_length != p->hash_length)
        return err_set(e, ERR_ARCHIVE, "its header patch is for another chunk table");
    *hash = chunk_table_hash(t, reference);
    chunk->source_size = t->items[reference].source_size;
    if (columns_get_near(&p->kept_sizes, t->items[reference].archive_size, &size, e) < 0)
        return -1;
    if (size > LIMIT_CHUNK)
        return err_set(e, ERR_ARCHIVE, "its header patch has a chunk that is too large");
    chunk->archive_size = (uint32_t)size;
    return 0;
}

static int no_such_header(struct err *e)
{
    return err_set(e, ERR_ARCHIVE,
                   "its header patch does not give the archive's header: the old image came from "
                   "another archive than the one that it was made for");
}

/* Places add up modulo 2^64: what comes of that has the checksum, or has not. A header that grows
 * beyond most bytes is not the one that is wanted. */
static int apply_chunks(struct patch_columns *p, uint64_t most, struct dict_writer *w,
                        struct err *e)
{
    uint64_t expected = 0, place = 0, reference;

    for (size_t i = 0; i < p->count; i++, expected++) {
        const uint8_t *hash = NULL;
        struct chunk chunk = {0};

        if (columns_get(&p->references, &reference, e) < 0)
            return -1;
        if (reference == 0) {
            new_chunk(p, &chunk, &hash);
        } else {
            expected += columns_unzigzag(reference - 1);
            if (kept_chunk(p, expected, &chunk, &hash, e) < 0)
                return -1;
        }
        if (columns_get_near(&p->places, place, &chunk.archive_offset, e) < 0)
            return -1;
        archive_writer_put_chunk(w, &chunk, hash, p->hash_length);
        if (w->size > most)
            return no_such_header(e);
        place = chunk.archive_offset + chunk.archive_size;
    }
    return 0;
}

static int make_header(struct patch_columns *p, uint64_t most, struct dict_writer *w, struct err *e)
{
    archive_writer_begin(w);
    dict_put_raw(w, p->front, p->front_size);
    if (apply_order(p, w, e) < 0 || apply_chunks(p, most, w, e) < 0)
        return -1;
    dict_put_raw(w, p->back, p->back_size);
    return archive_writer_end(w, p->data_offset, e);
}

int header_patch_apply(const struct image *old, const uint8_t *patch, size_t size,
                       const struct header_patch_wanted *wanted, uint8_t **header, struct err *e)
{
    struct columns_reader r = {patch, patch + size};
    struct patch_columns p = {.old = old};
    struct dict_writer w = {0};

    if (read_patch_head(&p, &r, wanted, e) < 0 || find_columns(&p, &r, e) < 0)
        return -1;
    if (make_header(&p, wanted->header_size, &w, e) < 0) {
        free(w.data);
        return -1;
    }
    if (w.size != wanted->header_size ||
        memcmp(w.data + w.size - CHUNK_HASH_SIZE, wanted->checksum, CHUNK_HASH_SIZE) != 0) {
        free(w.data);
        return no_such_header(e);
    }
    *header = w.data;
    return 0;
}
