/* SPDX-License-Identifier: MIT */
#include "store/missing.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/text.h"
#include "store/store_private.h"
#include "store/release_load.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#define HASH_BLOCK (256 * 1024)
/* Threads keep cores and the device's queue busy: when contents are hashed all cores,
 * otherwise a few; fewer for few chunks. */
#define WALKS_MAX       LIMIT_JOBS
#define WALKS_TO_LOOK   4
#define LOOKS_FOR_WALK  512
#define HASHES_FOR_WALK 16
/* Chunks that a thread takes at a time: about two directories of a usual image. */
#define STRETCH ((size_t)64)

const char *store_chunk_name(const struct store *store, const uint8_t *hash, size_t hash_length,
                             char name[STORE_CHUNK_NAME_SIZE])
{
    char *file = name + store->fanout_digits + 1;

    text_hex(hash, hash_length, file);
    memcpy(name, file, store->fanout_digits);
    file[-1] = '/';
    memcpy(file + 2 * hash_length, STORE_CHUNK_SUFFIX, sizeof STORE_CHUNK_SUFFIX);
    return name;
}

size_t store_chunk_hash(const char *file, uint8_t hash[CHUNK_HASH_SIZE])
{
    char hex[CHUNK_HASH_HEX];
    size_t digits = strspn(file, "0123456789abcdef");
    int n;

    if (digits >= sizeof hex || strcmp(file + digits, STORE_CHUNK_SUFFIX) != 0)
        return 0;
    memcpy(hex, file, digits);
    hex[digits] = '\0';
    n = text_unhex(hex, hash, CHUNK_HASH_SIZE);
    return n >= LIMIT_HASH_MIN ? (size_t)n : 0;
}

static int not_a_file(const struct store *store, const char *name, struct err *e)
{
    return err_set(e, ERR_IO,
                   "%s/" STORE_CHUNKS "/%s is not a regular file or lies behind a link: "
                   "remove it and run ihop-clone again",
                   store->path, name);
}

int store_chunk_open(const struct store *store, const uint8_t *hash, size_t hash_length,
                     uint64_t size, struct err *e)
{
    char name[STORE_CHUNK_NAME_SIZE];
    CLEANUP_FD int fd = -1;
    struct stat st;

    store_chunk_name(store, hash, hash_length, name);
    if (store->chunks_fd >= 0)
        fd = io_open_beneath(store->chunks_fd, name, O_RDONLY | O_NOATIME);
    else
        errno = ENOENT;
    if (fd < 0 && errno == ENOENT)
        return err_set(e, ERR_NOT_FOUND, "chunk %s/" STORE_CHUNKS "/%s is missing", store->path,
                       name);
    if (fd < 0 && (errno == ELOOP || errno == EXDEV || errno == ENOTDIR || errno == ENXIO))
        return not_a_file(store, name, e);
    if (fd < 0)
        return err_sys(e, errno, "cannot open chunk %s/" STORE_CHUNKS "/%s", store->path, name);
    if (fstat(fd, &st) < 0)
        return err_sys(e, errno, "cannot examine chunk %s/" STORE_CHUNKS "/%s", store->path, name);
    if (!S_ISREG(st.st_mode))
        return not_a_file(store, name, e);
    if ((uint64_t)st.st_size != size)
        return err_set(e, ERR_DAMAGED,
                       "chunk %s/" STORE_CHUNKS "/%s has %lld bytes instead of %llu", store->path,
                       name, (long long)st.st_size, (unsigned long long)size);
    return steal_fd(&fd);
}

void store_missing_free(struct store_missing *p)
{
    free(p->missing);
    *p = (struct store_missing){0};
}

/* One run over the chunks of an image. */
struct survey {
    const struct store *store;
    const struct chunk_table *chunks;
    enum store_check check;
    uint32_t *sorted;          /* the chunks in order of hash */
    struct image *vouchers;    /* releases that we published; see vouched */
    uint32_t **voucher_orders; /* their chunks in order of hash */
    size_t voucher_count;
    bool *missing;      /* for each chunk, written by the one walk that has it */
    atomic_size_t next; /* in sorted: no one has taken it yet */
    atomic_bool failed;

