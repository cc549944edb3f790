/* SPDX-License-Identifier: MIT */
#include "format/delta_list.h"

#include "base/array.h"
#include "base/checked.h"
#include "base/limits.h"
#include "format/columns.h"

#include <stdbool.h>
#include <stdlib.h>

/* What a delta takes in the list at most: 5 bytes for the chunk, 1 for the codec, 4 for the size, 1
 * for the number of ranges, and 5 and 2 for each range. */
#define ROW_BYTES   ((size_t)(11 + 7 * LIMIT_DELTA_RANGES))
#define COUNT_BYTES ((size_t)5)

void delta_list_free(struct delta_list *list)
{
    free(list->items);
    free(list->ranges);
    *list = (struct delta_list){0};
}

uint64_t delta_list_base_size(const struct delta_list *list, const struct delta *item,
                              uint64_t old_size)
{
    uint64_t size = 0;

    for (size_t i = 0; i < item->range_count; i++) {
        size_t n;

        delta_range_place(&list->ranges[item->first_range + i], old_size, &n);
        size += n;
    }
    return size;
}

size_t delta_list_limit(const struct image *image)
{
    return COUNT_BYTES + ROW_BYTES * image->chunks.count;
}

/* What a list is decoded for. */
struct list_decoding {
    struct columns_reader r;
    const struct image *image;
    const struct delta_list_place *place;
    struct delta_list *list;
};

static const struct chunk *delta_chunk(const struct list_decoding *d, const struct delta *item)
{
    return &d->image->chunks.items[item->chunk];
}

static int get_chunks(struct list_decoding *d, size_t count, struct err *e)
{
    uint64_t next = 0, skip;

    for (size_t i = 0; i < count; i++) {
        struct delta *item;

        if (columns_get(&d->r, &skip, e) < 0)
            return -1;
        if (skip >= d->image->chunks.count - next)
            return err_set(e, ERR_ARCHIVE, "it has deltas for more chunks than the image has");
        if (array_grow((void **)&d->list->items, &d->list->capacity, i, sizeof *item, e) < 0)
            return -1;
        item = &d->list->items[d->list->count++];
        *item = (struct delta){.chunk = (uint32_t)(next + skip)};
        next += skip + 1;
        if (delta_chunk(d, item)->zero)
            return err_set(e, ERR_ARCHIVE, "it has a delta for chunk %u, which is all zeros",
                           item->chunk);
    }
    return 0;
}

static int get_codecs(struct list_decoding *d, struct err *e)
{
    uint64_t codec;

    for (size_t i = 0; i < d->list->count; i++) {
        struct delta *item = &d->list->items[i];

        if (columns_get(&d->r, &codec, e) < 0)
            return -1;
        if (codec >= DELTA_CODECS)
            return err_set(e, ERR_ARCHIVE,
                           "its delta for chunk %u has codec %llu, which is not known: a newer "
                           "ihop may have made it",
                           item->chunk, (unsigned long long)codec);
        item->codec = (uint8_t)codec;
    }
    return 0;
}

static size_t count_coded(const struct delta_list *list)
{
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++)
        count += list->items[i].codec != DELTA_COPY;
    return count;
}

/* Also gives each delta its place. */
static int get_sizes(struct list_decoding *d, struct err *e)
{
    uint64_t offset = d->place->deltas_offset;
    size_t coded = count_coded(d->list), done = 0;
    const uint8_t *planes = columns_get_bytes(&d->r, COLUMNS_PLANES * coded, e);

    if (!planes)
        return -1;
    for (size_t i = 0; i < d->list->count; i++) {
        struct delta *item = &d->list->items[i];
        uint32_t most = delta_chunk(d, item)->archive_size, size = most;

        if (item->codec != DELTA_COPY)
            size = columns_from_planes(planes, coded, done++);
        if (size == 0 || size > most)
            return err_set(e, ERR_ARCHIVE,
                           "its delta for chunk %u has %u bytes (1 to %u are possible)",
                           item->chunk, size, most);
        item->offset = offset;
        item->size = size;
        if (!checked_add_u64(offset, size, &offset) || offset > d->place->pack_size)
            return err_set(e, ERR_ARCHIVE, "its deltas go beyond its end: it is cut short");
    }
    if (offset != d->place->pack_size)
        return err_set(e, ERR_ARCHIVE, "%llu bytes follow its deltas",
                       (unsigned long long)(d->place->pack_size - offset));
    return 0;
}

