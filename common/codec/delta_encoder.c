/* SPDX-License-Identifier: MIT */
#include "codec/delta_encoder.h"

#include "base/checked.h"
#include "base/limits.h"
#include "codec/bsdiff_decoder.h"
#include "codec/bsdiff_encoder.h"
#include "codec/delta_trim.h"
#include "codec/encoder.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

/* zstd at the light level takes a tenth of the time that it takes at the heavy one, and tells which
 * of the candidates are worth that: those that are at most so many percent larger than the
 * smallest. Some deltas, mostly zeros, are smaller at the light level. */
#define LIGHT_LEVEL  9
#define HEAVY_LEVEL  19
#define WORTH_TRYING 5

/* A delta of fewer bytes is hardly worth the time that a smaller one takes. */
#define SMALL_ENOUGH 64

/* After chunks larger than this many bytes the memory that they took is freed. */
#define LARGE_CHUNK (4 * MIB)

/* Of zstd's window. The largest holds any base and 12 MiB; tables and buffers grow with it. */
#define MIN_WINDOW_BITS 18
#define MAX_WINDOW_BITS 24

struct delta_encoder {
    ZSTD_CCtx *zstd;
    struct bsdiff_encoder bsdiff;
    uint8_t *best, *next; /* capacity bytes each: the smallest delta yet, and another one */
    size_t capacity;
};

struct delta_encoder *delta_encoder_new(struct err *e)
{
    struct delta_encoder *c = calloc(1, sizeof *c);

    if (c)
        c->zstd = ZSTD_createCCtx();
    if (!c || !c->zstd) {
        free(c);
        err_nomem(e, "preparing an encoder");
        return NULL;
    }
    return c;
}

static void free_deltas(struct delta_encoder *c)
{
    free(c->best);
    free(c->next);
    c->best = c->next = NULL;
    c->capacity = 0;
}

void delta_encoder_free(struct delta_encoder *c)
{
    if (!c)
        return;
    ZSTD_freeCCtx(c->zstd);
    bsdiff_encoder_release(&c->bsdiff);
    free_deltas(c);
    free(c);
}

int delta_encoder_trim(struct delta_encoder *c, struct delta_bytes content,
                       struct delta_base_bytes *base, struct err *e)
{
    const struct delta_bytes bytes = {base->data, base->size};

    if (bsdiff_find_steps(&c->bsdiff, content, bytes, e) < 0)
        return -1;
    delta_trim(&c->bsdiff, base);
    return 0;
}

static int grow_deltas(struct delta_encoder *c, size_t size, struct err *e)
{
    if (c->capacity > LARGE_CHUNK && size <= LARGE_CHUNK)
        free_deltas(c);
    if (size <= c->capacity)
        return 0;
    free_deltas(c);
    c->best = malloc(size);
    c->next = malloc(size);
    if (!c->best || !c->next)
        return err_nomem(e, "preparing an encoder");
    c->capacity = size;
    return 0;
}

/* ---- zstd frames ---- */

/* One frame: the content in parts, each of which begins blocks of its own, against a prefix. */
struct frame_job {
    struct delta_bytes prefix, parts[3];
    size_t part_count;
};

static size_t frame_content(const struct frame_job *job)
{
    size_t size = 0;

    for (size_t i = 0; i < job->part_count; i++)
        size += job->parts[i].size;
    return size;
}

/* The smallest window that holds everything, if it may: what the last byte refers to may be the
 * base's first. A decoder of ours needs none, but another one may. */
static int frame_window_bits(size_t size)
{
    int bits = MIN_WINDOW_BITS;

    while (bits < MAX_WINDOW_BITS && (size_t)1 << bits < size)
        bits++;
    return bits;
}

/* The content's size is left out, because the chunk table has it. */
static bool set_frame_parameters(ZSTD_CCtx *zstd, const struct frame_job *job, int level)
{
    size_t content = frame_content(job);
    int window = frame_window_bits(content + job->prefix.size);

    return !ZSTD_isError(ZSTD_CCtx_reset(zstd, ZSTD_reset_session_and_parameters)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, level)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, window)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 0)) &&
           !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(zstd, content)) &&
           !ZSTD_isError(ZSTD_CCtx_refPrefix(zstd, job->prefix.data, job->prefix.size));
}

/* In one call, for which zstd copies no content. */
static enum encoded encode_whole(struct delta_encoder *c, const struct delta_bytes *content,
                                 size_t capacity, size_t *size)
{
    *size = ZSTD_compress2(c->zstd, c->next, capacity, content->data, content->size);
    if (!ZSTD_isError(*size))
        return ENCODED_FITS;
    return ZSTD_getErrorCode(*size) == ZSTD_error_dstSize_tooSmall ? ENCODED_TOO_LONG
                                                                   : ENCODED_FAILED;
}

