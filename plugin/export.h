/* SPDX-License-Identifier: MIT */
/* export: one release of a store, opened for serving.
 *
 * Once loaded, nothing in it changes but the descriptors that it keeps and what the
 * verifier knows, so any number of connections and threads share it. It holds a server's
 * locks on its release file (store/lock.h): gc keeps the chunks, even when the name is
 * given to another image.
 */
#ifndef IHOP_PLUGIN_EXPORT_H
#define IHOP_PLUGIN_EXPORT_H

#include "plugin/chunk_fds.h"
#include "plugin/read_batch.h"
#include "plugin/verifier.h"

#include "base/err.h"
#include "base/limits.h"
#include "format/chunk_map.h"
#include "format/image.h"
#include "signature/signed_image.h"
#include "store/store.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct export_options {
    bool check;                        /* refuse a release with missing chunks */
    bool verify;                       /* hash each chunk before its first use */
    bool drop_cache;                   /* keep what was read out of the page cache */
    struct signature_demand signed_by; /* who must have signed; without keys, nobody */
    const char *id; /* hex digits that the source checksum must begin with, or NULL; with all of
                       them a retired release is found, too (store/release_image.h) */
};

/* What all exports of a server share. */
struct export_shared {
    struct export_options options;
    struct store *store;
    struct fd_budget budget;
    struct read_batch batch;
};

struct export
{
    struct export_shared *shared;
    const struct export_options *options; /* of shared, as is store */
    const struct store *store;
    char name[LIMIT_RELEASE_NAME + 1];
    char description[LIMIT_RELEASE_NAME + 64];
    struct image image;
    struct chunk_map map;
    struct chunk_fds fds;
    struct verifier *verifier; /* NULL unless options.verify */
    atomic_uchar *solid;       /* for each chunk: 1 when its file is known to have no holes */
    int lock_fd;
    uid_t user; /* as whom this process ran when the export was loaded */
    gid_t group;
};

/* Reads and checks the release. shared must outlive the export.
 * Kinds: those of store_release_find_image and store_find_missing; ERR_NOT_FOUND when
 * chunks are missing, with the remedy; ERR_OTHER_IMAGE when the id differs; those
 * of signed_image_check_release. */
struct export *export_load(struct export_shared *shared, const char *name, struct err *e)
    __attribute__((warn_unused_result));
void export_free(struct export *x);

/* To be called after the server may have become another user: fails when that user cannot read
 * the chunks. Does nothing if the user is the same, or with check off. Kinds as of
 * export_load. */
int export_check_again(const struct export *x, struct err *e) __attribute__((warn_unused_result));

/* chunk_fds_reserve for this export; to be called once in the process that serves. */
void export_reserve(const struct export *x);

/* Reads count bytes at offset, which must lie within the image: all or nothing.
 * The message names the chunk and says what to do. Thread-safe, as are all functions
 * below. Kinds: ERR_NOT_FOUND, ERR_DAMAGED, ERR_IO, ERR_MEMORY. */
int export_read(struct export *x, void *buf, uint32_t count, uint64_t offset, struct err *e)
    __attribute__((warn_unused_result));

/* With verify, hashes the chunk, open as fd, unless it is known to be good. Kinds as of
 * verifier_check. */
int export_verify(const struct export *x, size_t chunk, int fd, struct err *e)
    __attribute__((warn_unused_result));

/* Asks the kernel to read the range in the background. It is only advice, so it cannot fail. */
void export_prefetch(struct export *x, uint64_t count, uint64_t offset);

/* Whether the byte at offset would have to be read from the disk; true also when that is not
 * known. */
bool export_is_cold(struct export *x, uint64_t offset);

#endif
