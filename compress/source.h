/* SPDX-License-Identifier: MIT */
/* source: what ihop-compress makes an archive of: an image and, with --verity, the hash tree behind
 * it, as one stream. The image itself is only read.
 *
 * With a hash tree the image is read three times: for its checksum, from which the tree's salt
 * comes; by veritysetup; and as the stream. source_end compares the first time with the last, so
 * that an image that was changed meanwhile is not published with a tree that does not fit.
 *
 * source_read and source_show are each called by one thread at a time, the latter with what the
 * former has read; all else from one thread.
 */
#ifndef IHOP_COMPRESS_SOURCE_H
#define IHOP_COMPRESS_SOURCE_H

#include "base/err.h"
#include "base/input.h"
#include "compress/hash_tree.h"
#include "format/chunk_hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct source {
    struct input image;
    bool has_tree;
    struct hash_tree tree;
    uint64_t size;        /* bytes of all; 0 when that is not known */
    uint64_t read, shown; /* bytes so far */
    struct chunk_hasher *hasher;
    uint8_t image_checksum[CHUNK_HASH_SIZE]; /* with a tree: of the image alone */
    bool image_changed;                      /* the stream had another image */
};

#define SOURCE_INIT                                                                                \
    {                                                                                              \
        .image.fd = -1, .tree = HASH_TREE_INIT                                                     \
    }

/* Opens the image, a path or "-". ERR_USAGE, ERR_NOT_FOUND, ERR_IO, ERR_MEMORY. The caller calls
 * source_close, even after a failure. */
int source_open(struct source *s, const char *path, struct err *e)
    __attribute__((warn_unused_result));

/* Appends the hash tree, for which there is space beside the archive. ERR_USAGE: the image comes
 * through a pipe, is empty, or has no whole blocks; and the kinds of hash_tree_make. */
int source_add_tree(struct source *s, const char *archive, struct err *e)
    __attribute__((warn_unused_result));

/* Reads on; fewer than size bytes at the end only. -1 with ERR_IO. */
ssize_t source_read(struct source *s, void *data, size_t size, struct err *e)
    __attribute__((warn_unused_result));

/* Sees what was read, in order. ERR_IO when the image grew. */
int source_show(struct source *s, const uint8_t *data, size_t size, struct err *e)
    __attribute__((warn_unused_result));

/* At the end: writes the checksum of all. ERR_IO when the image shrank or was changed. */
int source_end(struct source *s, uint8_t checksum[CHUNK_HASH_SIZE], struct err *e)
    __attribute__((warn_unused_result));

void source_close(struct source *s);

#endif
