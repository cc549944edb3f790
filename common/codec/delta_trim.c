/* SPDX-License-Identifier: MIT */
#include "codec/delta_trim.h"

#include "base/checked.h"
#include "base/limits.h"

#include <stdbool.h>
#include <string.h>

#define MAX_BLOCKS ((size_t)(LIMIT_DELTA_BASE / DELTA_BLOCK))

/* A block from which fewer bytes are copied is not worth its place. */
#define MIN_USE 24
/* Blocks beside one that is used: zstd finds shorter matches than are looked for here. */
#define MARGIN 1
/* Blocks between two ranges that are rather read than left out, since a range has to be named. */
#define MIN_GAP 4

/* A base that is being trimmed. */
struct trim {
    const struct delta_range *ranges;
    size_t count;
    bool keep[MAX_BLOCKS]; /* by block of the base */
};

static void count_uses(const struct bsdiff_encoder *steps, uint32_t *uses)
{
    for (size_t i = 0; i < steps->step_count; i++) {
        size_t place = steps->steps[i].place, end = place + steps->steps[i].copied;

        while (place < end) {
            size_t block = place / DELTA_BLOCK;
            size_t part = min_size(end, (block + 1) * DELTA_BLOCK) - place;

            uses[block] += (uint32_t)part;
            place += part;
        }
    }
}

/* Marks what is used of the count blocks from first on, which are one range, and its margins. */
static void keep_used(struct trim *t, const uint32_t *uses, size_t first, size_t count)
{
    size_t end = first + count;

    for (size_t i = first; i < end; i++) {
        size_t low = i < first + MARGIN ? first : i - MARGIN;

        for (size_t k = low; uses[i] >= MIN_USE && k < end && k <= i + MARGIN; k++)
            t->keep[k] = true;
    }
}

/* Keeps as well what lies between two blocks of a range that are kept, if it has at most gap
 * blocks. Returns how many ranges there are then. */
static size_t close_gaps(struct trim *t, size_t gap)
{
    size_t block = 0, ranges = 0;

    for (size_t i = 0; i < t->count; i++) {
        size_t end = block + t->ranges[i].count, last = SIZE_MAX;

        for (; block < end; block++) {
            if (!t->keep[block])
                continue;
            if (last == SIZE_MAX || block - last - 1 > gap)
                ranges++;
            else
                memset(&t->keep[last], true, block - last);
            last = block;
        }
    }
    return ranges;
}

/* Writes the ranges that are kept to out. */
static size_t cut_ranges(const struct trim *t, struct delta_range *out)
{
    size_t block = 0, n = 0;

    for (size_t i = 0; i < t->count; i++)
        for (uint32_t k = 0; k < t->ranges[i].count; k++, block++) {
            if (!t->keep[block])
                continue;
            if (k == 0 || !t->keep[block - 1])
                out[n++] = (struct delta_range){.block = t->ranges[i].block + k};
            out[n - 1].count++;
        }
    return n;
}

/* Moves the bytes that are kept together; returns how many they are. */
static size_t cut_bytes(const struct trim *t, uint8_t *base, size_t size)
{
    size_t kept = 0;

    for (size_t at = 0; at < size; at += DELTA_BLOCK) {
        size_t part = min_size(size - at, DELTA_BLOCK);

        if (!t->keep[at / DELTA_BLOCK])
            continue;
        memmove(base + kept, base + at, part);
        kept += part;
    }
    return kept;
}

void delta_trim(const struct bsdiff_encoder *steps, struct delta_base_bytes *base)
{
    struct delta_range cut[LIMIT_DELTA_RANGES];
    struct trim t = {.ranges = base->ranges, .count = base->count};
    uint32_t uses[MAX_BLOCKS] = {0};
    size_t first = 0, gap = MIN_GAP;

    count_uses(steps, uses);
    for (size_t i = 0; i < base->count; i++) {
        keep_used(&t, uses, first, base->ranges[i].count);
        first += base->ranges[i].count;
    }
    while (close_gaps(&t, gap) > LIMIT_DELTA_RANGES)
        gap *= 2;
    base->size = cut_bytes(&t, base->data, base->size);
    base->count = cut_ranges(&t, cut);
    memcpy(base->ranges, cut, base->count * sizeof *cut);
}
