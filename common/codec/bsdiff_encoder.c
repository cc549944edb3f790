/* SPDX-License-Identifier: MIT */
#include "codec/bsdiff_encoder.h"

#include "base/array.h"
#include "base/limits.h"

#include <endian.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NO_PLACE UINT32_MAX

#define HASHED        8 /* bytes that a hash is of: what is found has at least so many */
#define MIN_HASH_BITS 16
#define MAX_HASH_BITS 20
#define MAX_TRIES     32  /* places that are compared for one search */
#define LONG_ENOUGH   512 /* bytes: a longer one is not looked for */
/* Equal bytes found elsewhere must be so many more than the bytes that going on gives anyway. */
#define MIN_GAIN 8
/* Comparisons, of eight bytes each, that one byte of the content is worth in the mean. Without an
 * end of them, content that repeats itself in a base that does would take minutes. */
#define EFFORT_PER_BYTE 64

/* What is being matched with what. */
struct match {
    const uint8_t *in, *base;
    size_t size, base_size;
    const uint32_t *heads, *previous;
    unsigned hash_bits;
    uint64_t effort; /* that is left */
};

/* ---- equal bytes ---- */

static uint64_t load_eight(const uint8_t *p)
{
    uint64_t value;

    memcpy(&value, p, sizeof value);
    return le64toh(value);
}

static uint32_t hash_eight(const uint8_t *p, unsigned bits)
{
    return (uint32_t)(load_eight(p) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - bits));
}

static size_t count_equal(const uint8_t *a, const uint8_t *b, size_t most)
{
    size_t n = 0;

    for (; n + 8 <= most; n += 8) {
        uint64_t different = load_eight(a + n) ^ load_eight(b + n);

        if (different)
            return n + (size_t)__builtin_ctzll(different) / 8;
    }
    while (n < most && a[n] == b[n])
        n++;
    return n;
}

static int index_base(struct bsdiff_encoder *c, struct match *m, struct err *e)
{
    m->hash_bits = MIN_HASH_BITS;
    while (m->hash_bits < MAX_HASH_BITS && (size_t)1 << m->hash_bits < m->base_size)
        m->hash_bits++;
    if (!c->heads && !(c->heads = malloc(sizeof *c->heads << MAX_HASH_BITS)))
        return err_nomem(e, "preparing an encoder");
    if (c->previous_capacity < m->base_size) {
        free(c->previous);
        c->previous_capacity = 0;
        c->previous = malloc(m->base_size * sizeof *c->previous);
        if (!c->previous)
            return err_nomem(e, "preparing an encoder");
        c->previous_capacity = m->base_size;
    }
    memset(c->heads, 0xff, sizeof *c->heads << m->hash_bits);
    for (size_t i = 0; i + HASHED <= m->base_size; i++) {
        uint32_t *head = &c->heads[hash_eight(m->base + i, m->hash_bits)];

        c->previous[i] = *head;
        *head = (uint32_t)i;
    }
    m->heads = c->heads;
    m->previous = c->previous;
    return 0;
}

static size_t equal_at(struct match *m, size_t at, size_t place)
{
    size_t n =
        count_equal(m->in + at, m->base + place, min_size(m->size - at, m->base_size - place));

    m->effort -= min_u64(m->effort, 1 + n / 8);
    return n;
}

/* Whether there is something to look for. A run of one byte is found everywhere, and costs nothing
 * as new bytes. */
static bool is_worth_finding(const struct match *m, size_t at)
{
    return m->size - at >= HASHED &&
           load_eight(m->in + at) != m->in[at] * UINT64_C(0x0101010101010101);
}

/* How many bytes of the content at `at` are in the base, and where: at expected if nothing longer
 * is found elsewhere. */
static size_t find_longest(struct match *m, size_t at, size_t expected, size_t *place)
{
    size_t best = 0;
    uint32_t i = NO_PLACE;

    *place = 0;
    if (expected < m->base_size) {
        best = equal_at(m, at, expected);
        *place = expected;
    }
    if (best < LONG_ENOUGH && is_worth_finding(m, at))
        i = m->heads[hash_eight(m->in + at, m->hash_bits)];
    for (int tries = 0; i != NO_PLACE && tries < MAX_TRIES && m->effort > 0; tries++) {
        size_t n = equal_at(m, at, i);

        if (n > best) {
            best = n;
            *place = i;
        }
        i = best < LONG_ENOUGH ? m->previous[i] : NO_PLACE;
    }
    return best;
}

