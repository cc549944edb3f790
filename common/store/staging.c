/* SPDX-License-Identifier: MIT */
#include "store/staging.h"

#include "base/array.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/text.h"
#include "store/internal.h"
#include "store/presence.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

/* Name of a chunk in a staging folder. */
#define STAGED_NAME_SIZE (CHUNK_HASH_HEX + 6)
/* New folders that another writer may take away before one stays. */
#define FOLDER_TRIES 100

struct batch {
    char (*names)[STAGED_NAME_SIZE];
    size_t count, room;
    uint64_t bytes;
    uint64_t begun_ms; /* when the first chunk was staged */
};

struct store_writer {
    struct store *store;
    int folder_fd; /* .ihop/staging/NAME, with the flock that owns it */
    char name[IO_RANDOM_NAME_SIZE];
    uint64_t batch_bytes; /* limit, for this machine */

    pthread_t committer;
    bool committer_runs;

    pthread_mutex_t lock; /* protects all below */
    pthread_cond_t changed;
    struct batch open, closed; /* closed.count > 0: waiting for the committer */
    bool finishing;
    uint64_t bytes;   /* written */
    struct err error; /* first one of the committer */
};

/* ---- one batch ---- */

static void batch_free(struct batch *b)
{
    free(b->names);
    *b = (struct batch){0};
}