static enum encoded encode_parts(struct delta_encoder *c, const struct frame_job *job,
                                 size_t capacity, size_t *size)
{
    ZSTD_outBuffer to = {c->next, capacity, 0};

    for (size_t i = 0; i < job->part_count; i++) {
        ZSTD_inBuffer from = {job->parts[i].data, job->parts[i].size, 0};
        bool last = i + 1 == job->part_count;
        size_t left;

        do {
            left = ZSTD_compressStream2(c->zstd, &to, &from, last ? ZSTD_e_end : ZSTD_e_flush);
            if (ZSTD_isError(left))
                return ENCODED_FAILED;
        } while (left > 0 && to.pos < to.size);
        if (left > 0)
            return ENCODED_TOO_LONG;
    }
    *size = to.pos;
    return ENCODED_FITS;
}

static enum encoded encode_frame(struct delta_encoder *c, const struct frame_job *job, int level,
                                 size_t *size)
{
    if (!set_frame_parameters(c->zstd, job, level))
        return ENCODED_FAILED;
    return job->part_count == 1 ? encode_whole(c, &job->parts[0], c->capacity, size)
                                : encode_parts(c, job, c->capacity, size);
}

/* ---- the choice ---- */

/* A way to encode, and how many bytes it gives at the light level: SIZE_MAX when they are many. */
struct candidate {
    enum delta_codec codec;
    struct frame_job job;
    size_t light;
};

/* Encodes, and keeps the delta as the best if it is smaller than that and than below. */
static int try_candidate(struct delta_encoder *c, const struct candidate *candidate, int level,
                         struct delta_encoded *best, size_t below, size_t *size, struct err *e)
{
    enum encoded r = encode_frame(c, &candidate->job, level, size);
    uint8_t *taken = c->next;

    if (r == ENCODED_FAILED)
        return err_nomem(e, "encoding a delta");
    if (r == ENCODED_TOO_LONG)
        *size = SIZE_MAX;
    if (*size >= (best->size > 0 ? best->size : below))
        return 0;
    c->next = c->best;
    c->best = taken;
    *best = (struct delta_encoded){candidate->codec, taken, *size};
    return 0;
}

/* Fills what there is to try, at most three; *count says how many. */
static int list_candidates(struct delta_encoder *c, struct delta_bytes content,
                           struct delta_bytes base, struct candidate *list, size_t *count,
                           struct err *e)
{
    struct bsdiff_program p;
    struct frame_job job = {.part_count = 3};

    list[0] =
        (struct candidate){DELTA_ZSTD, {.prefix = base, .parts = {content}, .part_count = 1}, 0};
    *count = 1;
    if (base.size == 0 || content.size > LIMIT_DELTA_BSDIFF)
        return 0;
    if (bsdiff_encode(&c->bsdiff, content, base, &p, e) < 0)
        return -1;
    if (p.control.size > bsdiff_control_limit(content.size))
        return 0;
    job.parts[0] = p.control;
    job.parts[1] = p.differences;
    job.parts[2] = p.fresh;
    list[1] = (struct candidate){DELTA_BSDIFF, job, 0};
    job.prefix = base;
    list[2] = (struct candidate){DELTA_BSDIFF, job, 0};
    *count = 3;
    return 0;
}

/* The prefix of a program costs time, and often serves for nothing. */
static void drop_one_program(struct candidate *list, size_t *count)
{
    if (*count < 3)
        return;
    if (list[2].light < list[1].light - list[1].light / 100)
        list[1] = list[2];
    *count = 2;
}

static bool is_worth_trying(const struct candidate *candidate, size_t smallest, size_t content)
{
    if (candidate->job.prefix.size == 0 && candidate->codec == DELTA_ZSTD && smallest >= content)
        return false; /* cannot be compressed, and there is no base */
    return smallest == SIZE_MAX || candidate->light <= smallest + smallest / 100 * WORTH_TRYING;
}

static int choose_delta(struct delta_encoder *c, struct candidate *list, size_t count, size_t below,
                        struct delta_encoded *best, struct err *e)
{
    size_t smallest = SIZE_MAX, size, content = list[0].job.parts[0].size;

    for (size_t i = 0; i < count; i++) {
        if (try_candidate(c, &list[i], LIGHT_LEVEL, best, below, &list[i].light, e) < 0)
            return -1;
        smallest = min_size(smallest, list[i].light);
    }
    drop_one_program(list, &count);
    for (size_t i = 0; i < count; i++)
        if ((best->size == 0 || best->size >= SMALL_ENOUGH) &&
            is_worth_trying(&list[i], smallest, content) &&
            try_candidate(c, &list[i], HEAVY_LEVEL, best, below, &size, e) < 0)
            return -1;
    return 0;
}

int delta_encoder_run(struct delta_encoder *c, struct delta_bytes content, struct delta_bytes base,
                      size_t below, struct delta_encoded *result, struct err *e)
{
    struct delta_encoded best = {DELTA_ZSTD, NULL, 0};
    struct candidate list[3];
    size_t count;

    /* Room for more than below: what is too long at the light level may not be at the heavy one. */
    if (grow_deltas(c, below + below / 8 + 64, e) < 0 ||
        list_candidates(c, content, base, list, &count, e) < 0 ||
        choose_delta(c, list, count, below, &best, e) < 0)
        return -1;
    *result = best;
    return 0;
}
