/* SPDX-License-Identifier: MIT */
#include "store/staging.h"

#include "base/array.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/text.h"
#include "store/store_private.h"
#include "store/chunk_file.h"
#include "store/sparse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#define STORE_CHUNK_SUFFIX ".chunk"
/* Name of a chunk in a staging directory. */
#define STAGED_NAME_SIZE (CHUNK_HASH_HEX + 6)
/* New directories that another writer may take away before one stays. */
#define DIRECTORY_TRIES 100

/* What else a staging directory may have: neither is the name of a chunk. */
#define FAILED_MARK "failed" /* a sync failed here: nothing is adopted */
#define REWRITTEN   "new"    /* an adopted chunk that is being written anew */

struct batch {
    char (*names)[STAGED_NAME_SIZE];
    size_t count, capacity;
    uint64_t bytes;
    uint64_t begun_ms; /* when the first chunk was staged */
};

struct store_writer {
    struct store *store;
    int directory_fd; /* .ihop/staging/NAME, with the flock that owns it */
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

/* Where the renames of one batch go: the open chunk directory. */
struct target {
    const struct store *store;
    char directory[5];
    int fd;
    bool directory_made; /* some directory is new: chunks/ itself must be synced */
};

static int leave_directory(struct target *t, struct err *e)
{
    int r = 0;

    if (t->fd >= 0 && t->store->sync_files)
        r = store_sync_directory(t->store, t->fd, t->directory, e);
    if (t->fd >= 0)
        close(t->fd);
    t->fd = -1;
    return r;
}

static int enter_batch_directory(struct target *t, const char *name, struct err *e)
{
    const struct store *store = t->store;

    if (t->fd >= 0 && memcmp(t->directory, name, store->fanout_digits) == 0)
        return 0;
    if (leave_directory(t, e) < 0)
        return -1;
    memcpy(t->directory, name, store->fanout_digits);
    t->fd = io_openat(store->chunks_fd, t->directory, O_RDONLY | O_DIRECTORY, 0);
    if (t->fd < 0 && errno == ENOENT) {
        if (io_mkdirat(store->chunks_fd, t->directory) == 0) {
            t->directory_made = true;
            t->fd = io_openat(store->chunks_fd, t->directory, O_RDONLY | O_DIRECTORY, 0);
        }
    }
    if (t->fd < 0)
        return err_sys(e, errno, "cannot open or create directory %s/" STORE_CHUNKS "/%s",
                       store->path, t->directory);
    return 0;
}

static int rename_batch(struct target *t, int from_fd, const struct batch *b, struct err *e)
{
    for (size_t i = 0; i < b->count; i++) {
        const char *name = b->names[i];

        if (enter_batch_directory(t, name, e) < 0)
            return -1;
        if (renameat(from_fd, name, t->fd, name) < 0)
            return err_sys(e, errno, "cannot move a chunk to %s/" STORE_CHUNKS "/%s/%s",
                           t->store->path, t->directory, name);
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
    if (leave_directory(&t, e) < 0)
        return -1;
    if (store->sync_files && t.directory_made)
        return store_sync_directory(store, store->chunks_fd, STORE_CHUNKS, e);
    return 0;
}

static int batch_append(struct batch *b, const char *name, uint64_t bytes, struct err *e)
{
    if (array_grow((void **)&b->names, &b->capacity, b->count, sizeof *b->names, e) < 0)
        return -1;
    if (b->count == 0)
        b->begun_ms = io_now_ms();
    snprintf(b->names[b->count++], sizeof *b->names, "%s", name);
    b->bytes += bytes;
    return 0;
}

/* ---- staging directories ---- */

/* Whether it is one that a writer makes: a file with the name of a chunk. */
static bool is_staged(int dirfd, const char *name)
{
    uint8_t hash[CHUNK_HASH_SIZE];
    struct stat st;

    return store_chunk_hash(name, hash) > 0 &&
           fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* Removes a staging directory and all staged files in it; the mark last, as long as it counts.
 * With anything else in it, the directory stays. */
static void remove_directory(const struct store *store, int fd, const char *name)
{
    CLEANUP_DIR DIR *dir = io_opendirat(fd);
    struct dirent *entry;

    while (dir && (entry = io_readdir(dir)))
        if (is_staged(fd, entry->d_name))
            unlinkat(fd, entry->d_name, 0);
    unlinkat(fd, REWRITTEN, 0);
    unlinkat(fd, FAILED_MARK, 0);
    unlinkat(store->staging_fd, name, AT_REMOVEDIR);
}

/* Says in a staging directory that a sync of it failed, so that no later run adopts what
 * lies there. To be called before anything else happens, since this process may be
 * killed at any moment. It need not be durable, as it speaks of pages in memory, and
 * may fail: the disk is asked, too (read_staged). */
static void mark_failed(int directory_fd)
{
    int fd = io_openat(directory_fd, FAILED_MARK, O_WRONLY | O_CREAT, 0644);

    if (fd >= 0)
        close(fd);
}

/* Syncs a file in a staging directory. */
static int sync_staged(int directory_fd, int fd)
{
    int failure;

    if (io_fsync(fd) == 0)
        return 0;
    failure = errno;
    mark_failed(directory_fd);
    errno = failure;
    return -1;
}

static bool is_marked_failed(int directory_fd)
{
    struct stat st;

    return fstatat(directory_fd, FAILED_MARK, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* Makes and owns a new staging directory: 1, or 0 when another writer has taken it for
 * abandoned between mkdir and flock, to remove it. */
static int try_directory(struct store_writer *w, struct err *e)
{
    const struct store *store = w->store;
    CLEANUP_FD int fd = -1;
    struct stat st;
    bool locked;

    if (io_random_name(w->name) < 0 || mkdirat(store->staging_fd, w->name, 0755) < 0)
        return err_sys(e, errno, "cannot create a directory in %s/" STORE_META "/staging",
                       store->path);
    fd = io_openat(store->staging_fd, w->name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 && errno == ENOENT)
        return 0;
    locked = fd >= 0 && io_flock(fd, LOCK_EX | LOCK_NB) == 0;
    if (!locked && (fd < 0 || errno != EWOULDBLOCK)) {
        err_sys(e, errno, "cannot lock %s/" STORE_META "/staging/%s (flock)", store->path, w->name);
        unlinkat(store->staging_fd, w->name, AT_REMOVEDIR);
        return -1;
    }
    if (!locked || fstat(fd, &st) < 0 || st.st_nlink == 0) {
        unlinkat(store->staging_fd, w->name, AT_REMOVEDIR);
        return 0;
    }
    w->directory_fd = steal_fd(&fd);
    return 1;
}

static int make_staging_directory(struct store_writer *w, struct err *e)
{
    int r = 0;

    for (int tries = 0; r == 0 && tries < DIRECTORY_TRIES; tries++)
        r = try_directory(w, e);
    if (r == 0)
        return err_set(e, ERR_BUSY,
                       "somebody locks each directory that is made in %s/" STORE_META "/staging: "
                       "let nobody open it but who may write to the store",
                       w->store->path);
    return r < 0 ? -1 : 0;
}

/* What an abandoned directory has that may be adopted. */
struct adoption {
    const struct store *store;
    int directory_fd;
    struct chunk_hasher *hasher;
    struct batch found; /* by their names, chunks */
    struct batch good;  /* those of them that are, from then on durable with a syncfs */
};

static int list_staged(struct adoption *a, struct err *e)
{
    CLEANUP_DIR DIR *dir = io_opendirat(a->directory_fd);
    uint8_t hash[CHUNK_HASH_SIZE];
    struct dirent *entry;

    if (!dir)
        return err_sys(e, errno, "cannot list %s/" STORE_META "/staging", a->store->path);
    while ((entry = io_readdir(dir)))
        if (is_staged(a->directory_fd, entry->d_name) &&
            store_chunk_hash(entry->d_name, hash) >= LIMIT_HASH_TRUSTED &&
            batch_append(&a->found, entry->d_name, 0, e) < 0)
            return -1;
    if (errno) /* what was not seen must not be removed */
        return err_sys(e, errno, "cannot list %s/" STORE_META "/staging", a->store->path);
    return 0;
}

/* Reads a staged file and says whether it has the hash that it is named by. *on_disk: what
 * was read came from the disk. A page in memory proves nothing: the kernel keeps those that
 * it could not write, and calls them clean. */
static bool read_staged(const struct adoption *a, const char *name, uint8_t **data, size_t *size,
                        bool *on_disk)
{
    CLEANUP_FD int fd = io_openat(a->directory_fd, name, O_RDONLY, 0);
    uint8_t wanted[CHUNK_HASH_SIZE], hash[CHUNK_HASH_SIZE];
    size_t n = store_chunk_hash(name, wanted);
    struct err ignored = ERR_INIT;

    if (fd < 0)
        return false;
    /* With sync_files there are others' caches below this one, which we cannot empty. */
    *on_disk = !a->store->sync_files && io_drop_pages(fd);
    return io_read_file(fd, LIMIT_CHUNK, name, data, size, &ignored) == 0 && *size > 0 &&
           chunk_hash(a->hasher, *data, *size, hash, &ignored) == 0 && memcmp(hash, wanted, n) == 0;
}

/* Puts a file in place of a staged one that has the same content, in pages that were never
 * written before; synced through the descriptor that wrote them, which sees every error. */
static int write_anew(const struct adoption *a, const char *name, const uint8_t *data, size_t size)
{
    CLEANUP_FD int fd = -1;
    uint64_t ignored = 0;

    unlinkat(a->directory_fd, REWRITTEN, 0);
    fd = io_openat(a->directory_fd, REWRITTEN, O_WRONLY | O_CREAT | O_EXCL, 0644);
    if (fd < 0 || store_write_sparse(fd, data, size, &ignored) < 0 ||
        sync_staged(a->directory_fd, fd) < 0 || io_close(&fd) < 0)
        return -1;
    return renameat(a->directory_fd, REWRITTEN, a->directory_fd, name);
}

static int adopt_file(struct adoption *a, const char *name, struct err *e)
{
    CLEANUP_FREE uint8_t *data = NULL;
    bool on_disk = false;
    size_t size;

    if (!read_staged(a, name, &data, &size, &on_disk))
        return 0;
    if (!on_disk && write_anew(a, name, data, size) < 0) {
        err_sys(e, errno, "cannot write a staged chunk anew below %s/" STORE_META "/staging",
                a->store->path);
        return e->kind == ERR_SPACE ? 0 : -1; /* then it is fetched again */
    }
    return batch_append(&a->good, name, 0, e);
}

static int adopt_files(struct adoption *a, struct err *e)
{
    if (list_staged(a, e) < 0)
        return -1;
    /* Only what is clean can be dropped from memory. */
    if (a->found.count > 0 && !a->store->sync_files && store_sync_all(a->store, e) < 0)
        return -1;
    for (size_t i = 0; i < a->found.count; i++)
        if (adopt_file(a, a->found.names[i], e) < 0)
            return -1;
    return commit_batch(a->store, a->directory_fd, &a->good, e);
}

/* Adopts one directory if its owner is gone. */
static int adopt_directory(const struct store *store, const char *name, struct chunk_hasher *h,
                           size_t *adopted, struct err *e)
{
    CLEANUP_FD int fd = io_openat(store->staging_fd, name, O_RDONLY | O_DIRECTORY, 0);
    struct adoption a = {.store = store, .directory_fd = fd, .hasher = h};
    int r = 0;

    if (fd < 0 || !io_is_random_name(name)) /* gone, or none of ours */
        return 0;
    if (io_flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return 0; /* its owner lives */
        return err_sys(e, errno, "cannot lock %s/" STORE_META "/staging/%s (flock)", store->path,
                       name);
    }
    if (!is_marked_failed(fd))
        r = adopt_files(&a, e);
    if (r == 0) {
        *adopted += a.good.count;
        remove_directory(store, fd, name);
    }
    batch_free(&a.found);
    batch_free(&a.good);
    return r;
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
        if (entry->d_name[0] != '.' && adopt_directory(store, entry->d_name, h, adopted, e) < 0)
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
        r = commit_batch(w->store, w->directory_fd, &w->closed, &e);
        if (r < 0)
            mark_failed(w->directory_fd);
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

static int start_committer(struct store_writer *w, struct err *e)
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
    w->directory_fd = -1;
    w->batch_bytes = batch_limit();
    if (store_adopt_staged(store, adopted, e) < 0 || make_staging_directory(w, e) < 0 ||
        start_committer(w, e) < 0)
        return -1;
    *writer = STEAL(w);
    return 0;
}

static int write_staged(struct store_writer *w, const char *name, const uint8_t *data, size_t size,
                        uint64_t *written)
{
    CLEANUP_FD int fd = io_openat(w->directory_fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    if (fd < 0)
        return -1;
    if (data ? store_write_sparse(fd, data, size, written) < 0 : ftruncate(fd, (off_t)size) < 0)
        return -1;
    if (w->store->sync_files) {
        /* Here, through the descriptor that wrote: it sees every error. */
        if (sync_staged(w->directory_fd, fd) < 0)
            return -1;
    } else if (data) {
        sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* a head start_committer, no promise */
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
    if (w->directory_fd >= 0) {
        remove_directory(w->store, w->directory_fd, w->name);
        close(w->directory_fd);
    }
    batch_free(&w->open);
    batch_free(&w->closed);
    free(w);
}

void store_writer_cleanup(struct store_writer **w)
{
    store_writer_close(*w);
}
