/* SPDX-License-Identifier: MIT */
#include "compress/old_image.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "compress/release_file.h"
#include "format/delta_list.h"
#include "format/zero_chunks.h"
#include "store/release_load.h"
#include "store/release_name.h"

#include <errno.h>
#include <stdlib.h>

#define BLOCKS_MAX UINT32_MAX /* struct delta_range counts in 32 bits */

uint64_t old_image_blocks(const struct old_image *old)
{
    return (old->image->source_size + DELTA_BLOCK - 1) / DELTA_BLOCK;
}

/* ---- opening ---- */

static int open_release(struct old_image *old, struct err *e)
{
    const struct store_options options = {.access = STORE_READ};
    CLEANUP_FREE char *directory = NULL;
    const char *name;

    if (release_name_split(old->path, &directory, &name, e) < 0 ||
        store_open(directory, &options, &old->store, e) < 0 ||
        store_release_load(old->store, name, &old->release, &old->lock_fd, e) < 0)
        return -1;
    old->image = &old->release;
    if (!old->release.has_archive && zero_chunks_find(&old->release, e) < 0)
        return -1;
    return image_reader_open(&old->chunks, old->store, old->image, e);
}

static int open_archive(struct old_image *old, const struct network_options *network, struct err *e)
{
    if (chunk_source_open(&old->archive, old->path, network, e) < 0)
        return -1;
    old->image = &old->archive.image;
    return 0;
}

int old_image_open(struct old_image *old, const char *path, const struct network_options *network,
                   struct err *e)
{
    *old = (struct old_image)OLD_IMAGE_INIT;
    old->path = path;
    if ((release_file_is(path) ? open_release(old, e) : open_archive(old, network, e)) < 0)
        return -1;
    if (old_image_blocks(old) > BLOCKS_MAX)
        return err_set(e, ERR_USAGE, "the image of %s is larger than 16 TiB, too large for a pack",
                       path);
    return 0;
}

void old_image_close(struct old_image *old)
{
    chunk_source_close(&old->archive);
    image_reader_close(&old->chunks);
    image_free(&old->release);
    store_close(old->store);
    chunk_places_free(&old->places);
    shingle_index_free(old->index);
    free(old->data_blocks);
    cleanup_fd(&old->fd);
    cleanup_fd(&old->lock_fd);
    *old = (struct old_image)OLD_IMAGE_INIT;
}

/* ---- reading ---- */

const char *old_image_directory(void)
{
    const char *directory = getenv("TMPDIR");

    return directory && *directory ? directory : "/tmp";
}

int old_image_cannot_keep(const struct old_image *old, struct err *e)
{
    return err_sys(e, errno,
                   "cannot keep the content of %s in %s (TMPDIR chooses another directory)",
                   old->path, old_image_directory());
}

int old_image_read(const struct old_image *old, uint64_t offset, size_t size, uint8_t *out,
                   struct err *e)
{
    ssize_t n;

    if (old->store)
        return image_reader_read(&old->chunks, offset, size, out, e);
    n = io_pread_full(old->fd, out, size, offset);
    if (n >= 0 && (size_t)n < size)
        errno = EIO;
    return n < 0 || (size_t)n < size ? old_image_cannot_keep(old, e) : 0;
}
