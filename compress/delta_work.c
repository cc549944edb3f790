/* SPDX-License-Identifier: MIT */
#include "compress/delta_work.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/workers.h"
#include "codec/delta_decoder.h"

#include <stdlib.h>
#include <string.h>

/* After a chunk larger than this many bytes a thread frees the memory that encoding took. */
#define LARGE_CHUNK (4 * MIB)

struct working {
    const struct delta_work *work;

    pthread_mutex_t lock; /* protects all below */
    size_t next;
    struct delta_progress done;
};

/* What a thread has. */
struct delta_worker {
    struct chunk_decoder decoder;
    struct delta_encoder *encoder;
    struct delta_scratch scratch;
    uint8_t *base;  /* LIMIT_DELTA_BASE bytes, of which few are touched as a rule */
    uint8_t *bytes; /* what the archive has for the chunk */
    size_t bytes_size;
    uint8_t *best; /* the best delta so far */
    size_t best_size;
    struct delta_decoder check;
    uint8_t *decoded; /* what a device makes of it */
    size_t decoded_size;
};

static int worker_open(struct delta_worker *m, const struct image *image, struct err *e)
{
    *m = (struct delta_worker){.base = malloc(LIMIT_DELTA_BASE)};
    if (!m->base)
        return err_nomem(e, "making deltas");
    if (chunk_decoder_init(&m->decoder, image, e) < 0)
        return -1;
    delta_decoder_init(&m->check);
    m->encoder = delta_encoder_new(e);
    return m->encoder ? 0 : -1;
}

static void maker_close(struct delta_worker *m)
{
    if (m->decoder.image)
        chunk_decoder_release(&m->decoder);
    delta_encoder_free(m->encoder);
    delta_scratch_free(&m->scratch);
    free(m->base);
    free(m->bytes);
    free(m->best);
    delta_decoder_release(&m->check);
    free(m->decoded);
}

static int grow_buffer(uint8_t **buffer, size_t *capacity, size_t size, struct err *e)
{
    if (size <= *capacity)
        return 0;
    free(*buffer);
    *capacity = 0;
    *buffer = malloc(size);
    if (!*buffer)
        return err_nomem(e, "making a delta");
    *capacity = size;
    return 0;
}

/* Reads the ranges of a base, one behind the other. */
static int read_base(const struct old_image *old, struct delta_base_bytes *base, struct err *e)
{
    base->size = 0;
    for (size_t i = 0; i < base->count; i++) {
        size_t part;
        uint64_t offset = delta_range_place(&base->ranges[i], old->image->source_size, &part);

        if (old_image_read(old, offset, part, base->data + base->size, e) < 0)
            return -1;
        base->size += part;
    }
    return 0;
}

/* Whether a device gets the content out of the delta: what libraries and hardware have done to it
 * nobody else would notice before. */
static int check_delta(struct delta_worker *m, struct delta_bytes content, struct delta_bytes base,
                       const struct delta_encoded *delta, bool *good, struct err *e)
{
    struct err why = ERR_INIT;

    *good = false;
    if (grow_buffer(&m->decoded, &m->decoded_size, content.size, e) < 0)
        return -1;
    if (delta_decoder_run(&m->check, delta->codec, (struct delta_bytes){delta->data, delta->size},
                          base, m->decoded, content.size, &why) == 0)
        *good = memcmp(m->decoded, content.data, content.size) == 0;
    if (why.kind != ERR_MEMORY)
        return 0;
    *e = why;
    return -1;
}

/* Makes the smallest delta against a base. It is kept when there is none better yet. */
static int try_base(const struct delta_work *work, struct delta_worker *m,
                    const struct delta_target *target, const struct delta_base *base, bool trim,
                    struct delta_made *made, struct err *e)
{
    const struct delta_bytes content = {target->content, target->size};
    struct delta_base tried = *base;
    struct delta_base_bytes bytes = {.data = m->base, .ranges = tried.ranges, .count = tried.count};
    struct delta_encoded encoded;
    bool good;

