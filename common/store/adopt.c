/* SPDX-License-Identifier: MIT */
#include "store/adopt.h"

#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "store/batch.h"
#include "store/chunk_file.h"
#include "store/staging.h"
#include "store/store_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

/* One abandoned directory. */
struct adoption {
    struct staging staging;
    struct chunk_hasher *hasher;
    struct batch found; /* what lies there */
    struct batch good;  /* those of found that are good, and durable with the next syncfs */
};

/* A hash that is too short to be trusted proves nothing. */
static int list_staged(struct adoption *a, struct err *e)
{
    const struct store *store = a->staging.store;
    CLEANUP_DIR DIR *dir = io_opendirat(a->staging.fd);
    uint8_t hash[CHUNK_HASH_SIZE];
    struct dirent *entry;

    if (!dir)
        return err_sys(e, errno, "cannot list %s/" STORE_META "/staging", store->path);
    while ((entry = io_readdir(dir)))
        if (staging_has(&a->staging, entry->d_name) &&
            store_chunk_hash(entry->d_name, hash) >= LIMIT_HASH_TRUSTED &&
            batch_append(&a->found, entry->d_name, 0, e) < 0)
            return -1;
    if (errno) /* what was not seen must not be removed */
        return err_sys(e, errno, "cannot list %s/" STORE_META "/staging", store->path);
    return 0;
}

/* A staged file that may be adopted. */
struct candidate {
    uint8_t *data; /* all of it */
    size_t size;
    bool on_disk; /* what was read came from there */
};

static int allocate_for(int fd, struct candidate *c)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
        (uint64_t)st.st_size > LIMIT_CHUNK)
        return -1;
    c->size = (size_t)st.st_size;
    c->data = malloc(c->size);
    return c->data ? 0 : -1;
}

/* Reads a staged file and says whether it is what its name says. A page in memory proves
 * nothing: the kernel keeps those that it could not write, and calls them clean. */
static bool read_candidate(const struct adoption *a, const char *file, struct candidate *c)
{
    CLEANUP_FD int fd = io_openat(a->staging.fd, file, O_RDONLY, 0);
    uint8_t hash[CHUNK_HASH_SIZE];
    size_t hash_length = store_chunk_hash(file, hash);
    enum store_content content;
    struct err ignored = ERR_INIT;

    if (fd < 0)
        return false;
    /* With sync_files there are others' caches below this one, which cannot be emptied. */
    c->on_disk = !a->staging.store->sync_files && io_drop_pages(fd);
    if (allocate_for(fd, c) < 0)
        return false;
    return store_chunk_check(&(struct store_chunk_check){.hasher = a->hasher,
                                                         .buffer = c->data,
                                                         .capacity = c->size},
                             fd, c->size, hash, hash_length, &content, &ignored) == 0 &&
           content == STORE_CONTENT_GOOD;
}

static int adopt_file(struct adoption *a, const char *file, struct err *e)
{
    struct candidate c = {0};
    int r = 0;

    if (read_candidate(a, file, &c)) {
        r = c.on_disk ? 0 : staging_rewrite(&a->staging, file, c.data, c.size, e);
        if (r == 0)
            r = batch_append(&a->good, file, 0, e);
        else if (e->kind == ERR_SPACE)
            r = 0; /* then it is fetched again */
    }
    free(c.data);
    return r;
}

static int adopt_files(struct adoption *a, struct err *e)
{
    const struct store *store = a->staging.store;

    if (list_staged(a, e) < 0)
        return -1;
    /* Only what is clean can be dropped from memory. */
    if (a->found.count > 0 && !store->sync_files && store_sync_all(store, e) < 0)
        return -1;
    for (size_t i = 0; i < a->found.count; i++)
        if (adopt_file(a, a->found.files[i], e) < 0)
            return -1;
    return batch_commit(store, a->staging.fd, &a->good, e);
}

static void report_adopted(const struct batch *good, struct store_adopted *adopted)
{
    adopted->count += good->count;
    for (size_t i = 0; adopted->chunk && i < good->count; i++) {
        uint8_t hash[CHUNK_HASH_SIZE];
        size_t length = store_chunk_hash(good->files[i], hash);

        adopted->chunk(adopted->user, hash, length);
    }
}

/* Adopts from one directory if its owner is gone. After a failure it stays. */
static int adopt_directory(const struct store *store, const char *name, struct chunk_hasher *h,
                           struct store_adopted *adopted, struct err *e)
{
    struct adoption a = {.hasher = h};
    bool taken;
    int r = 0;

    if (staging_take(store, name, &a.staging, &taken, e) < 0)
        return -1;
    if (!taken)
        return 0;
    if (!staging_is_marked_failed(&a.staging))
        r = adopt_files(&a, e);
    if (r == 0) {
        report_adopted(&a.good, adopted);
        staging_remove(&a.staging);
    }
    staging_close(&a.staging);
    batch_free(&a.found);
    batch_free(&a.good);
    return r;
}

int store_adopt_staged(const struct store *store, struct store_adopted *adopted, struct err *e)
{
    CLEANUP(chunk_hasher_cleanup) struct chunk_hasher *h = chunk_hasher_new(e);
    CLEANUP_DIR DIR *dir = h ? io_opendirat(store->staging_fd) : NULL;
    struct dirent *entry;

    adopted->count = 0;
    if (!h)
        return -1;
    if (!dir)
        return err_sys(e, errno, "cannot list %s/" STORE_META "/staging", store->path);
    while ((entry = io_readdir(dir)))
        if (entry->d_name[0] != '.' && adopt_directory(store, entry->d_name, h, adopted, e) < 0)
            return -1;
    return errno ? err_sys(e, errno, "cannot list %s/" STORE_META "/staging", store->path) : 0;
}
