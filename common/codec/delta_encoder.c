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

#define LEVEL 19

/* A delta of fewer bytes is hardly worth the time that a smaller one takes. */
#define SMALL_ENOUGH 64

#define MIN_WINDOW_BITS 18
#define MAX_WINDOW_BITS 27 /* base and content have 68 MiB at most */

struct delta_encoder {
    ZSTD_CCtx *zstd;
    struct bsdiff_encoder bsdiff;
    uint8_t *best, *next; /* capacity bytes each */
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

void delta_encoder_free(struct delta_encoder *c)
{
    if (!c)
        return;
    ZSTD_freeCCtx(c->zstd);
    bsdiff_encoder_release(&c->bsdiff);
    free(c->best);
    free(c->next);
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
    if (size <= c->capacity)
        return 0;
    free(c->best);
    free(c->next);
    c->best = malloc(size);
    c->next = malloc(size);
    c->capacity = c->best && c->next ? size : 0;
    return c->capacity ? 0 : err_nomem(e, "preparing an encoder");
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

/* The smallest window that holds everything: what the last byte refers to may be the base's first.
 * A decoder of ours needs none, but another one may. */
static int frame_window_bits(size_t size)
{
    int bits = MIN_WINDOW_BITS;

    while (bits < MAX_WINDOW_BITS && (size_t)1 << bits < size)
        bits++;
    return bits;
}

/* The content's size is left out, because the chunk table has it. */
static bool set_frame_parameters(ZSTD_CCtx *zstd, const struct frame_job *job)
{
    size_t content = frame_content(job);
    int window = frame_window_bits(content + job->prefix.size);

    return !ZSTD_isError(ZSTD_CCtx_reset(zstd, ZSTD_reset_session_and_parameters)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, LEVEL)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, window)) &&
           !ZSTD_isError(ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 0)) &&
           !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(zstd, content)) &&
           !ZSTD_isError(ZSTD_CCtx_refPrefix(zstd, job->prefix.data, job->prefix.size));
}

static enum encoded encode_frame(struct delta_encoder *c, const struct frame_job *job,
                                 size_t capacity, size_t *size)
{
    ZSTD_outBuffer to = {c->next, capacity, 0};

    if (!set_frame_parameters(c->zstd, job))
        return ENCODED_FAILED;
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

/* ---- the choice ---- */

/* Encodes a frame, and keeps it as the result if it is smaller than that and smaller than below. */
static int try_frame(struct delta_encoder *c, enum delta_codec codec, const struct frame_job *job,
                     size_t below, struct delta_encoded *result, struct err *e)
{
    size_t limit = result->size > 0 ? result->size : below, size;
    enum encoded r = limit > 1 ? encode_frame(c, job, limit - 1, &size) : ENCODED_TOO_LONG;
    uint8_t *taken;

    if (r == ENCODED_FAILED)
        return err_nomem(e, "encoding a delta");
    if (r == ENCODED_TOO_LONG)
        return 0;
    taken = c->next;
    c->next = c->best;
    c->best = taken;
    *result = (struct delta_encoded){codec, taken, size};
    return 0;
}

static int try_bsdiff(struct delta_encoder *c, struct delta_bytes content, struct delta_bytes base,
                      size_t below, struct delta_encoded *result, struct err *e)
{
    struct bsdiff_program program;

    if (content.size > LIMIT_DELTA_BSDIFF || base.size == 0)
        return 0;
    if (bsdiff_encode(&c->bsdiff, content, base, &program, e) < 0)
        return -1;
    if (program.control.size > bsdiff_control_limit(content.size))
        return 0;
    return try_frame(c, DELTA_BSDIFF,
                     &(struct frame_job){
                         .parts = {program.control, program.differences, program.fresh},
                         .part_count = 3,
                     },
                     below, result, e);
}

int delta_encoder_run(struct delta_encoder *c, struct delta_bytes content, struct delta_bytes base,
                      size_t below, struct delta_encoded *result, struct err *e)
{
    struct delta_encoded best = {DELTA_ZSTD, NULL, 0};
    struct frame_job prefixed = {.prefix = base, .parts = {content}, .part_count = 1};

    if (grow_deltas(c, below, e) < 0 || try_bsdiff(c, content, base, below, &best, e) < 0)
        return -1;
    if ((best.size == 0 || best.size >= SMALL_ENOUGH) &&
        try_frame(c, DELTA_ZSTD, &prefixed, below, &best, e) < 0)
        return -1;
    *result = best;
    return 0;
}