static int get_range_counts(struct list_decoding *d, struct err *e)
{
    uint64_t total = 0, count;

    for (size_t i = 0; i < d->list->count; i++) {
        struct delta *item = &d->list->items[i];

        count = 0;
        if (item->codec != DELTA_COPY && columns_get(&d->r, &count, e) < 0)
            return -1;
        if (count > LIMIT_DELTA_RANGES || (item->codec == DELTA_BSDIFF && count == 0))
            return err_set(e, ERR_ARCHIVE, "its delta for chunk %u has %llu ranges", item->chunk,
                           (unsigned long long)count);
        item->first_range = (uint32_t)total;
        item->range_count = (uint8_t)count;
        total += count;
        if (total > UINT32_MAX)
            return err_set(e, ERR_ARCHIVE, "it has more than %u ranges", UINT32_MAX);
    }
    return 0;
}

static int get_block_counts(struct list_decoding *d, struct err *e)
{
    struct delta_list *list = d->list;
    uint64_t count;

    for (size_t i = 0; i < list->count; i++)
        for (size_t n = 0; n < list->items[i].range_count; n++) {
            if (columns_get(&d->r, &count, e) < 0)
                return -1;
            if (count == 0 || count > LIMIT_DELTA_BASE / DELTA_BLOCK)
                return err_set(e, ERR_ARCHIVE,
                               "its delta for chunk %u has a range of %llu blocks (1 to %llu are "
                               "possible)",
                               list->items[i].chunk, (unsigned long long)count,
                               (unsigned long long)(LIMIT_DELTA_BASE / DELTA_BLOCK));
            if (array_grow((void **)&list->ranges, &list->range_capacity, list->range_count,
                           sizeof *list->ranges, e) < 0)
                return -1;
            list->ranges[list->range_count++].count = (uint32_t)count;
        }
    return 0;
}

static int get_blocks(struct list_decoding *d, struct err *e)
{
    uint64_t old_size = d->place->old_size, expected = 0, block;
    uint64_t blocks = old_size / DELTA_BLOCK + (old_size % DELTA_BLOCK > 0);

    for (size_t i = 0; i < d->list->range_count; i++) {
        struct delta_range *r = &d->list->ranges[i];

        if (columns_get_near(&d->r, expected, &block, e) < 0)
            return -1;
        if (block > UINT32_MAX || block >= blocks || r->count > blocks - block)
            return err_set(e, ERR_ARCHIVE, "it has a range beyond the end of the old image");
        r->block = (uint32_t)block;
        expected = block + r->count;
    }
    return 0;
}

static int check_bases(const struct list_decoding *d, struct err *e)
{
    for (size_t i = 0; i < d->list->count; i++) {
        const struct delta *item = &d->list->items[i];
        uint64_t size = delta_list_base_size(d->list, item, d->place->old_size);

        if (size > LIMIT_DELTA_BASE)
            return err_set(
                e, ERR_ARCHIVE, "its delta for chunk %u has a base of %llu bytes (at most %llu)",
                item->chunk, (unsigned long long)size, (unsigned long long)LIMIT_DELTA_BASE);
    }
    return 0;
}

static int get_columns(struct list_decoding *d, struct err *e)
{
    uint64_t count;

    if (columns_get(&d->r, &count, e) < 0)
        return -1;
    if (count > d->image->chunks.count)
        return err_set(e, ERR_ARCHIVE, "it has more deltas than the image has chunks");
    if (get_chunks(d, (size_t)count, e) < 0 || get_codecs(d, e) < 0 || get_sizes(d, e) < 0 ||
        get_range_counts(d, e) < 0 || get_block_counts(d, e) < 0 || get_blocks(d, e) < 0)
        return -1;
    if (d->r.at != d->r.end)
        return err_set(e, ERR_ARCHIVE, "its list of deltas has %zu bytes too many",
                       (size_t)(d->r.end - d->r.at));
    return check_bases(d, e);
}

int delta_list_decode(const uint8_t *data, size_t size, const struct image *image,
                      const struct delta_list_place *place, struct delta_list *list, struct err *e)
{
    struct delta_list made = {0};
    struct list_decoding d = {
        .r = {data, data + size},
        .image = image,
        .place = place,
        .list = &made,
    };

    if (get_columns(&d, e) < 0) {
        delta_list_free(&made);
        return -1;
    }
    *list = made;
    return 0;
}

/* ---- counting ---- */

static bool is_known_codec(uint64_t codec)
{
    return codec < DELTA_CODECS;
}

