/* SPDX-License-Identifier: MIT */
#include "store/batch.h"

#include "base/array.h"
#include "base/io.h"
#include "store/chunk_directory.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void batch_free(struct batch *b)
{
    free(b->files);
    *b = (struct batch){0};
}

int batch_append(struct batch *b, const char *file, uint64_t bytes, struct err *e)
{
    if (array_grow((void **)&b->files, &b->capacity, b->count, sizeof *b->files, e) < 0)
        return -1;
    if (b->count == 0)
        b->begun_ms = io_now_ms();
    snprintf(b->files[b->count++], sizeof *b->files, "%s", file);
    b->bytes += bytes;
    return 0;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Turns to the directory of a chunk; all chunks of the one before have their names. */
static int enter_for_rename(struct chunk_directory *d, const char *file, bool *made, struct err *e)
{
    if (chunk_directory_is_of(d, file))
        return 0;
    if (d->fd >= 0 && d->store->sync_files && chunk_directory_sync(d, e) < 0)
        return -1;
    if (chunk_directory_make(d, file, made) < 0)
        return err_sys(e, errno, "cannot open or create directory %s/" STORE_CHUNKS "/%s",
                       d->store->path, d->digits);
    return 0;
}

static int rename_files(struct chunk_directory *d, int staging_fd, const struct batch *b,
                        bool *made, struct err *e)
{
    for (size_t i = 0; i < b->count; i++) {
        const char *file = b->files[i];

        if (enter_for_rename(d, file, made, e) < 0)
            return -1;
        if (renameat(staging_fd, file, d->fd, file) < 0)
            return err_sys(e, errno, "cannot move a chunk to %s/" STORE_CHUNKS "/%s/%s",
                           d->store->path, d->digits, file);
    }
    return d->store->sync_files ? chunk_directory_sync(d, e) : 0;
}

int batch_commit(const struct store *store, int staging_fd, struct batch *b, struct err *e)
{
    struct chunk_directory d = {.store = store, .flags = O_RDONLY, .fd = -1};
    bool made = false;
    int r;

    if (b->count == 0)
        return 0;
    if (!store->sync_files && store_sync_all(store, e) < 0)
        return -1;
    qsort(b->files, b->count, sizeof *b->files, compare_files);
    r = rename_files(&d, staging_fd, b, &made, e);
    chunk_directory_leave(&d);
    if (r == 0 && store->sync_files && made)
        r = store_sync_directory(store, store->chunks_fd, STORE_CHUNKS, e);
    return r;
}