static int compare_staged(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Where the renames of one batch go: the open chunk folder. */
struct target {
    const struct store *store;
    char folder[5];
    int fd;
    bool folder_made; /* some folder is new: chunks/ itself must be synced */
};

static int leave_folder(struct target *t, struct err *e)
{
    int r = 0;

    if (t->fd >= 0 && t->store->sync_files)
        r = store_sync_folder(t->store, t->fd, t->folder, e);
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    return r;
}

static int enter_folder(struct target *t, const char *name, struct err *e)
{
    const struct store *store = t->store;

    if (t->fd >= 0 && memcmp(t->folder, name, store->folder_digits) == 0)
        return 0;
    if (leave_folder(t, e) < 0)
        return -1;
    memcpy(t->folder, name, store->folder_digits);
    t->fd = io_openat(store->chunks_fd, t->folder, O_RDONLY | O_DIRECTORY, 0);
    if (t->fd < 0 && errno == ENOENT) {
        if (io_mkdirat(store->chunks_fd, t->folder) == 0) {
            t->folder_made = true;
            t->fd = io_openat(store->chunks_fd, t->folder, O_RDONLY | O_DIRECTORY, 0);
        }
    }
    if (t->fd < 0)
        return err_sys(e, errno, "cannot open or create folder %s/" STORE_CHUNKS "/%s", store->path,
                       t->folder);
    return 0;
}

static int rename_batch(struct target *t, int from_fd, const struct batch *b, struct err *e)
{
    for (size_t i = 0; i < b->count; i++) {
        const char *name = b->names[i];

        if (enter_folder(t, name, e) < 0)
            return -1;
        if (renameat(from_fd, name, t->fd, name) < 0)
            return err_sys(e, errno, "cannot move a chunk to %s/" STORE_CHUNKS "/%s/%s",
                           t->store->path, t->folder, name);
    }
    return 0;
}

/* Makes the staged files of b durable, then gives them their names. */
static int commit_batch(const struct store *store, int from_fd, struct batch *b, struct err *e)
{
    struct target t = {.store = store, .fd = -1};
    int r;

    if (b->count == 0)
        return 0;
    /* With sync_files each file was synced when it was written. */
    if (!store->sync_files && store_sync_all(store, e) < 0)
        return -1;
    qsort(b->names, b->count, sizeof *b->names, compare_staged);
    r = rename_batch(&t, from_fd, b, e);
    if (r < 0) {
        if (t.fd >= 0)
            close(t.fd);
        return -1;
    }
    if (leave_folder(&t, e) < 0)
        return -1;
    if (store->sync_files && t.folder_made)
        return store_sync_folder(store, store->chunks_fd, STORE_CHUNKS, e);
    return 0;
}

static int batch_append(struct batch *b, const char *name, uint64_t bytes, struct err *e)
{
    if (array_grow((void **)&b->names, &b->room, b->count, sizeof *b->names, e) < 0)
        return -1;
    if (b->count == 0)
        b->begun_ms = io_now_ms();
    snprintf(b->names[b->count++], sizeof *b->names, "%s", name);
    b->bytes += bytes;
    return 0;
}

/* ---- staging folders ---- */

/* Removes a staging folder and all files in it. */
static void remove_folder(const struct store *store, int fd, const char *name)
{
    CLEANUP_DIR DIR *dir = io_opendirat(fd);
    struct dirent *entry;

    while (dir && (entry = io_readdir(dir)))
        if (entry->d_name[0] != '.')
            unlinkat(fd, entry->d_name, 0);
    unlinkat(store->staging_fd, name, AT_REMOVEDIR);
}

/* Makes and owns a new staging folder: 1, or 0 when another writer has taken it for
 * abandoned between mkdir and flock, to remove it. */
static int try_folder(struct store_writer *w, struct err *e)
{
    const struct store *store = w->store;
    CLEANUP_FD int fd = -1;
    struct stat st;
    bool locked;

    if (io_random_name(w->name) < 0 || mkdirat(store->staging_fd, w->name, 0755) < 0)
        return err_sys(e, errno, "cannot create a folder in %s/" STORE_META "/staging",
                       store->path);
    fd = io_openat(store->staging_fd, w->name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 && errno == ENOENT)
        return 0;
    locked = fd >= 0 && io_flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (!locked && (fd < 0 || errno != EWOULDBLOCK))
        return err_sys(e, errno, "cannot lock %s/" STORE_META "/staging/%s (flock)", store->path,
                       w->name);
    if (!locked || fstat(fd, &st) < 0 || st.st_nlink == 0) {
        unlinkat(store->staging_fd, w->name, AT_REMOVEDIR);
        return 0;
    }
    w->folder_fd = steal_fd(&fd);
    return 1;
}

static int make_folder(struct store_writer *w, struct err *e)
{
    int r = 0;

    for (int tries = 0; r == 0 && tries < FOLDER_TRIES; tries++)
        r = try_folder(w, e);
    if (r == 0)
        return err_set(e, ERR_BUSY,
                       "somebody locks each folder that is made in %s/" STORE_META "/staging: "
                       "let nobody open it but who may write to the store",
                       w->store->path);
    return r < 0 ? -1 : 0;
}

/* Whether the file, named by its hash, has that hash. */
static bool staged_is_good(int dirfd, const char *name, struct chunk_hasher *h)
{
    CLEANUP_FD int fd = io_openat(dirfd, name, O_RDONLY, 0);
    CLEANUP_FREE uint8_t *data = NULL;
    uint8_t wanted[CHUNK_HASH_SIZE], hash[CHUNK_HASH_SIZE];
    size_t n = store_chunk_hash(name, wanted), size;
    struct err ignored = ERR_INIT;

    if (fd < 0 || n < LIMIT_HASH_TRUSTED)
        return false;
    return io_read_file(fd, LIMIT_CHUNK, name, &data, &size, &ignored) == 0 &&
           chunk_hash(h, data, size, hash, &ignored) == 0 && memcmp(hash, wanted, n) == 0;
}

static int adopt_files(const struct store *store, int fd, struct chunk_hasher *h, struct batch *b,
                       struct err *e)
{
    CLEANUP_DIR DIR *dir = io_opendirat(fd);
    struct dirent *entry;

    if (!dir)
        return err_sys(e, errno, "cannot list %s/" STORE_META "/staging", store->path);
    while ((entry = io_readdir(dir)))
        if (staged_is_good(fd, entry->d_name, h) && batch_append(b, entry->d_name, 0, e) < 0)
            return -1;
    if (errno) /* what was not seen must not be removed */
        return err_sys(e, errno, "cannot list %s/" STORE_META "/staging", store->path);
    /* What another process wrote was never synced through our descriptors. */
    for (size_t i = 0; i < b->count && store->sync_files; i++) {
        CLEANUP_FD int file = io_openat(fd, b->names[i], O_RDONLY, 0);

        if (file < 0 || io_fsync(file) < 0)
            return err_sys(e, errno, "cannot make a staged chunk durable in %s", store->path);
    }
    return commit_batch(store, fd, b, e);
}

/* Adopts one folder if its owner is gone. */
static int adopt_folder(const struct store *store, const char *name, struct chunk_hasher *h,
                        size_t *adopted, struct err *e)
{
    CLEANUP_FD int fd = io_openat(store->staging_fd, name, O_RDONLY | O_DIRECTORY, 0);
    CLEANUP(batch_free) struct batch b = {0};

    if (fd < 0) {
        if (errno == ENOTDIR || errno == ELOOP)
            unlinkat(store->staging_fd, name, 0); /* not ours: nothing to lose */
        return 0;
    }
    if (io_flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return 0; /* its owner lives */
        return err_sys(e, errno, "cannot lock %s/" STORE_META "/staging/%s (flock)", store->path,
                       name);
    }
    if (adopt_files(store, fd, h, &b, e) < 0)
        return -1;
    *adopted += b.count;
    remove_folder(store, fd, name);
    return 0;
}

int store_adopt_staged(const struct store *store, size_t *adopted, struct err *e)
{
    CLEANUP(chunk_hasher_cleanup) struct chunk_hasher *h = chunk_hasher_new(e);
    CLEANUP_DIR DIR *dir = h ? io_opendirat(store->staging_fd) : NULL;
    struct dirent *entry;

    *adopted = 0;
    if (!h)
        return -1;
    if (!dir)
        return err_sys(e, errno, "cannot list %s/" STORE_META "/staging", store->path);
    while ((entry = io_readdir(dir)))
        if (entry->d_name[0] != '.' && adopt_folder(store, entry->d_name, h, adopted, e) < 0)
            return -1;
    return errno ? err_sys(e, errno, "cannot list %s/" STORE_META "/staging", store->path) : 0;
}

/* ---- the writer ---- */

/* Whether the open batch is to be committed now. Needs the lock. */
static bool batch_is_due(const struct store_writer *w)
{
    const struct batch *b = &w->open;

    return b->count > 0 &&
           (w->finishing || b->bytes >= w->batch_bytes || b->count >= BATCH_CHUNKS ||
            io_now_ms() - b->begun_ms >= BATCH_SECONDS * 1000);
}

/* Needs the lock. */
static void close_batch(struct store_writer *w)
{
    w->closed = w->open;
    w->open = (struct batch){0};
}

/* Waits until there is a batch to commit: true, or false at the end. Needs the lock. */
static bool wait_for_batch(struct store_writer *w)
{
    for (;;) {
        if (w->closed.count == 0 && batch_is_due(w))
            close_batch(w);
        if (w->closed.count > 0)
            return true;
        if (w->finishing)
            return false;
        /* A wake-up each second finds the batch that is due by its age. */
        struct timespec until;

        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += 1;
        pthread_cond_timedwait(&w->changed, &w->lock, &until);
    }
}

static void *committer_main(void *arg)
{
    struct store_writer *w = arg;

    LOCK_SCOPE(&w->lock);
    while (wait_for_batch(w)) {
        struct err e = ERR_INIT;
        int r;

        pthread_mutex_unlock(&w->lock);
        r = commit_batch(w->store, w->folder_fd, &w->closed, &e);
        pthread_mutex_lock(&w->lock);
        batch_free(&w->closed);
        if (r < 0) {
            w->error = e;
            w->finishing = true;
            batch_free(&w->open); /* dropped: a failed sync is never retried */
        }
        pthread_cond_broadcast(&w->changed);
    }
    return NULL;
}

/* What is staged sits in the page cache until its sync: little memory, small
 * batches. */
static uint64_t batch_limit(void)
{
    long pages = sysconf(_SC_AVPHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t eighth = pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size / 8 : BATCH_BYTES;

    return max_u64(min_u64(eighth, BATCH_BYTES), 1 * MIB);
}

static int start(struct store_writer *w, struct err *e)
{
    pthread_condattr_t attributes;
    int r;

    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&w->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    r = pthread_create(&w->committer, NULL, committer_main, w);
    if (r != 0)
        return err_sys(e, r, "cannot start a thread (too little memory, or too many processes)");
    w->committer_runs = true;
    return 0;
}

int store_writer_open(struct store *store, struct store_writer **writer, size_t *adopted,
                      struct err *e)
{
    CLEANUP(store_writer_cleanup) struct store_writer *w = calloc(1, sizeof *w);

    if (!w)
        return err_nomem(e, "preparing to write chunks");
    w->store = store;
    w->folder_fd = -1;
    w->batch_bytes = batch_limit();
    if (store_adopt_staged(store, adopted, e) < 0 || make_folder(w, e) < 0 || start(w, e) < 0)
        return -1;
    *writer = STEAL(w);
    return 0;
}

static bool all_zero(const uint8_t *data, size_t size)
{
    return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

/* Writes data, leaving holes where an aligned run of HOLE_MIN zeros lies. */
static int write_sparse(int fd, const uint8_t *data, size_t size, uint64_t *written)
{
    size_t from = 0;

    for (size_t at = 0; at <= size; at += HOLE_MIN) {
        size_t left = size - at;
        bool hole = left >= HOLE_MIN && all_zero(data + at, HOLE_MIN);
        bool last = left < HOLE_MIN;
        size_t to = last ? size : at;

        if (!hole && !last)
            continue;
        if (to > from) {
            if (io_pwrite_full(fd, data + from, to - from, from) < 0)
                return -1;
            *written += to - from;
        }
        from = to + (last ? 0 : HOLE_MIN);
    }
    /* A hole at the end has no write that extends the file. */
    return all_zero(data + size - 1, 1) ? ftruncate(fd, (off_t)size) : 0;
}

uint64_t store_stored_bytes(const uint8_t *data, size_t size)
{
    uint64_t bytes = size;

    for (size_t at = 0; size - at >= HOLE_MIN; at += HOLE_MIN)
        if (all_zero(data + at, HOLE_MIN))
            bytes -= HOLE_MIN;
    return bytes;
}

static int write_staged(struct store_writer *w, const char *name, const uint8_t *data, size_t size,
                        uint64_t *written)
{
    CLEANUP_FD int fd = io_openat(w->folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd < 0)
        return -1;
    if (data ? write_sparse(fd, data, size, written) < 0 : ftruncate(fd, (off_t)size) < 0)
        return -1;
    if (w->store->sync_files) {
        /* Here, through the descriptor that wrote: it sees every error. */
        if (io_fsync(fd) < 0)
            return -1;
    } else if (data) {
        sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* a head start, no promise */
    }
    return io_close(&fd);
}

/* Adds a staged chunk to the open batch, waiting while both batches are full. */
static int enlist(struct store_writer *w, const char *name, uint64_t written, struct err *e)
{
    LOCK_SCOPE(&w->lock);

    w->bytes += written;
    while (w->error.kind == ERR_NONE && batch_is_due(w) && w->closed.count > 0)
        pthread_cond_wait(&w->changed, &w->lock);
    if (w->error.kind != ERR_NONE) {
        *e = w->error;
        return -1;
    }
    if (batch_append(&w->open, name, written, e) < 0)
        return -1;
    if (batch_is_due(w))
        pthread_cond_broadcast(&w->changed);
    return 0;
}

int store_writer_add(struct store_writer *w, const uint8_t *hash, size_t hash_length,
                     const uint8_t *data, size_t size, struct err *e)
{
    char name[STAGED_NAME_SIZE];
    uint64_t written = 0;

    text_hex(hash, hash_length, name);
    memcpy(name + 2 * hash_length, STORE_CHUNK_SUFFIX, sizeof STORE_CHUNK_SUFFIX);
    if (write_staged(w, name, data, size, &written) < 0)
        return err_sys(e, errno,
                       "cannot write chunk %s (%zu bytes) below %s/" STORE_META "/staging", name,
                       size, w->store->path);
    return enlist(w, name, written, e);
}

int store_writer_finish(struct store_writer *w, struct err *e)
{
    pthread_mutex_lock(&w->lock);
    w->finishing = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->committer, NULL);
    w->committer_runs = false;
    if (w->error.kind != ERR_NONE) {
        *e = w->error;
        return -1;
    }
    return 0;
}

uint64_t store_writer_bytes(struct store_writer *w)
{
    LOCK_SCOPE(&w->lock);

    return w->bytes;
}

void store_writer_close(struct store_writer *w)
{
    struct err ignored = ERR_INIT;

    if (!w)
        return;
    if (w->committer_runs && store_writer_finish(w, &ignored) < 0)
        ignored.kind = ERR_NONE;
    if (w->folder_fd >= 0) {
        remove_folder(w->store, w->folder_fd, w->name);
        close(w->folder_fd);
    }
    batch_free(&w->open);
    batch_free(&w->closed);
    free(w);
}

void store_writer_cleanup(struct store_writer **w)
{
    store_writer_close(*w);
}
