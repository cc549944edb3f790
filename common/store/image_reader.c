/* SPDX-License-Identifier: MIT */
#include "store/image_reader.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "store/chunk_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CHECK_BUFFER ((size_t)(128 * 1024))

int image_reader_open(struct image_reader *r, const struct store *store, const struct image *image,
                      struct err *e)
{
    *r = (struct image_reader){.store = store, .image = image};
    return chunk_map_init(&r->map, image, e);
}

void image_reader_close(struct image_reader *r)
{
    chunk_map_free(&r->map);
}

static int open_base_chunk(const struct image_reader *r, size_t chunk, struct err *e)
{
    const struct chunk_table *t = &r->image->chunks;

    return store_chunk_open(r->store, chunk_table_hash(t, chunk), t->hash_length,
                            t->items[chunk].source_size, e);
}

/* The path of a chunk, for messages. */
static const char *base_chunk_path(const struct image_reader *r, size_t chunk,
                                   char path[STORE_CHUNK_PATH_SIZE])
{
    const struct chunk_table *t = &r->image->chunks;

    return store_chunk_path(r->store, chunk_table_hash(t, chunk), t->hash_length, path);
}

static int fail_unreadable(const struct image_reader *r, size_t chunk, int errnum, struct err *e)
{
    char path[STORE_CHUNK_PATH_SIZE];

    return err_sys(e, errnum, "cannot read chunk %s/%s", store_path(r->store),
                   base_chunk_path(r, chunk, path));
}

/* It had its size when it was opened. */
static int fail_cut_short(const struct image_reader *r, size_t chunk, struct err *e)
{
    char path[STORE_CHUNK_PATH_SIZE];

    return err_set(e, ERR_DAMAGED, "chunk %s/%s is being cut short", store_path(r->store),
                   base_chunk_path(r, chunk, path));
}

/* Reads size bytes at offset of one chunk. A zero chunk needs no file, as when it is served. */
static int read_from_chunk(const struct image_reader *r, size_t chunk, uint64_t offset, size_t size,
                           uint8_t *out, struct err *e)
{
    CLEANUP_FD int fd = -1;
    ssize_t n;

    if (r->image->chunks.items[chunk].zero) {
        memset(out, 0, size);
        return 0;
    }
    if ((fd = open_base_chunk(r, chunk, e)) < 0)
        return -1;
    n = io_pread_full(fd, out, size, offset);
    if (n < 0)
        return fail_unreadable(r, chunk, errno, e);
    return (size_t)n == size ? 0 : fail_cut_short(r, chunk, e);
}

int image_reader_read(const struct image_reader *r, uint64_t offset, size_t size, uint8_t *out,
                      struct err *e)
{
    if (size == 0)
        return 0;
    for (size_t entry = chunk_map_find(&r->map, offset); size > 0; entry++) {
        size_t n = (size_t)min_u64(size, r->map.starts[entry + 1] - offset);

        if (read_from_chunk(r, r->image->order[entry], offset - r->map.starts[entry], n, out, e) <
            0)
            return -1;
        offset += n;
        out += n;
        size -= n;
    }
    return 0;
}

static int check_base_chunk(const struct image_reader *r, const struct store_chunk_check *c,
                            size_t chunk, struct err *e)
{
    const struct chunk_table *t = &r->image->chunks;
    char path[STORE_CHUNK_PATH_SIZE];
    enum store_content content;
    CLEANUP_FD int fd = -1;

    if (t->items[chunk].zero)
        return 0;
    if ((fd = open_base_chunk(r, chunk, e)) < 0 ||
        store_chunk_check(c, fd, t->items[chunk].source_size, chunk_table_hash(t, chunk),
                          t->hash_length, &content, e) < 0)
        return -1;
    switch (content) {
    case STORE_CONTENT_GOOD:
        return 0;
    case STORE_CONTENT_UNREADABLE:
        return fail_unreadable(r, chunk, errno, e);
    case STORE_CONTENT_SHORT:
        return fail_cut_short(r, chunk, e);
    case STORE_CONTENT_WRONG:
        break;
    }
    return err_set(e, ERR_DAMAGED, "the content of chunk %s/%s is wrong", store_path(r->store),
                   base_chunk_path(r, chunk, path));
}

int image_reader_check(const struct image_reader *r, uint64_t offset, uint64_t size, struct err *e)
{
    CLEANUP(chunk_hasher_cleanup) struct chunk_hasher *hasher = chunk_hasher_new(e);
    CLEANUP_FREE uint8_t *buffer = malloc(CHECK_BUFFER);
    const struct store_chunk_check c = {
        .hasher = hasher, .buffer = buffer, .capacity = CHECK_BUFFER};

    if (!hasher)
        return -1;
    if (!buffer)
        return err_nomem(e, "checking an old image");
    if (size == 0)
        return 0;
    for (size_t entry = chunk_map_find(&r->map, offset);
         entry < r->map.count && r->map.starts[entry] < offset + size; entry++)
        if (check_base_chunk(r, &c, r->image->order[entry], e) < 0)
            return -1;
    return 0;
}