/* ---- copies with differences ---- */

/* A copy that goes on as it began: content at `at` is compared with the base at at + shift, modulo
 * 2^64 (so that what lies before the base lies beyond its end). */
struct course {
    size_t shift;
    size_t counted; /* up to here in the content */
    size_t equal;   /* so many bytes from the present position to counted are as in the base */
};

static bool goes_on(const struct match *m, size_t shift, size_t at)
{
    return at + shift < m->base_size && m->base[at + shift] == m->in[at];
}

static void course_count(const struct match *m, struct course *c, size_t end)
{
    for (; c->counted < end; c->counted++)
        c->equal += goes_on(m, c->shift, c->counted);
}

static void course_pass(const struct match *m, struct course *c, size_t at, size_t count)
{
    for (size_t i = at; i < at + count; i++)
        c->equal -= goes_on(m, c->shift, i);
}

struct found {
    size_t at, place, size;
};

/* Looks from `at` on for equal bytes that are worth to leave the course for. Returns false when
 * going on is as good. At the end of the content, what is found has no bytes. */
static bool find_better(struct match *m, size_t at, size_t shift, struct found *found)
{
    struct course course = {.shift = shift, .counted = at};

    while (at < m->size) {
        size_t place, n = find_longest(m, at, at + shift, &place);

        course_count(m, &course, at + n);
        *found = (struct found){at, place, n};
        if (n > 0 && n == course.equal)
            return false;
        if (n > course.equal + MIN_GAIN)
            return true;
        /* As far as was found, going on is nearly as good: a better place further on is found a
         * little later, and reaches back. */
        size_t pass = n >= 64 ? n / 2 : 1;
        course_count(m, &course, at + pass);
        course_pass(m, &course, at, pass);
        at += pass;
    }
    *found = (struct found){.at = m->size};
    return true;
}

/* How far a copy from place, for the content from `at` to end, has more equal bytes than not. */
static size_t reach_forward(const struct match *m, size_t at, size_t end, size_t place)
{
    size_t most = min_size(end - at, m->base_size - place), best = 0;
    int64_t score = 0, best_score = 0;

    for (size_t i = 0; i < most; i++) {
        score += m->in[at + i] == m->base[place + i] ? 1 : -1;
        if (score > best_score) {
            best_score = score;
            best = i + 1;
        }
    }
    return best;
}

/* The same backwards from found, not before start. */
static size_t reach_back(const struct match *m, size_t start, const struct found *found)
{
    size_t most = min_size(found->at - start, found->place), best = 0;
    int64_t score = 0, best_score = 0;

    for (size_t i = 1; i <= most; i++) {
        score += m->in[found->at - i] == m->base[found->place - i] ? 1 : -1;
        if (score > best_score) {
            best_score = score;
            best = i;
        }
    }
    return best;
}

/* Content from `at` on could be copied from two places, count bytes: how many from the first?
 * Where both are as good it keeps the first: otherwise, in what repeats itself, each place that is
 * found would take all that was found before, and the time grew with the square. */
static size_t split_overlap(const struct match *m, size_t at, size_t count, size_t first,
                            size_t second)
{
    int64_t score = 0, best_score = 0;
    size_t best = 0;

    for (size_t i = 0; i < count; i++) {
        score += m->in[at + i] == m->base[first + i];
        score -= m->in[at + i] == m->base[second + i];
        if (score >= best_score) {
            best_score = score;
            best = i + 1;
        }
    }
    return best;
}

static int add_step(struct bsdiff_encoder *c, size_t place, size_t copied, size_t fresh,
                    struct err *e)
{
    if (copied + fresh == 0)
        return 0;
    if (array_grow((void **)&c->steps, &c->step_capacity, c->step_count, sizeof *c->steps, e) < 0)
        return -1;
    c->steps[c->step_count++] = (struct bsdiff_step){place, copied, fresh};
    return 0;
}

/* Ends the step that began at start, with its copy from *place, where found lies; start and *place
 * become those of the next step. */