    if (read_base(work->chooser->old, &bytes, e) < 0 ||
        (trim && delta_encoder_trim(m->encoder, content, &bytes, e) < 0) ||
        delta_encoder_run(m->encoder, content, (struct delta_bytes){bytes.data, bytes.size},
                          made->size, &encoded, e) < 0)
        return -1;
    if (encoded.size == 0)
        return 0;
    if (check_delta(m, content, (struct delta_bytes){bytes.data, bytes.size}, &encoded, &good, e) <
        0)
        return -1;
    if (!good)
        return 0;
    if (grow_buffer(&m->best, &m->best_size, encoded.size, e) < 0)
        return -1;
    memcpy(m->best, encoded.data, encoded.size);
    tried.count = bytes.count;
    made->codec = encoded.codec;
    made->base = tried;
    made->data = m->best;
    made->size = encoded.size;
    return 0;
}

/* Fills what is to be known of the delta of a chunk with this content. Encoding against a trimmed
 * base is fast, and a device reads less. But compressed content (an initrd) has pieces so short in
 * common with an older one that trimming leaves nothing of the base: then the whole is tried. */
static int encode_delta(const struct delta_work *work, struct delta_worker *m,
                        const struct delta_target *target, struct delta_made *made, struct err *e)
{
    struct delta_base base;

    made->codec = DELTA_COPY;
    made->data = m->bytes;
    made->size = work->new->image.chunks.items[made->chunk].archive_size;
    if (delta_base_choose(work->chooser, &m->scratch, target, &base, e) < 0 ||
        try_base(work, m, target, &base, true, made, e) < 0)
        return -1;
    return made->codec == DELTA_COPY ? try_base(work, m, target, &base, false, made, e) : 0;
}

static int make_delta(const struct delta_work *work, struct delta_worker *m, size_t i,
                      struct err *e)
{
    const struct image *image = &work->new->image;
    struct delta_made made = {.chunk = work->chunks[i]};
    const struct chunk *chunk = &image->chunks.items[made.chunk];
    struct delta_target target = {.offset = chunk_places_first(work->new_places, made.chunk),
                                  .size = chunk->source_size};

    if (grow_buffer(&m->bytes, &m->bytes_size, chunk->archive_size, e) < 0 ||
        chunk_source_read(work->new, chunk->archive_offset, chunk->archive_size, m->bytes, e) < 0 ||
        chunk_source_decode(work->new, &m->decoder, made.chunk, m->bytes, &target.content, e) < 0 ||
        encode_delta(work, m, &target, &made, e) < 0)
        return -1;
    return work->made(work->user, i, &made, e);
}

static void trim_maker(struct delta_worker *m, const struct image *image, size_t chunk)
{
    chunk_decoder_trim(&m->decoder, chunk_decoder_cost(image, chunk));
    if (image->chunks.items[chunk].source_size > LARGE_CHUNK)
        delta_scratch_free(&m->scratch);
}

/* SIZE_MAX when nothing is left. */
static size_t take_next(struct working *w)
{
    LOCK_SCOPE(&w->lock);

    return w->next < w->work->count ? w->next++ : SIZE_MAX;
}

static uint32_t stored_size(const struct delta_work *work, size_t i)
{
    return work->new->image.chunks.items[work->chunks[i]].archive_size;
}

static void count_done(struct working *w, size_t i)
{
    LOCK_SCOPE(&w->lock);

    w->done.chunks++;
    w->done.bytes += stored_size(w->work, i);
    w->work->progress(w->work->user, &w->done);
}

/* After a failure nothing more is begun. */
static void end_work(struct working *w)
{
    LOCK_SCOPE(&w->lock);

    w->next = w->work->count;
    w->work->failed(w->work->user);
}

static int run_maker(void *user, unsigned number, struct err *e)
{
    struct working *w = user;
    struct delta_worker m;
    int r = worker_open(&m, &w->work->new->image, e);
    size_t i;

    (void)number;
    while (r == 0 && (i = take_next(w)) != SIZE_MAX) {
        r = make_delta(w->work, &m, i, e);
        trim_maker(&m, &w->work->new->image, w->work->chunks[i]);
        if (r == 0)
            count_done(w, i);
    }
    if (r < 0)
        end_work(w);
    maker_close(&m);
    return r;
}

int delta_work_run(const struct delta_work *work, struct err *e)
{
    struct working w = {.work = work, .done = {.chunks_total = work->count}};
    int r;

    for (size_t i = 0; i < work->count; i++)
        w.done.bytes_total += stored_size(work, i);

    pthread_mutex_init(&w.lock, NULL);
    r = workers_run(work->jobs, run_maker, &w, e);
    pthread_mutex_destroy(&w.lock);
    return r;
}
