/* SPDX-License-Identifier: MIT */
#include "compress/source.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define HASH_PIECE ((size_t)MIB)
#define REMEDY     "compress a copy or a snapshot that stands still"

int source_open(struct source *s, const char *path, struct err *e)
{
    static const struct input_words words = {
        .what = "", .instead = "give an image, or - and a pipe", .wrong = ERR_USAGE};

    if (input_open(path, &words, &s->image, e) < 0)
        return -1;
    s->size = s->image.size;
    s->hasher = chunk_hasher_new(e);
    return s->hasher ? chunk_hash_begin(s->hasher, e) : -1;
}

/* ---- with a hash tree ---- */

static int check_blocks(const struct source *s, struct err *e)
{
    if (s->image.size == 0)
        return err_set(e, ERR_USAGE,
                       "--verity reads the image more than once: %s is empty or a pipe; give a "
                       "file or a device",
                       s->image.name);
    if (s->image.size % HASH_TREE_BLOCK != 0)
        return err_set(e, ERR_USAGE,
                       "--verity takes an image of whole blocks of %d bytes, and %s has %llu "
                       "bytes: pad it (truncate -s %%%d)",
                       HASH_TREE_BLOCK, s->image.name, (unsigned long long)s->image.size,
                       HASH_TREE_BLOCK);
    return 0;
}

static int is_shrunk(const struct source *s, uint64_t got, struct err *e)
{
    return err_set(e, ERR_IO,
                   "%s shrank while it was read: it had %llu bytes, %llu could be read; " REMEDY,
                   s->image.name, (unsigned long long)s->image.size, (unsigned long long)got);
}

static int cannot_read(const struct source *s, struct err *e)
{
    return err_sys(e, errno, "reading %s", s->image.name);
}

static int hash_image(struct source *s, struct err *e)
{
    CLEANUP_FREE uint8_t *piece = malloc(HASH_PIECE);
    uint64_t at = 0;

    if (!piece)
        return err_nomem(e, "reading the image");
    (void)posix_fadvise(s->image.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    while (at < s->image.size) {
        size_t want = (size_t)min_u64(HASH_PIECE, s->image.size - at);
        ssize_t n = io_pread_full(s->image.fd, piece, want, at);

        if (n < 0)
            return cannot_read(s, e);
        if ((size_t)n < want)
            return is_shrunk(s, at + (uint64_t)n, e);
        if (chunk_hash_update(s->hasher, piece, want, e) < 0)
            return -1;
        at += want;
    }
    return chunk_hash_end(s->hasher, s->image_checksum, e);
}

int source_add_tree(struct source *s, const char *archive, struct err *e)
{
    if (check_blocks(s, e) < 0 || hash_image(s, e) < 0 ||
        hash_tree_make(&s->image, s->image_checksum, archive, &s->tree, e) < 0)
        return -1;
    s->has_tree = true;
    s->size += s->tree.size;
    return chunk_hash_begin(s->hasher, e);
}

/* Reads what is left of the image, or else of the tree. */
static ssize_t read_part(struct source *s, uint8_t *data, size_t size, struct err *e)
{
    bool image = s->read < s->image.size;
    uint64_t end = image ? s->image.size : s->size;
    uint64_t at = image ? s->read : s->read - s->image.size;
    size_t want = (size_t)min_u64(size, end - s->read);
    ssize_t n = io_pread_full(image ? s->image.fd : s->tree.file.fd, data, want, at);

    if (n < 0)
        return cannot_read(s, e);
    if ((size_t)n < want)
        return image ? is_shrunk(s, at + (uint64_t)n, e)
                     : err_set(e, ERR_IO, "the hash tree of %s was cut short", s->image.name);
    s->read += want;
    return n;
}

/* ---- the stream ---- */

ssize_t source_read(struct source *s, void *data, size_t size, struct err *e)
{
    size_t done = 0;

    if (!s->has_tree) {
        ssize_t n = io_read_full(s->image.fd, data, size);

        return n < 0 ? cannot_read(s, e) : n;
    }
    while (done < size && s->read < s->size) {
        ssize_t n = read_part(s, (uint8_t *)data + done, size - done, e);

        if (n < 0)
            return -1;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static int is_grown(const struct source *s, struct err *e)
{
    return err_set(e, ERR_IO, "%s grew while it was read: it had %llu bytes; " REMEDY,
                   s->image.name, (unsigned long long)s->image.size);
}

/* Hashes; where the image ends and its tree begins, the image is compared. */
int source_show(struct source *s, const uint8_t *data, size_t size, struct err *e)
{
    uint64_t left = s->image.size - min_u64(s->shown, s->image.size);
    size_t first = s->has_tree && left > 0 ? (size_t)min_u64(size, left) : size;
    uint8_t checksum[CHUNK_HASH_SIZE];

    s->shown += size;
    if (s->size > 0 && s->shown > s->size)
        return is_grown(s, e);
    if (chunk_hash_update(s->hasher, data, first, e) < 0)
        return -1;
    if (s->has_tree && left > 0 && first == left) {
        if (chunk_hash_peek(s->hasher, checksum, e) < 0)
            return -1;
        s->image_changed = memcmp(checksum, s->image_checksum, sizeof checksum) != 0;
    }
    return first == size ? 0 : chunk_hash_update(s->hasher, data + first, size - first, e);
}

int source_end(struct source *s, uint8_t checksum[CHUNK_HASH_SIZE], struct err *e)
{
    if (s->shown < s->size)
        return is_shrunk(s, s->shown, e);
    if (s->has_tree && io_input_size(s->image.fd) > s->image.size)
        return is_grown(s, e);
    if (s->image_changed)
        return err_set(e, ERR_IO,
                       "%s changed while it was read: its hash tree does not fit; " REMEDY,
                       s->image.name);
    return chunk_hash_end(s->hasher, checksum, e);
}

void source_close(struct source *s)
{
    hash_tree_free(&s->tree);
    chunk_hasher_free(s->hasher);
    cleanup_fd(&s->image.fd);
}
