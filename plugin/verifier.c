/* SPDX-License-Identifier: MIT */
#include "plugin/verifier.h"

#include "base/cleanup.h"
#include "base/limits.h"
#include "plugin/stats.h"
#include "store/chunk_file.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/stat.h>

/* Chunks are hashed in this many lanes, by chunk number: of two threads that need the same
 * chunk one hashes and the other waits. A lane owns what hashing takes, so that a read
 * allocates nothing. */
#define LANES 8
#define BLOCK ((size_t)(64 * KIB))

enum { UNVERIFIED, GOOD, BAD };

struct lane {
    pthread_mutex_t lock;
    struct store_chunk_check check; /* protected by lock */
};

struct verifier {
    const struct image *image;
    atomic_uchar *states; /* for each chunk; written under its lane's lock */
    struct lane lanes[LANES];
};

struct verifier *verifier_new(const struct image *image, struct err *e)
{
    struct verifier *v = calloc(1, sizeof *v);

    if (!v) {
        err_nomem(e, "preparing verification");
        return NULL;
    }
    v->image = image;
    for (size_t i = 0; i < LANES; i++)
        pthread_mutex_init(&v->lanes[i].lock, NULL);
    v->states = calloc(image->chunks.count + 1, sizeof *v->states);
    for (size_t i = 0; v->states && i < LANES; i++) {
        struct store_chunk_check *check = &v->lanes[i].check;

        check->hasher = chunk_hasher_new(e);
        check->buffer = malloc(BLOCK);
        check->capacity = BLOCK;
        if (!check->hasher || !check->buffer)
            break;
    }
    if (!v->states || !v->lanes[LANES - 1].check.hasher || !v->lanes[LANES - 1].check.buffer) {
        err_nomem(e, "preparing verification");
        verifier_free(v);
        return NULL;
    }
    return v;
}

void verifier_free(struct verifier *v)
{
    if (!v)
        return;
    for (size_t i = 0; i < LANES; i++) {
        chunk_hasher_free(v->lanes[i].check.hasher);
        free(v->lanes[i].check.buffer);
        pthread_mutex_destroy(&v->lanes[i].lock);
    }
    free(v->states);
    free(v);
}

static unsigned char verified_state(const struct verifier *v, size_t chunk)
{
    return atomic_load_explicit(&v->states[chunk], memory_order_acquire);
}

static void set_state(const struct verifier *v, size_t chunk, unsigned char state)
{
    atomic_store_explicit(&v->states[chunk], state, memory_order_release);
}

bool verifier_is_good(const struct verifier *v, size_t chunk)
{
    return verified_state(v, chunk) == GOOD;
}

bool verifier_is_bad(const struct verifier *v, size_t chunk)
{
    return verified_state(v, chunk) == BAD;
}

static int say_bad(const char *what, struct err *e)
{
    return err_set(e, ERR_DAMAGED, "the content of chunk %s does not match its hash", what);
}

static int say_short(int fd, const char *what, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return err_sys(e, errno, "cannot examine chunk %s", what);
    return err_set(e, ERR_DAMAGED, "chunk %s was cut short to %llu bytes", what,
                   (unsigned long long)st.st_size);
}

/* Hashes the chunk: 0 when it is good. That its content is wrong is remembered; that its
 * file cannot be read, or not to its end, is not. Needs the lane's lock. */
static int judge(const struct verifier *v, const struct lane *lane, size_t chunk, int fd,
                 const char *what, struct err *e)
{
    const struct chunk_table *chunks = &v->image->chunks;
    enum store_content content;

    if (store_chunk_check(&lane->check, fd, chunks->items[chunk].source_size,
                          chunk_table_hash(chunks, chunk), chunks->hash_length, &content, e) < 0)
        return -1;
    if (content == STORE_CONTENT_UNREADABLE)
        return err_sys(e, errno, "cannot read chunk %s", what);
    if (content == STORE_CONTENT_SHORT)
        return say_short(fd, what, e);
    stats_count(STATS_VERIFIED, 1);
    if (content == STORE_CONTENT_GOOD)
        return 0;
    set_state(v, chunk, BAD);
    return say_bad(what, e);
}

int verifier_check(struct verifier *v, size_t chunk, int fd, const char *what, struct err *e)
{
    struct lane *lane = &v->lanes[chunk % LANES];

    LOCK_SCOPE(&lane->lock);
    if (verified_state(v, chunk) == BAD)
        return say_bad(what, e);
    if (verified_state(v, chunk) == GOOD)
        return 0;
    if (judge(v, lane, chunk, fd, what, e) < 0)
        return -1;
    set_state(v, chunk, GOOD);
    return 0;
}

int verifier_replace(struct verifier *v, size_t chunk, const struct chunk_lease *kept,
                     const struct chunk_lease *fresh, const char *what, struct err *e)
{
    struct lane *lane = &v->lanes[chunk % LANES];

    /* The lock also keeps the kept descriptor from being replaced while its file is hashed. */
    LOCK_SCOPE(&lane->lock);
    if (verified_state(v, chunk) == BAD)
        return say_bad(what, e);
    if (judge(v, lane, chunk, fresh->fd, what, e) < 0)
        return -1;
    if (chunk_fds_replace(kept, fresh))
        set_state(v, chunk, GOOD);
    return 0;
}
