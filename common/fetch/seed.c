/* SPDX-License-Identifier: MIT */
#include "fetch/seed.h"

#include "base/cleanup.h"
#include "base/input.h"
#include "chunker/cut.h"

#include <pthread.h>
#include <string.h>

#define SIZE_BITS 65536

struct scan {
    const struct image *image;
    struct deposit *deposit;
    const struct events *events;
    uint32_t *sorted; /* the image's chunks in order of hash */
    /* One bit for each size that a missing chunk has, sizes taken modulo SIZE_BITS:
     * most chunks that are not wanted need no hash. */
    uint8_t sizes[SIZE_BITS / 8];
    struct chunk_hasher **hashers; /* one for each worker */
    uint64_t size;                 /* of the seed; 0: not known */

    pthread_mutex_t lock; /* protects all below */
    bool *missing;
    size_t found;
};

static bool is_wanted_size(const struct scan *s, size_t size)
{
    return s->sizes[size % SIZE_BITS / 8] >> size % 8 & 1;
}

static void note_wanted_sizes(struct scan *s)
{
    for (size_t i = 0; i < s->image->chunks.count; i++) {
        uint32_t size = s->image->chunks.items[i].source_size;

        if (s->missing[i] && !s->image->chunks.items[i].zero)
            s->sizes[size % SIZE_BITS / 8] |= (uint8_t)(1 << size % 8);
    }
}

/* Whether this worker is the first one with a chunk that is missing. */
static bool claim_chunk(struct scan *s, size_t chunk)
{
    LOCK_SCOPE(&s->lock);

    if (!s->missing[chunk])
        return false;
    s->missing[chunk] = false;
    s->found++;
    return true;
}

static int on_seed_chunk(void *user, const struct cut_chunk *c, struct err *e)
{
    struct scan *s = user;
    uint8_t hash[CHUNK_HASH_SIZE];
    size_t chunk;

    if (!is_wanted_size(s, c->size))
        return 0;
    if (chunk_hash(s->hashers[c->worker], c->data, c->size, hash, e) < 0)
        return -1;
    chunk = chunk_table_find(&s->image->chunks, s->sorted, hash);
    if (chunk == CHUNK_TABLE_NONE || s->image->chunks.items[chunk].zero ||
        s->image->chunks.items[chunk].source_size != c->size || !claim_chunk(s, chunk))
        return 0;
    return s->deposit
               ? deposit_add(s->deposit, hash, s->image->chunks.hash_length, c->data, c->size, e)
               : 0;
}

static void on_seed_progress(void *user, uint64_t bytes_done)
{
    const struct scan *s = user;
    const struct events_progress p = {
        .phase = EVENTS_SEEDING, .bytes_done = bytes_done, .bytes_total = s->size};

    if (s->events && s->events->progress)
        s->events->progress(s->events->user, &p);
}

/* Links are followed: /dev/disk/by-partlabel/... is one. */
static int open_seed(const char *path, struct input *in, struct err *e)
{
    static const struct input_words words = {
        .what = "seed ", .instead = "it takes a file or a block device", .wrong = ERR_IO};

    if (input_open(path, &words, in, e) == 0)
        return 0;
    return e->kind == ERR_NOT_FOUND ? err_set(e, ERR_NOT_FOUND, "seed %s does not exist", in->name)
                                    : -1;
}

static int make_hashers(struct scan *s, unsigned jobs, struct err *e)
{
    s->hashers = calloc(jobs, sizeof(struct chunk_hasher *));
    if (!s->hashers)
        return err_nomem(e, "scanning a seed");
    for (unsigned i = 0; i < jobs; i++)
        if (!(s->hashers[i] = chunk_hasher_new(e)))
            return -1;
    return 0;
}

static int scan(struct scan *s, const char *path, unsigned jobs, struct err *e)
{
    struct cut_options options = {
        .jobs = jobs, .chunk = on_seed_chunk, .progress = on_seed_progress, .user = s};
    struct err why = ERR_INIT;
    struct chunker_config config;
    struct input in;
    CLEANUP_FD int fd = -1;
    uint64_t size;

    if (open_seed(path, &in, e) < 0)
        return -1;
    fd = in.fd;
    s->size = in.size;
    options.name = in.name;
    chunker_config_of(s->image, &config);
    if (chunker_config_check(&config, &why) < 0) {
        /* Of the archive, not of the seed: it can be cloned all the same. */
        events_note(s->events, "seed %s is of no use, the archive was cut in an odd way: %s", path,
                    why.text);
        return 0;
    }
    s->sorted = chunk_table_sort_by_hash(&s->image->chunks, e);
    if (!s->sorted || make_hashers(s, jobs, e) < 0)
        return -1;
    note_wanted_sizes(s);
    return cut_input(fd, &config, &options, &size, e);
}

int seed_scan(const char *path, const struct image *image, bool *missing, struct deposit *deposit,
              unsigned jobs, const struct events *events, size_t *found, struct err *e)
{
    struct scan s = {.image = image,
                     .deposit = deposit,
                     .events = events,
                     .missing = missing,
                     .lock = PTHREAD_MUTEX_INITIALIZER};
    int r = scan(&s, path, jobs, e);

    for (unsigned i = 0; s.hashers && i < jobs; i++)
        chunk_hasher_free(s.hashers[i]);
    free(s.hashers);
    free(s.sorted);
    *found += s.found;
    return r;
}
