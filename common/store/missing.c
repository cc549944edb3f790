/* SPDX-License-Identifier: MIT */
#include "store/missing.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/workers.h"
#include "store/chunk_directory.h"
#include "store/chunk_file.h"
#include "store/store_private.h"
#include "store/vouchers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define HASH_BLOCK ((size_t)(256 * KIB))
/* How many threads look for chunks: one a core when contents are hashed, a few otherwise,
 * which keeps the device's queue busy; fewer when there are few chunks. */
#define LOOKERS_MAX       4U
#define LOOKS_PER_THREAD  512
#define HASHES_PER_THREAD 16
/* Chunks that a thread takes at a time: about two directories of a usual image. */
#define STRETCH ((size_t)64)

/* One run over the chunks of a table. */
struct search {
    const struct store *store;
    const struct chunk_table *chunks;
    enum store_check check;
    uint32_t *sorted; /* the chunks in order of hash */
    struct vouchers vouchers;
    atomic_size_t next; /* in sorted: no thread has taken it yet */
    atomic_bool failed;

    pthread_mutex_t lock; /* protects all below, but missing[i]: by the thread that has chunk i */
    struct store_missing *result;
    store_check_progress progress;
    void *user;
    uint64_t done, total; /* bytes */
};

/* One thread's part of it: stretches of chunks in order of hash, so that each directory is
 * opened once or twice. */
struct searcher {
    struct search *search;
    struct chunk_directory directory;
    struct store_chunk_check content; /* only when contents are hashed */
    size_t missing_count, damaged_count, denied_count;
};

enum chunk_state {
    CHUNK_THERE,
    CHUNK_ABSENT,
    CHUNK_DAMAGED, /* wrong size or content, or it cannot be read */
    CHUNK_DENIED,  /* this user may not read it */
};

/* ---- one chunk ---- */

/* What an inode that the file system cannot read gives: what it held is lost, and the
 * rest of the store is not. */
static bool is_damage(int errnum)
{
    return errnum == EIO || errnum == EUCLEAN || errnum == EBADMSG;
}

/* What a failure to look at a chunk means. */
static int judge_failure(const struct searcher *w, int errnum, const char *name,
                         enum chunk_state *state, struct err *e)
{
    const struct search *s = w->search;

    if (errnum == ENOENT)
        *state = CHUNK_ABSENT;
    else if (is_damage(errnum))
        *state = CHUNK_DAMAGED;
    else if (s->check == STORE_CHECK_READABLE && (errnum == EACCES || errnum == EPERM))
        *state = CHUNK_DENIED;
    else
        return err_sys(e, errnum, "cannot examine chunk %s/" STORE_CHUNKS "/%s", s->store->path,
                       name);
    return 0;
}

static int judge_directory(const struct searcher *w, int errnum, const char *name,
                           enum chunk_state *state, struct err *e)
{
    if (errnum == ELOOP || errnum == ENOTDIR)
        return err_set(e, ERR_IO,
                       "%s/" STORE_CHUNKS "/%s is a link or a file instead of a directory: "
                       "move it away",
                       w->search->store->path, w->directory.digits);
    return judge_failure(w, errnum, name, state, e);
}

