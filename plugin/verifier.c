/* SPDX-License-Identifier: MIT */
#include "plugin/verifier.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/io.h"
#include "base/limits.h"
#include "plugin/stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

/* Chunks are hashed in this many lanes, by chunk number: two threads that need
 * the same chunk share one hashing, and a lane owns what hashing takes, so that
 * a read allocates nothing. */
#define LANES 8
#define BLOCK ((size_t)(64 * KIB))

enum { UNVERIFIED, GOOD, BAD };

struct lane {
    pthread_mutex_t lock;
    struct chunk_hasher *hasher; /* by lock, as is block */
    uint8_t *block;
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
        v->lanes[i].hasher = chunk_hasher_new(e);
        v->lanes[i].block = malloc(BLOCK);
        if (!v->lanes[i].hasher || !v->lanes[i].block)
            break;
    }
    if (!v->states || !v->lanes[LANES - 1].hasher || !v->lanes[LANES - 1].block) {
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
        chunk_hasher_free(v->lanes[i].hasher);
        free(v->lanes[i].block);
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

static int hash_file(const struct lane *lane, int fd, uint64_t size, const char *what,
                     uint8_t hash[CHUNK_HASH_SIZE], struct err *e)
{
    if (chunk_hash_begin(lane->hasher, e) < 0)
        return -1;
    for (uint64_t at = 0; at < size;) {
        size_t want = (size_t)min_u64(BLOCK, size - at);
        ssize_t n = io_pread_full(fd, lane->block, want, at);

        if (n < 0)
            return err_sys(e, errno, "cannot read chunk %s", what);
        if ((size_t)n < want)
            return err_set(e, ERR_DAMAGED, "chunk %s was cut short to %llu bytes", what,
                           (unsigned long long)at + (unsigned long long)n);
        /* The disk works meanwhile: the kernel does not read ahead in these files. */
        if (at + want < size)
            posix_fadvise(fd, (off_t)(at + want), (off_t)BLOCK, POSIX_FADV_WILLNEED);
        if (chunk_hash_update(lane->hasher, lane->block, want, e) < 0)
            return -1;
        at += want;
    }
    return chunk_hash_end(lane->hasher, hash, e);
}

static int say_bad(const char *what, struct err *e)
{
    return err_set(e, ERR_DAMAGED, "the content of chunk %s does not match its hash", what);
}

/* Hashes the chunk: 0 when it is good. That it is bad is remembered. Needs the lane's lock. */
static int judge(const struct verifier *v, const struct lane *lane, size_t chunk, int fd,
                 const char *what, struct err *e)
{
    uint8_t hash[CHUNK_HASH_SIZE];

    if (hash_file(lane, fd, v->image->chunks.items[chunk].source_size, what, hash, e) < 0)
        return -1;
    stats_count(STATS_VERIFIED, 1);
    if (memcmp(hash, chunk_table_hash(&v->image->chunks, chunk), v->image->chunks.hash_length) == 0)
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

    /* The lock also keeps a file from changing while it is hashed. */
    LOCK_SCOPE(&lane->lock);
    if (verified_state(v, chunk) == BAD)
        return say_bad(what, e);
    if (judge(v, lane, chunk, fresh->fd, what, e) < 0)
        return -1;
    if (chunk_fds_replace(kept, fresh))
        set_state(v, chunk, GOOD);
    return 0;
}
