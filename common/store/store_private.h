/* SPDX-License-Identifier: MIT */
/* store_private: what the files of common/store share. Nothing outside includes it. */
#ifndef IHOP_STORE_STORE_PRIVATE_H
#define IHOP_STORE_STORE_PRIVATE_H

#include "format/image.h"
#include "store/chunk_file.h"
#include "store/store.h"

#define STORE_META ".ihop"

/* The name of .ihop/format until the file is durable. */
#define STORE_FORMAT_TEMPORARY "format.new"

struct store {
    char *path;
    int root_fd;
    int chunks_fd;          /* -1 in a store that is read and has none yet */
    unsigned fanout_digits; /* 2 or 4 */
    bool trusted;           /* no ihop 0.1 writes here: a chunk with a name is whole */
    bool sync_files;        /* STORE_SYNC_FILES in force */
    bool no_syncfs;         /* this kernel has none, or refuses it */
    int meta_fd;            /* -1 in a store that is read and has none */
    /* With STORE_READ the descriptors below are -1, but lock_fd after store_hold. */
    int staging_fd, partial_fd, retired_fd, lock_fd;
};

/* Reads the release in file name of dirfd; where is that directory below STORE, "" or
 * ending in a slash, for messages. If fd is not NULL, *fd becomes the descriptor of the file,
 * without a lock. Kinds as of store_release_load. */
int store_image_load(const struct store *store, int dirfd, const char *where, const char *name,
                     struct image *image, int *fd, struct err *e)
    __attribute__((warn_unused_result));

/* As store_image_load, for a file that is open as fd. */
int store_image_read(const struct store *store, const char *where, const char *name, int fd,
                     struct image *image, struct err *e) __attribute__((warn_unused_result));

/* Fails with ERR_IO: the chunk of this name (store_chunk_name) is something else than a
 * regular file. */
int store_chunk_is_no_file(const struct store *store, const char *name, struct err *e)
    __attribute__((warn_unused_result));

/* Decides how files are made durable; root_fd must be open. */
void store_sync_choose(struct store *store, enum store_sync wanted);

/* Makes everything that was written to the store's file system durable. Without syncfs the
 * directories but those of the chunks are synced: files were synced as they were written.
 * A failure is final: the kernel may have dropped the pages, so no one may try again. */
int store_sync_all(const struct store *store, struct err *e) __attribute__((warn_unused_result));

/* Makes the name of a new STORE durable. */
int store_sync_parent(const struct store *store, struct err *e) __attribute__((warn_unused_result));

/* fsync of a directory; name is its path below STORE, for messages. */
int store_sync_directory(const struct store *store, int fd, const char *name, struct err *e)
    __attribute__((warn_unused_result));

#endif