/* Looks at the name, type and size of a chunk, and whether this user may read it. */
static int examine_chunk(struct searcher *w, size_t chunk, enum chunk_state *state, struct err *e)
{
    const struct search *s = w->search;
    char name[STORE_CHUNK_NAME_SIZE];
    const char *file = name + s->store->fanout_digits + 1;
    struct stat st;

    store_chunk_name(s->store, chunk_table_hash(s->chunks, chunk), s->chunks->hash_length, name);
    if (chunk_directory_enter(&w->directory, name) < 0)
        return judge_directory(w, errno, name, state, e);
    if (fstatat(w->directory.fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return judge_failure(w, errno, name, state, e);
    if (!S_ISREG(st.st_mode))
        return store_chunk_is_no_file(s->store, name, e);
    *state = CHUNK_THERE;
    if ((uint64_t)st.st_size != s->chunks->items[chunk].source_size)
        *state = CHUNK_DAMAGED;
    else if (s->check == STORE_CHECK_READABLE &&
             faccessat(w->directory.fd, file, R_OK, AT_EACCESS) < 0)
        return judge_failure(w, errno, name, state, e);
    return 0;
}

/* Hashes the file of a chunk that is there. One that cannot be read (a bad block) counts as
 * damaged: a fresh copy mends it. */
static int check_content(const struct searcher *w, size_t chunk, enum chunk_state *state,
                         struct err *e)
{
    const struct search *s = w->search;
    const uint8_t *hash = chunk_table_hash(s->chunks, chunk);
    uint64_t size = s->chunks->items[chunk].source_size;
    CLEANUP_FD int fd = store_chunk_open(s->store, hash, s->chunks->hash_length, size, e);
    enum store_content content;

    if (fd < 0) {
        *state = CHUNK_DAMAGED;
        return e->kind == ERR_NOT_FOUND || e->kind == ERR_DAMAGED || is_damage(e->sys_errno) ? 0
                                                                                             : -1;
    }
    /* What the disk has is asked for, not what memory remembers of it. */
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    if (store_chunk_check(&w->content, fd, size, hash, s->chunks->hash_length, &content, e) < 0)
        return -1;
    *state = content == STORE_CONTENT_GOOD ? CHUNK_THERE : CHUNK_DAMAGED;
    return 0;
}

static bool is_to_be_hashed(const struct search *s, size_t chunk)
{
    return s->check == STORE_CHECK_CONTENT ||
           (s->check == STORE_CHECK_TRUST && !vouchers_have(&s->vouchers, s->chunks, chunk));
}

static void report_progress(struct search *s, size_t chunk)
{
    LOCK_SCOPE(&s->lock);

    s->done += s->chunks->items[chunk].source_size;
    if (s->progress)
        s->progress(s->user, s->done, s->total);
}

static void note_state(struct searcher *w, size_t chunk, enum chunk_state state)
{
    const struct search *s = w->search;

    if (state == CHUNK_DENIED)
        w->denied_count += !s->chunks->items[chunk].zero;
    if (state != CHUNK_ABSENT && state != CHUNK_DAMAGED)
        return;
    s->result->missing[chunk] = true;
    w->missing_count++;
    w->damaged_count += state == CHUNK_DAMAGED;
}

static int search_chunk(struct searcher *w, size_t chunk, struct err *e)
{
    enum chunk_state state;

    if (examine_chunk(w, chunk, &state, e) < 0)
        return -1;
    if (state == CHUNK_THERE && is_to_be_hashed(w->search, chunk)) {
        if (check_content(w, chunk, &state, e) < 0)
            return -1;
        report_progress(w->search, chunk);
    }
    note_state(w, chunk, state);
    return 0;
}

/* ---- the threads ---- */

static bool hashes(const struct search *s)
{
    return s->check == STORE_CHECK_TRUST || s->check == STORE_CHECK_CONTENT;
}

static int search_stretch(struct searcher *w, size_t from, size_t to, struct err *e)
{
    for (size_t i = from; i < to && !atomic_load(&w->search->failed); i++)
        if (search_chunk(w, w->search->sorted[i], e) < 0)
            return -1;
    return 0;
}

static int search_stretches(struct searcher *w, struct err *e)
{
    size_t count = w->search->chunks->count, from;

    while ((from = atomic_fetch_add(&w->search->next, STRETCH)) < count)
        if (search_stretch(w, from, min_size(from + STRETCH, count), e) < 0)
            return -1;
    return 0;
}

static int prepare_hashing(struct store_chunk_check *c, struct err *e)
{
    c->hasher = chunk_hasher_new(e);
    if (!c->hasher)
        return -1;
    c->capacity = HASH_BLOCK;
    c->buffer = malloc(c->capacity);
    return c->buffer ? 0 : err_nomem(e, "checking chunks");
}

static void add_counts(struct searcher *w)
{
    struct store_missing *result = w->search->result;

    LOCK_SCOPE(&w->search->lock);
    result->missing_count += w->missing_count;
    result->damaged_count += w->damaged_count;
    result->denied_count += w->denied_count;
}

static int run_searcher(void *user, unsigned number, struct err *e)
{
    struct search *s = user;
    struct searcher w = {.search = s, .directory = {.store = s->store, .flags = O_PATH, .fd = -1}};
    int r = 0;

    (void)number;
    if (hashes(s))
        r = prepare_hashing(&w.content, e);
    if (r == 0)
        r = search_stretches(&w, e);
    if (r < 0)
        atomic_store(&s->failed, true);
    add_counts(&w);
    free(w.content.buffer);
    chunk_hasher_free(w.content.hasher);
    chunk_directory_leave(&w.directory);
    return r;
}

static unsigned threads_wanted(const struct search *s)
{
    size_t count = s->chunks->count;
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    if (!hashes(s))
        return (unsigned)min_size(LOOKERS_MAX, 1 + count / LOOKS_PER_THREAD);
    return (unsigned)min_size(processors < 1 ? 1 : min_size(LIMIT_JOBS, (size_t)processors),
                              1 + count / HASHES_PER_THREAD);
}

static int prepare_search(struct search *s, struct err *e)
{
    s->sorted = chunk_table_sort_by_hash(s->chunks, e);
    if (!s->sorted)
        return -1;
    s->total = chunk_table_bytes(s->chunks);
    if (s->check == STORE_CHECK_TRUST && s->store->trusted)
        s->check = STORE_CHECK_SIZE;
    if (s->check != STORE_CHECK_TRUST)
        return 0;
    /* ihop 0.1 does not sync: only what is on the disk can be read from there. */
    return store_sync_all(s->store, e) < 0 ? -1 : vouchers_load(s->store, &s->vouchers, e);
}

static int run_search(struct search *s, struct err *e)
{
    int r = prepare_search(s, e);

    if (r == 0)
        r = workers_run(threads_wanted(s), run_searcher, s, e);
    vouchers_free(&s->vouchers);
    free(s->sorted);
    return r;
}

/* ---- the whole ---- */

void store_missing_free(struct store_missing *m)
{
    free(m->missing);
    *m = (struct store_missing){0};
}

int store_find_missing(const struct store *store, const struct chunk_table *chunks,
                       enum store_check check, store_check_progress progress, void *user,
                       struct store_missing *m, struct err *e)
{
    struct search s = {.store = store,
                       .chunks = chunks,
                       .check = check,
                       .result = m,
                       .progress = progress,
                       .user = user,
                       .lock = PTHREAD_MUTEX_INITIALIZER};
    int r = 0;

    *m = (struct store_missing){.missing = calloc(chunks->count + 1, sizeof *m->missing)};
    if (!m->missing)
        return err_nomem(e, "checking chunks");
    if (store && store->chunks_fd >= 0) {
        r = run_search(&s, e);
    } else {
        for (size_t i = 0; i < chunks->count; i++)
            m->missing[i] = true;
        m->missing_count = chunks->count;
    }
    if (r < 0)
        store_missing_free(m);
    return r;
}
