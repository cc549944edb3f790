/* SPDX-License-Identifier: MIT */
/* store_private: what the files of store/ share. Nothing outside includes it. */
#ifndef IHOP_STORE_STORE_PRIVATE_H
#define IHOP_STORE_STORE_PRIVATE_H

#include "format/image.h"
#include "store/chunk_file.h"
#include "store/store.h"

#define STORE_META ".ihop"

/* .ihop/format until it is whole. */
#define STORE_FORMAT_TEMPORARY "format.new"

struct store {
    char *path;
    int root_fd;
    int chunks_fd;          /* -1 in a store that is read and has none yet */
    unsigned fanout_digits; /* 2 or 4 */
    bool trusted;           /* only we write here: a chunk with a name is whole */
    bool sync_files;        /* STORE_SYNC_FILES in force */
    bool no_syncfs;         /* this kernel has none, or refuses it */
    int meta_fd;            /* -1 in a store that is read and has none */
    /* The rest is -1 for STORE_READ; but see store_hold. */
    int staging_fd, partial_fd, retired_fd, lock_fd;
};

/* Reads the release in file name of dirfd; where is that directory below STORE, "" or
 * ending in a slash, for messages. With fd, hands over its descriptor, without a
 * lock. Kinds as of store_release_load. */
int store_image_load(const struct store *store, int dirfd, const char *where, const char *name,
                     struct image *image, int *fd, struct err *e)
    __attribute__((warn_unused_result));

/* The same for a file that is open. */
int store_image_read(const struct store *store, const char *where, const char *name, int fd,
                     struct image *image, struct err *e) __attribute__((warn_unused_result));

/* Fails with ERR_IO: the chunk of this name (store_chunk_name) is something else than a
 * regular file. */
int store_chunk_is_no_file(const struct store *store, const char *name, struct err *e)
    __attribute__((warn_unused_result));

/* Decides how files are made durable, once root_fd is there. */
void store_sync_choose(struct store *store, enum store_sync wanted);

/* Makes everything written to the store's file system durable; without syncfs all but
 * the chunks, and what is in files: that is synced as it is written. A failure is
 * final: the kernel may have dropped the pages, so no one may try again. */
int store_sync_all(const struct store *store, struct err *e) __attribute__((warn_unused_result));

/* The same with all chunks of a release, which data encodes. */
int store_sync_release(const struct store *store, const uint8_t *data, size_t size, struct err *e)
    __attribute__((warn_unused_result));

/* For a new STORE: makes its own name durable. */
int store_sync_parent(const struct store *store, struct err *e) __attribute__((warn_unused_result));

/* fsync of a directory that the caller names. */
int store_sync_directory(const struct store *store, int fd, const char *name, struct err *e)
    __attribute__((warn_unused_result));

#endif