static int end_step(struct bsdiff_encoder *c, struct match *m, size_t *start, size_t *place,
                    const struct found *found, struct err *e)
{
    size_t copied = reach_forward(m, *start, found->at, *place);
    size_t back = found->size > 0 ? reach_back(m, *start, found) : 0;

    if (*start + copied > found->at - back) {
        size_t overlap = *start + copied - (found->at - back);
        size_t kept = split_overlap(m, found->at - back, overlap, *place + copied - overlap,
                                    found->place - back);

        copied -= overlap - kept;
        back -= kept;
    }
    if (add_step(c, *place, copied, found->at - back - (*start + copied), e) < 0)
        return -1;
    *start = found->at - back;
    *place = found->place - back;
    return 0;
}

static int make_steps(struct bsdiff_encoder *c, struct match *m, struct err *e)
{
    size_t at = 0, start = 0, place = 0, shift = 0;
    struct found found;

    c->step_count = 0;
    while (at < m->size) {
        if (find_better(m, at, shift, &found)) {
            if (end_step(c, m, &start, &place, &found, e) < 0)
                return -1;
            shift = found.place - found.at;
        }
        at = found.at + found.size;
    }
    /* What is left is a copy to the end, when nothing was found there. */
    return start < m->size ? end_step(c, m, &start, &place, &(struct found){.at = m->size}, e) : 0;
}

/* ---- the program ---- */

static int write_program(struct bsdiff_encoder *c, const struct match *m,
                         struct bsdiff_program *program, struct err *e)
{
    size_t at = 0, expected = 0, copied = 0;
    uint8_t *differences = c->rest, *fresh;

    for (size_t i = 0; i < c->step_count; i++)
        copied += c->steps[i].copied;
    fresh = differences + copied;
    c->control.size = 0;
    c->control.failed = false;
    for (size_t i = 0; i < c->step_count; i++) {
        struct bsdiff_step *step = &c->steps[i];

        if (step->copied == 0 && expected <= m->base_size)
            step->place = expected;
        columns_put_near(&c->control, expected, step->place);
        columns_put(&c->control, step->copied);
        columns_put(&c->control, step->fresh);
        expected = step->place + step->copied + step->fresh;
        for (size_t k = 0; k < step->copied; k++)
            *differences++ = (uint8_t)(m->in[at + k] - m->base[step->place + k]);
        at += step->copied;
        memcpy(fresh, m->in + at, step->fresh);
        fresh += step->fresh;
        at += step->fresh;
    }
    if (c->control.failed)
        return err_nomem(e, "preparing an encoder");
    *program = (struct bsdiff_program){
        .control = {c->control.data, c->control.size},
        .differences = {c->rest, copied},
        .fresh = {c->rest + copied, m->size - copied},
    };
    return 0;
}

static int find_steps(struct bsdiff_encoder *c, struct match *m, struct err *e)
{
    return index_base(c, m, e) < 0 ? -1 : make_steps(c, m, e);
}

static struct match new_match(struct delta_bytes content, struct delta_bytes base)
{
    return (struct match){.in = content.data,
                          .base = base.data,
                          .size = content.size,
                          .base_size = base.size,
                          .effort = content.size * EFFORT_PER_BYTE};
}

int bsdiff_find_steps(struct bsdiff_encoder *c, struct delta_bytes content, struct delta_bytes base,
                      struct err *e)
{
    struct match m = new_match(content, base);

    return find_steps(c, &m, e);
}

static int grow_rest(struct bsdiff_encoder *c, size_t size, struct err *e)
{
    if (size <= c->rest_capacity)
        return 0;
    free(c->rest);
    c->rest_capacity = 0;
    c->rest = malloc(size);
    if (!c->rest)
        return err_nomem(e, "preparing an encoder");
    c->rest_capacity = size;
    return 0;
}

int bsdiff_encode(struct bsdiff_encoder *c, struct delta_bytes content, struct delta_bytes base,
                  struct bsdiff_program *program, struct err *e)
{
    struct match m = new_match(content, base);

    if (find_steps(c, &m, e) < 0 || grow_rest(c, content.size, e) < 0)
        return -1;
    return write_program(c, &m, program, e);
}

void bsdiff_encoder_release(struct bsdiff_encoder *c)
{
    free(c->heads);
    free(c->previous);
    free(c->steps);
    free(c->control.data);
    free(c->rest);
    *c = (struct bsdiff_encoder){0};
}