    pthread_mutex_t lock; /* for progress and what it tells */
    store_check_progress progress;
    void *user;
    uint64_t done, total;
};

/* One thread's part of it: stretches of chunks in order of hash, so that each directory is
 * opened once or twice. */
struct walk {
    struct survey *survey;
    pthread_t thread;
    bool joinable;

    char directory[5]; /* the open one */
    int directory_fd;  /* -1: it cannot be entered, and why: */
    int directory_errno;
    struct chunk_hasher *hasher; /* with block, only when contents are hashed */
    uint8_t *block;
    size_t missing_count, damaged_count, denied_count;
    int result;
    struct err err;
};

/* What an inode that the file system cannot read gives: what it held is lost, and the
 * rest of the store is not. */
static bool is_damage(int errnum)
{
    return errnum == EIO || errnum == EUCLEAN || errnum == EBADMSG;
}

/* Turns to the directory of the chunk with this name. One that cannot be entered is an
 * error, or leaves directory_errno. */
static int enter_chunk_directory(struct walk *w, const char *name, struct err *e)
{
    const struct store *store = w->survey->store;
    unsigned digits = store->fanout_digits;

    if (memcmp(w->directory, name, digits) == 0)
        return 0;
    if (w->directory_fd >= 0)
        close(w->directory_fd);
    memcpy(w->directory, name, digits);
    w->directory_fd = io_openat(store->chunks_fd, w->directory, O_PATH | O_DIRECTORY, 0);
    w->directory_errno = w->directory_fd < 0 ? errno : 0;
    if (w->directory_errno == ELOOP || w->directory_errno == ENOTDIR)
        return err_set(e, ERR_IO,
                       "%s/" STORE_CHUNKS "/%s is a link or a file instead of a directory: "
                       "move it away",
                       store->path, w->directory);
    return 0;
}

/* What a failure to look at a chunk means: as examine. */
static int judge_failure(const struct walk *w, int errnum, const char *name, struct err *e)
{
    const struct survey *s = w->survey;

    if (errnum == ENOENT)
        return 0;
    if (is_damage(errnum))
        return 2;
    if (s->check == STORE_CHECK_READABLE && (errnum == EACCES || errnum == EPERM))
        return 3;
    return err_sys(e, errnum, "cannot examine chunk %s/" STORE_CHUNKS "/%s", s->store->path, name);
}

/* Whether chunk has its name and size: 1, 0 when absent, 2 when the size is
 * wrong or the file cannot be looked at, 3 when this user may not read it. */
