/* SPDX-License-Identifier: MIT */
#include "fetch/seed.h"

#include "base/cleanup.h"
#include "base/input.h"
#include "chunker/cut.h"

#include <pthread.h>

#define SIZE_BITS 65536

struct scan {
    const struct seed_job *job;
    uint32_t *sorted; /* the image's chunks in the order of their hashes */
    /* The bits of all sizes, modulo SIZE_BITS, that a wanted chunk has. A chunk of another size is
     * not hashed, and most chunks that are not wanted are such. */
    uint8_t sizes[SIZE_BITS / 8];
    struct chunk_hasher **hashers; /* one for each worker */
    uint64_t size;                 /* of the seed in bytes; 0 when it is not known */

    pthread_mutex_t lock; /* protects found, and the ways of the plan's items */
    size_t found;
};

static bool is_wanted_size(const struct scan *s, size_t size)
{
    return s->sizes[size % SIZE_BITS / 8] >> size % 8 & 1;
}

static void note_wanted_sizes(struct scan *s)
{
    const struct plan *plan = s->job->plan;

    for (size_t i = 0; i < plan->fetched_count; i++) {
        uint32_t size = s->job->image->chunks.items[plan->fetched[i]].source_size;

        s->sizes[size % SIZE_BITS / 8] |= (uint8_t)(1 << size % 8);
    }
}

/* Gives the chunk the way WAY_SEED if it is still wanted: only one worker gets true. */
static bool claim_chunk(struct scan *s, size_t chunk, const struct cut_chunk *c)
{
    struct plan_item *item = &s->job->plan->items[chunk];

    LOCK_SCOPE(&s->lock);
    if (!way_traits[item->way].fetches)
        return false;
    *item = (struct plan_item){.way = WAY_SEED,
                               .where = c->offset,
                               .size = (uint32_t)c->size,
                               .base = s->job->number & PLAN_BASE_MAX};
    s->found++;
    return true;
}

static int on_seed_chunk(void *user, const struct cut_chunk *c, struct err *e)
{
    struct scan *s = user;
    const struct chunk_table *chunks = &s->job->image->chunks;
    uint8_t hash[CHUNK_HASH_SIZE];
    size_t chunk;

    if (!is_wanted_size(s, c->size))
        return 0;
    if (chunk_hash(s->hashers[c->worker], c->data, c->size, hash, e) < 0)
        return -1;
    chunk = chunk_table_find(chunks, s->sorted, hash);
    if (chunk == CHUNK_TABLE_NONE || chunks->items[chunk].source_size != c->size ||
        !claim_chunk(s, chunk, c))
        return 0;
    return s->job->deposit
               ? deposit_add(s->job->deposit, hash, chunks->hash_length, c->data, c->size, e)
               : 0;
}

static void on_seed_progress(void *user, uint64_t bytes_done)
{
    const struct scan *s = user;
    const struct events *events = s->job->events;
    const struct events_progress p = {
        .phase = EVENTS_SEEDING, .bytes_done = bytes_done, .bytes_total = s->size};

    if (events && events->progress)
        events->progress(events->user, &p);
}

/* Links are followed, because /dev/disk/by-partlabel/... is one. */
static int open_seed(const char *path, struct input *in, struct err *e)
{
    static const struct input_words words = {
        .what = "seed ", .instead = "it takes a file or a block device", .wrong = ERR_IO};

    if (input_open(path, &words, in, e) == 0)
        return 0;
    return e->kind == ERR_NOT_FOUND ? err_set(e, ERR_NOT_FOUND, "seed %s does not exist", in->name)
                                    : -1;
}

static int make_hashers(struct scan *s, struct err *e)
{
    s->hashers = calloc(s->job->jobs, sizeof(struct chunk_hasher *));
    if (!s->hashers)
        return err_nomem(e, "scanning a seed");
    for (unsigned i = 0; i < s->job->jobs; i++)
        if (!(s->hashers[i] = chunk_hasher_new(e)))
            return -1;
    return 0;
}

static int scan_seed(struct scan *s, struct err *e)
{
    struct cut_options options = {
        .jobs = s->job->jobs, .chunk = on_seed_chunk, .progress = on_seed_progress, .user = s};
    struct err why = ERR_INIT;
    struct chunker_config config;
    struct input in;
    CLEANUP_FD int fd = -1;
    uint64_t size;

    if (open_seed(s->job->path, &in, e) < 0)
        return -1;
    fd = in.fd;
    s->size = in.size;
    options.name = in.name;
    chunker_config_of(s->job->image, &config);
    if (chunker_config_check(&config, &why) < 0) {
        /* The parameters are those of the archive, which can be cloned without the seed. */
        events_note(s->job->events, "seed %s is of no use, the archive was cut in an odd way: %s",
                    s->job->path, why.text);
        return 0;
    }
    s->sorted = chunk_table_sort_by_hash(&s->job->image->chunks, e);
    if (!s->sorted || make_hashers(s, e) < 0)
        return -1;
    note_wanted_sizes(s);
    return cut_input(fd, &config, &options, &size, e);
}

int seed_scan(const struct seed_job *job, size_t *found, struct err *e)
{
    struct scan s = {.job = job, .lock = PTHREAD_MUTEX_INITIALIZER};
    int r = scan_seed(&s, e);

    for (unsigned i = 0; s.hashers && i < job->jobs; i++)
        chunk_hasher_free(s.hashers[i]);
    free(s.hashers);
    free(s.sorted);
    *found = s.found;
    return r;
}