/* Counts the codecs, of which there are as many as chunks before them. */
static int count_codecs(struct columns_reader *r, struct delta_counts *counts, struct err *e)
{
    uint64_t count, codec, skip;

    if (columns_get(r, &count, e) < 0)
        return -1;
    for (uint64_t i = 0; i < count; i++)
        if (columns_get(r, &skip, e) < 0)
            return -1;
    for (uint64_t i = 0; i < count; i++) {
        if (columns_get(r, &codec, e) < 0)
            return -1;
        if (!is_known_codec(codec))
            return err_set(e, ERR_ARCHIVE, "it has a delta of codec %llu, which is not known",
                           (unsigned long long)codec);
        counts->deltas[codec]++;
    }
    return 0;
}

/* Steps through the codecs once more, beside their sizes. */
static int count_bytes(struct columns_reader codecs, const uint8_t *planes, size_t coded,
                       struct delta_counts *counts, struct err *e)
{
    uint64_t codec;

    for (size_t done = 0; done < coded;) {
        if (columns_get(&codecs, &codec, e) < 0)
            return -1;
        if (codec != DELTA_COPY)
            counts->bytes[codec] += columns_from_planes(planes, coded, done++);
    }
    return 0;
}

int delta_list_count(const uint8_t *data, size_t size, uint64_t deltas_size,
                     struct delta_counts *counts, struct err *e)
{
    struct columns_reader r = {data, data + size}, codecs = r;
    uint64_t count, skip, coded_bytes;
    const uint8_t *planes;
    size_t coded;

    *counts = (struct delta_counts){{0}, {0}};
    if (count_codecs(&r, counts, e) < 0 || columns_get(&codecs, &count, e) < 0)
        return -1;
    for (uint64_t i = 0; i < count; i++)
        if (columns_get(&codecs, &skip, e) < 0)
            return -1;
    coded = counts->deltas[DELTA_ZSTD] + counts->deltas[DELTA_BSDIFF];
    planes = columns_get_bytes(&r, COLUMNS_PLANES * coded, e);
    if (!planes || count_bytes(codecs, planes, coded, counts, e) < 0)
        return -1;
    coded_bytes = counts->bytes[DELTA_ZSTD] + counts->bytes[DELTA_BSDIFF];
    if (coded_bytes > deltas_size)
        return err_set(e, ERR_ARCHIVE, "its deltas go beyond its end: it is cut short");
    counts->bytes[DELTA_COPY] = deltas_size - coded_bytes;
    return 0;
}

/* ---- encoding ---- */

static void put_delta_sizes(struct columns_writer *w, const struct delta_list *list)
{
    uint32_t *sizes = malloc((list->count + 1) * sizeof *sizes);
    size_t count = 0;

    for (size_t i = 0; sizes && i < list->count; i++)
        if (list->items[i].codec != DELTA_COPY)
            sizes[count++] = list->items[i].size;
    columns_put_planes(w, sizes, count);
    w->failed = w->failed || !sizes;
    free(sizes);
}

static void put_deltas(struct columns_writer *w, const struct delta_list *list)
{
    uint64_t next = 0;

    columns_put(w, list->count);
    for (size_t i = 0; i < list->count; i++) {
        columns_put(w, list->items[i].chunk - next);
        next = (uint64_t)list->items[i].chunk + 1;
    }
    for (size_t i = 0; i < list->count; i++)
        columns_put(w, list->items[i].codec);
    put_delta_sizes(w, list);
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].codec != DELTA_COPY)
            columns_put(w, list->items[i].range_count);
}

static void put_ranges(struct columns_writer *w, const struct delta_list *list)
{
    uint64_t expected = 0;

    for (size_t i = 0; i < list->count; i++)
        for (size_t n = 0; n < list->items[i].range_count; n++)
            columns_put(w, list->ranges[list->items[i].first_range + n].count);
    for (size_t i = 0; i < list->count; i++)
        for (size_t n = 0; n < list->items[i].range_count; n++) {
            const struct delta_range *r = &list->ranges[list->items[i].first_range + n];

            columns_put_near(w, expected, r->block);
            expected = (uint64_t)r->block + r->count;
        }
}

int delta_list_encode(const struct delta_list *list, uint8_t **data, size_t *size, struct err *e)
{
    struct columns_writer w = {0};

    put_deltas(&w, list);
    put_ranges(&w, list);
    if (w.failed) {
        free(w.data);
        return err_nomem(e, "writing a list of deltas");
    }
    *data = w.data;
    *size = w.size;
    return 0;
}