static int examine(struct walk *w, size_t chunk, struct err *e)
{
    const struct survey *s = w->survey;
    char name[STORE_CHUNK_NAME_SIZE];
    const char *file = name + s->store->fanout_digits + 1;
    struct stat st;

    store_chunk_name(s->store, chunk_table_hash(s->chunks, chunk), s->chunks->hash_length, name);
    if (enter_chunk_directory(w, name, e) < 0)
        return -1;
    if (w->directory_fd < 0)
        return judge_failure(w, w->directory_errno, name, e);
    if (fstatat(w->directory_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return judge_failure(w, errno, name, e);
    if (!S_ISREG(st.st_mode))
        return not_a_file(s->store, name, e);
    if ((uint64_t)st.st_size != s->chunks->items[chunk].source_size)
        return 2;
    if (s->check == STORE_CHECK_READABLE && faccessat(w->directory_fd, file, R_OK, AT_EACCESS) < 0)
        return judge_failure(w, errno, name, e);
    return 1;
}

/* Hashes the chunk's file: 1 when it is what its name says, else 0. A file that
 * cannot be read (a bad block) counts as damaged: a fresh copy mends it. */
static int content_is_good(const struct walk *w, size_t chunk, struct err *e)
{
    const struct survey *s = w->survey;
    uint64_t size = s->chunks->items[chunk].source_size, at = 0;
    CLEANUP_FD int fd = store_chunk_open(s->store, chunk_table_hash(s->chunks, chunk),
                                         s->chunks->hash_length, size, e);
    uint8_t hash[CHUNK_HASH_SIZE];

    if (fd < 0)
        return e->kind == ERR_NOT_FOUND || e->kind == ERR_DAMAGED || is_damage(e->sys_errno) ? 0
                                                                                             : -1;
    /* What the disk has is asked for, not what memory remembers of it. */
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (chunk_hash_begin(w->hasher, e) < 0)
        return -1;
    while (at < size) {
        ssize_t n = io_pread_full(fd, w->block, HASH_BLOCK, at);

        if (n <= 0)
            return 0;
        if (chunk_hash_update(w->hasher, w->block, (size_t)n, e) < 0)
            return -1;
        at += (uint64_t)n;
    }
    if (chunk_hash_end(w->hasher, hash, e) < 0)
        return -1;
    return at == size &&
           memcmp(hash, chunk_table_hash(s->chunks, chunk), s->chunks->hash_length) == 0;
}

/* In a store that the original may write to, a chunk that belongs to a release
 * of ours was hashed and made durable when we published that. */
static bool vouched(const struct survey *s, size_t chunk)
{
    const uint8_t *hash = chunk_table_hash(s->chunks, chunk);

    for (size_t v = 0; v < s->voucher_count; v++)
        if (s->vouchers[v].chunks.hash_length == s->chunks->hash_length &&
            chunk_table_find(&s->vouchers[v].chunks, s->voucher_orders[v], hash) !=
                CHUNK_TABLE_NONE)
            return true;
    return false;
}

/* A release that cannot be read vouches for nothing. */
static int load_vouchers(struct survey *s, struct err *e)
{
    CLEANUP(store_names_free) struct store_names names = {0};
    struct err ignored = ERR_INIT;

    if (store_release_names(s->store, &names, e) < 0)
        return -1;
    s->vouchers = calloc(names.count + 1, sizeof *s->vouchers);
    s->voucher_orders = calloc(names.count + 1, sizeof *s->voucher_orders);
    if (!s->vouchers || !s->voucher_orders)
        return err_nomem(e, "reading the releases");
    for (size_t i = 0; i < names.count; i++) {
        struct image *image = &s->vouchers[s->voucher_count];

        if (store_release_load(s->store, names.names[i], image, NULL, &ignored) < 0)
            continue;
        if (!image->has_archive) { /* the original's */
            image_free(image);
            continue;
        }
        s->voucher_orders[s->voucher_count++] = chunk_table_sort_by_hash(&image->chunks, e);
        if (!s->voucher_orders[s->voucher_count - 1])
            return -1;
    }
    return 0;
}

static bool hashes(const struct survey *s)
{
    return s->check == STORE_CHECK_TRUST || s->check == STORE_CHECK_CONTENT;
}

static int begin_survey(struct survey *s, struct err *e)
{
    s->sorted = chunk_table_sort_by_hash(s->chunks, e);
    if (!s->sorted)
        return -1;
    for (size_t i = 0; i < s->chunks->count; i++)
        s->total += s->chunks->items[i].source_size;
    if (s->check == STORE_CHECK_TRUST && s->store->trusted)
        s->check = STORE_CHECK_SIZE;
    if (s->check != STORE_CHECK_TRUST)
        return 0;
    /* The original does not sync: only what is on the disk can be read from there. */
    return store_sync_all(s->store, e) < 0 ? -1 : load_vouchers(s, e);
}

static void end_survey(struct survey *s)
{
    for (size_t i = 0; i < s->voucher_count; i++) {
        image_free(&s->vouchers[i]);
        free(s->voucher_orders[i]);
    }
    free(s->vouchers);
    free(s->voucher_orders);
    free(s->sorted);
}

static void tell_progress(struct survey *s, size_t chunk)
{
    LOCK_SCOPE(&s->lock);

    s->done += s->chunks->items[chunk].source_size;
    if (s->progress)
        s->progress(s->user, s->done, s->total);
}

static int survey_chunk(struct walk *w, size_t chunk, struct err *e)
{
    struct survey *s = w->survey;
    int state = examine(w, chunk, e);
    bool hash = s->check == STORE_CHECK_CONTENT ||
                (s->check == STORE_CHECK_TRUST && state == 1 && !vouched(s, chunk));

    if (state == 1 && hash) {
        int good = content_is_good(w, chunk, e);

        state = good < 0 ? -1 : good ? 1 : 2;
        tell_progress(s, chunk);
    }
    if (state < 0)
        return -1;
    if (state == 3) {
        w->denied_count += !s->chunks->items[chunk].zero;
        return 0;
    }
    if (state != 1) {
        s->missing[chunk] = true;
        w->missing_count++;
        w->damaged_count += state == 2;
    }
    return 0;
}

static int walk_stretch(struct walk *w, size_t from, size_t to, struct err *e)
{
    for (size_t i = from; i < to && !atomic_load(&w->survey->failed); i++)
        if (survey_chunk(w, w->survey->sorted[i], e) < 0)
            return -1;
    return 0;
}

static int walk_chunks(struct walk *w, struct err *e)
{
    size_t count = w->survey->chunks->count, from;

    if (hashes(w->survey)) {
        w->hasher = chunk_hasher_new(e);
        if (!w->hasher)
            return -1;
        w->block = malloc(HASH_BLOCK);
        if (!w->block)
            return err_nomem(e, "checking chunks");
    }
    while ((from = atomic_fetch_add(&w->survey->next, STRETCH)) < count)
        if (walk_stretch(w, from, min_size(from + STRETCH, count), e) < 0)
            return -1;
    return 0;
}

static void *run_walk(void *user)
{
    struct walk *w = user;

    w->result = walk_chunks(w, &w->err);
    if (w->result < 0)
        atomic_store(&w->survey->failed, true);
    free(w->block);
    chunk_hasher_free(w->hasher);
    if (w->directory_fd >= 0)
        close(w->directory_fd);
    return NULL;
}

static size_t walks_wanted(const struct survey *s)
{
    size_t count = s->chunks->count;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (!hashes(s))
        return min_size(WALKS_TO_LOOK, 1 + count / LOOKS_FOR_WALK);
    return min_size(processors < 1 ? 1 : min_size(WALKS_MAX, (size_t)processors),
                    1 + count / HASHES_FOR_WALK);
}

/* Shares the chunks out. A thread that cannot be had is done without. */
static int run_survey(struct survey *s, struct store_missing *p, struct err *e)
{
    size_t n = walks_wanted(s);
    struct walk walks[WALKS_MAX];
    int r = 0;

    for (size_t i = n; i-- > 0;) {
        walks[i] = (struct walk){.survey = s, .directory_fd = -1, .err = ERR_INIT};
        walks[i].joinable =
            i > 0 && pthread_create(&walks[i].thread, NULL, run_walk, &walks[i]) == 0;
        if (!walks[i].joinable)
            run_walk(&walks[i]);
    }
    for (size_t i = 0; i < n; i++) {
        if (walks[i].joinable)
            pthread_join(walks[i].thread, NULL);
        p->missing_count += walks[i].missing_count;
        p->damaged_count += walks[i].damaged_count;
        p->denied_count += walks[i].denied_count;
        if (walks[i].result < 0 && r == 0) {
            *e = walks[i].err;
            r = -1;
        }
    }
    return r;
}

int store_find_missing(const struct store *store, const struct chunk_table *chunks,
                       enum store_check check, store_check_progress progress, void *user,
                       struct store_missing *p, struct err *e)
{
    struct survey s = {.store = store,
                       .chunks = chunks,
                       .check = check,
                       .progress = progress,
                       .user = user,
                       .lock = PTHREAD_MUTEX_INITIALIZER};
    int r;

    *p = (struct store_missing){.missing = calloc(chunks->count + 1, sizeof *p->missing)};
    if (!p->missing)
        return err_nomem(e, "checking chunks");
    if (!store || store->chunks_fd < 0) {
        for (size_t i = 0; i < chunks->count; i++)
            p->missing[i] = true;
        p->missing_count = chunks->count;
        return 0;
    }
    s.missing = p->missing;
    r = begin_survey(&s, e);
    if (r == 0)
        r = run_survey(&s, p, e);
    end_survey(&s);
    if (r < 0)
        store_missing_free(p);
    return r;
}
