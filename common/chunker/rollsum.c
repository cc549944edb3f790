/* SPDX-License-Identifier: MIT */
/* RollSum: the sum of rsync and bup, as bita 0.15 has it.
 *
 * With w bytes b[0] (oldest) .. b[w - 1] in the window:
 *
 *     s1 = 31 * w + sum of b[i]
 *     s2 = 31 * w * (w - 1) + sum of (w - i) * b[i]
 *     sum = s1 << 16 | (s2 & 0xffff)
 *
 * Zeros stand before the input. The step that takes one byte in and another out is
 *
 *     s1 += in - out        s2 += s1 - w * (out + 31)
 *
 * Only the low 16 bits of s1 and s2 reach the sum, so only these are kept, and the loop rolls
 * over 16 bytes at a time with prefix sums. It uses the vectors of the compiler, so it is fast
 * on every machine that has vector instructions.
 */
#include "chunker/rolling.h"

#include <string.h>

#define OFFSET 31
#define LANES  8
#define STEP   (2 * LANES)

typedef uint8_t bytes __attribute__((vector_size(STEP)));
typedef uint16_t lanes __attribute__((vector_size(STEP)));
typedef uint64_t halves __attribute__((vector_size(STEP)));

/* A vector of any elements of a and b, where those of b are numbered after those of a. */
#ifdef __clang__
#define SHUFFLE(type, a, b, ...) __builtin_shufflevector((a), (b), __VA_ARGS__)
#else
#define SHUFFLE(type, a, b, ...) __builtin_shuffle((a), (b), (type){__VA_ARGS__})
#endif

static uint32_t join(uint16_t s1, uint16_t s2)
{
    return (uint32_t)s1 << 16 | s2;
}

static uint32_t rollsum_sum(const struct rolling *r, const uint8_t *data)
{
    uint32_t s1 = OFFSET * r->window, s2 = OFFSET * r->window * (r->window - 1);

    for (uint32_t weight = r->window; weight > 0; weight--) {
        s1 += *(data - weight);
        s2 += weight * *(data - weight);
    }
    return join((uint16_t)s1, (uint16_t)s2);
}

/* Puts each byte into a lane of its own, whose upper byte is zero. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WIDEN(v, ...) SHUFFLE(bytes, (v), (bytes){0}, __VA_ARGS__)
#else
#define WIDEN(v, ...) SHUFFLE(bytes, (bytes){0}, (v), __VA_ARGS__)
#endif

static inline void load(const uint8_t *data, lanes v[2])
{
    bytes b;

    memcpy(&b, data, sizeof b);
    v[0] = (lanes)WIDEN(b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    v[1] = (lanes)WIDEN(b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/* Replaces lane i by the sum of lanes 0 .. i. */
static inline lanes prefix_sum(lanes v)
{
    const lanes zero = {0};

    v += SHUFFLE(lanes, zero, v, 0, 8, 9, 10, 11, 12, 13, 14);
    v += SHUFFLE(lanes, zero, v, 0, 0, 8, 9, 10, 11, 12, 13);
    v += SHUFFLE(lanes, zero, v, 0, 0, 0, 0, 8, 9, 10, 11);
    return v;
}

static inline lanes last(lanes v)
{
    return SHUFFLE(lanes, v, v, 7, 7, 7, 7, 7, 7, 7, 7);
}

static inline bool any(lanes v)
{
    halves h = (halves)v;

    return (h[0] | h[1]) != 0;
}

static size_t roll_one_by_one(const struct rolling *r, uint32_t *sum, const uint8_t *data,
                              size_t size, bool *hit)
{
    uint32_t s1 = *sum >> 16, s2 = *sum;
    size_t i = 0;

    while (i < size && !*hit) {
        uint32_t out = *(data + i - r->window);

        s1 += data[i++] - out;
        s2 += s1 - r->window * (out + OFFSET);
        *sum = join((uint16_t)s1, (uint16_t)s2);
        *hit = (*sum & r->mask) == r->mask;
    }
    return i;
}

static size_t rollsum_roll(const struct rolling *r, uint32_t *sum, const uint8_t *data, size_t size,
                           bool *hit)
{
    const lanes zero = {0};
    const lanes window = zero + (uint16_t)r->window, each = zero + (uint16_t)(OFFSET * r->window);
    const lanes mask1 = zero + (uint16_t)(r->mask >> 16), mask2 = zero + (uint16_t)r->mask;
    lanes last1 = zero + (uint16_t)(*sum >> 16), last2 = zero + (uint16_t)*sum;
    size_t i;

    *hit = false;
    for (i = 0; size - i >= STEP; i += STEP) {
        lanes in[2], out[2], s1[2], s2[2];

        load(data + i, in);
        load(data + i - r->window, out);
        s1[0] = prefix_sum(in[0] - out[0]) + last1;
        s1[1] = prefix_sum(in[1] - out[1]) + last(s1[0]);
        s2[0] = prefix_sum(s1[0] - out[0] * window - each) + last2;
        s2[1] = prefix_sum(s1[1] - out[1] * window - each) + last(s2[0]);
        if (any((((s1[0] & mask1) == mask1) & ((s2[0] & mask2) == mask2)) |
                (((s1[1] & mask1) == mask1) & ((s2[1] & mask2) == mask2))))
            break;
        last1 = last(s1[1]);
        last2 = last(s2[1]);
    }
    *sum = join(last1[0], last2[0]);
    /* The 16 bytes with a boundary in them, or the bytes that are left at the end. */
    return i + roll_one_by_one(r, sum, data + i, size - i, hit);
}

const struct rolling_ops rollsum_ops = {.sum = rollsum_sum, .roll = rollsum_roll};
