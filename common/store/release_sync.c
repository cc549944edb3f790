/* SPDX-License-Identifier: MIT */
#include "store/release_sync.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "format/release.h"
#include "store/chunk_directory.h"
#include "store/chunk_file.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>

/* Makes the content of a chunk durable where ihop 0.1 may have written it. Elsewhere only the
 * name may not be durable: a clone that was killed may have renamed the chunk without
 * syncing the directory. */
static int sync_chunk(const struct store *store, const struct image *image, size_t chunk,
                      struct err *e)
{
    CLEANUP_FD int fd = -1;

    if (store->trusted)
        return 0;
    fd = store_chunk_open(store, chunk_table_hash(&image->chunks, chunk), image->chunks.hash_length,
                          image->chunks.items[chunk].source_size, e);
    if (fd < 0)
        return -1;
    if (io_fsync(fd) < 0)
        return err_sys(e, errno, "cannot make a chunk of %s durable (fsync): check the storage",
                       store->path);
    return 0;
}

/* Syncs the directory of the chunk with this name, unless the chunk before was in it, too. */
static int sync_directory_of(struct chunk_directory *d, const char *name, struct err *e)
{
    if (chunk_directory_is_of(d, name))
        return 0;
    if (chunk_directory_enter(d, name) < 0)
        return err_sys(e, errno, "cannot open directory %s/" STORE_CHUNKS "/%s", d->store->path,
                       d->digits);
    return chunk_directory_sync(d, e);
}

static int sync_chunks(const struct store *store, const struct image *image, struct err *e)
{
    CLEANUP_FREE uint32_t *sorted = chunk_table_sort_by_hash(&image->chunks, e);
    struct chunk_directory d = {.store = store, .flags = O_RDONLY, .fd = -1};
    char name[STORE_CHUNK_NAME_SIZE];
    int r = sorted ? 0 : -1;

    for (size_t i = 0; r == 0 && i < image->chunks.count; i++) {
        store_chunk_name(store, chunk_table_hash(&image->chunks, sorted[i]),
                         image->chunks.hash_length, name);
        r = sync_chunk(store, image, sorted[i], e);
        if (r == 0)
            r = sync_directory_of(&d, name, e);
    }
    chunk_directory_leave(&d);
    return r < 0 ? -1 : store_sync_directory(store, store->chunks_fd, STORE_CHUNKS, e);
}

int store_sync_release(const struct store *store, const uint8_t *data, size_t size, struct err *e)
{
    CLEANUP(image_free) struct image image = {0};

    if (store->sync_files && release_parse(data, size, &image, e) < 0 && e->kind != ERR_DAMAGED)
        return -1;
    /* If data is no release there are no chunks. */
    if (image.chunks.count > 0 && sync_chunks(store, &image, e) < 0)
        return -1;
    return store_sync_all(store, e);
}
