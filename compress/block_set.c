/* SPDX-License-Identifier: MIT */
#include "compress/block_set.h"

#include "base/checked.h"

#include <stdbool.h>
#include <string.h>

static void remove_spans(struct block_set *s, size_t at, size_t count)
{
    for (size_t i = at; i < at + count; i++)
        s->blocks -= s->spans[i].end - s->spans[i].first;
    memmove(s->spans + at, s->spans + at + count, (s->count - at - count) * sizeof *s->spans);
    s->count -= count;
}

void block_set_add(struct block_set *s, uint32_t first, uint32_t end)
{
    size_t at = 0, touched = 0;

    if (first >= end)
        return;
    while (at < s->count && s->spans[at].end < first)
        at++;
    while (at + touched < s->count && s->spans[at + touched].first <= end) {
        const struct block_span *span = &s->spans[at + touched++];

        first = span->first < first ? span->first : first;
        end = span->end > end ? span->end : end;
    }
    if (touched == 0 && s->count == BLOCK_SET_MAX)
        return;
    remove_spans(s, at, touched);
    memmove(s->spans + at + 1, s->spans + at, (s->count - at) * sizeof *s->spans);
    s->spans[at] = (struct block_span){first, end};
    s->count++;
    s->blocks += end - first;
}

/* The gap between the span and the next one. */
static uint64_t gap_behind(const struct block_set *s, size_t i)
{
    return s->spans[i + 1].first - s->spans[i].end;
}

static void join_smallest_gap(struct block_set *s)
{
    size_t best = 0;

    for (size_t i = 1; i + 1 < s->count; i++)
        if (gap_behind(s, i) < gap_behind(s, best))
            best = i;
    block_set_add(s, s->spans[best].end, s->spans[best + 1].first);
}

static void drop_smallest_span(struct block_set *s)
{
    size_t best = 0;

    for (size_t i = 1; i < s->count; i++)
        if (s->spans[i].end - s->spans[i].first < s->spans[best].end - s->spans[best].first)
            best = i;
    remove_spans(s, best, 1);
}

static uint64_t smallest_gap(const struct block_set *s)
{
    uint64_t least = UINT64_MAX;

    for (size_t i = 0; i + 1 < s->count; i++)
        least = min_u64(least, gap_behind(s, i));
    return least;
}

void block_set_reduce(struct block_set *s, size_t spans, uint64_t blocks)
{
    while (s->count > spans && s->blocks + smallest_gap(s) <= blocks)
        join_smallest_gap(s);
    while (s->count > spans || (s->count > 1 && s->blocks > blocks))
        drop_smallest_span(s);
    if (s->blocks > blocks) {
        s->spans[0].end = s->spans[0].first + (uint32_t)blocks;
        s->blocks = blocks;
    }
}

uint64_t block_set_common(const struct block_set *s, uint32_t first, uint32_t end)
{
    uint64_t common = 0;

    for (size_t i = 0; i < s->count; i++) {
        uint32_t from = s->spans[i].first > first ? s->spans[i].first : first;
        uint32_t to = s->spans[i].end < end ? s->spans[i].end : end;

        common += from < to ? to - from : 0;
    }
    return common;
}
