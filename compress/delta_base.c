/* SPDX-License-Identifier: MIT */
#include "compress/delta_base.h"

#include "base/array.h"
#include "base/checked.h"
#include "compress/block_set.h"

#include <stdlib.h>
#include <string.h>

/* In blocks. A base that is larger than it need be makes deltas larger, too: what they refer to
 * lies farther away. */
#define POSITION_BLOCKS 16  /* around the place where the chunk would be, at least */
#define GAP_BLOCKS      32  /* all that lies between two anchors, if it is not more */
#define HOLE_BLOCKS     4   /* a shorter run of zeros is not worth leaving out */
#define WINDOW_BLOCKS   16  /* in which shingles are counted */
#define PAD_BLOCKS      3   /* before and behind what was found */
#define SIMILAR_BLOCKS  160 /* of all windows together */

#define WINDOWS    12 /* that are looked for */
#define PLACES     8  /* a shingle that is in more places tells nothing */
#define LEAST_GAIN 2  /* shingles that a window must have more than the others */

struct sighting {
    uint32_t block, shingle;
};

void delta_scratch_free(struct delta_scratch *s)
{
    shingle_list_free(&s->shingles);
    free(s->sightings);
    free(s->seen);
    *s = (struct delta_scratch){0};
}

/* ---- position ---- */

/* Adds the blocks from first to end that have data. */
static void add_data(const struct old_image *old, struct block_set *set, uint64_t first,
                     uint64_t end)
{
    uint64_t begin, data = first;

    end = min_u64(end, old_image_blocks(old));
    while (data < end) {
        uint64_t zeros = 0;

        while (data < end && !old_image_has_data(old, data))
            data++;
        begin = data;
        for (; data < end && zeros < HOLE_BLOCKS; data++)
            zeros = old_image_has_data(old, data) ? 0 : zeros + 1;
        block_set_add(set, (uint32_t)begin, (uint32_t)(data - zeros));
    }
}

/* Adds what lies around the place where a chunk of this size would be. */
static void add_around(const struct old_image *old, struct block_set *set, uint64_t offset,
                       uint64_t size)
{
    uint64_t window = max_u64(POSITION_BLOCKS * DELTA_BLOCK, size + size / 4);
    uint64_t before = (window - size) / 2;
    uint64_t from = offset > before ? offset - before : 0;

    add_data(old, set, from / DELTA_BLOCK, (from + window + DELTA_BLOCK - 1) / DELTA_BLOCK);
}

/* Where the anchor says that the offset of the new image is in the old one. False: outside. */
static bool follow_anchor(const struct anchor *a, uint64_t new_offset, uint64_t *offset)
{
    if (!a || a->old_offset + new_offset < a->new_offset)
        return false;
    *offset = a->old_offset + new_offset - a->new_offset;
    return true;
}

static void add_position(const struct delta_chooser *c, const struct delta_target *t,
                         struct block_set *set)
{
    const struct anchor *before, *behind;
    uint64_t by_before, by_behind, end;

    anchors_around(c->anchors, t->offset, &before, &behind);
    if (before && behind && before->old_offset < behind->old_offset) {
        uint64_t first = (before->old_offset + before->size) / DELTA_BLOCK;

        end = (behind->old_offset + DELTA_BLOCK - 1) / DELTA_BLOCK;
        if (end - first <= GAP_BLOCKS && (end - first) * DELTA_BLOCK >= t->size) {
            add_data(c->old, set, first, end);
            return;
        }
    }
    if (follow_anchor(before, t->offset, &by_before))
        add_around(c->old, set, by_before, t->size);
    if (follow_anchor(behind, t->offset, &by_behind))
        add_around(c->old, set, by_behind, t->size);
    if (!before && !behind)
        add_around(c->old, set, t->offset, t->size);
}

/* ---- similar parts ---- */

static int add_sighting(struct delta_scratch *s, uint32_t block, size_t shingle, struct err *e)
{
    if (array_grow((void **)&s->sightings, &s->capacity, s->count, sizeof *s->sightings, e) < 0)
        return -1;
    s->sightings[s->count++] = (struct sighting){block, (uint32_t)shingle};
    return 0;
}

static int compare_sightings(const void *a, const void *b)
{
    const struct sighting *x = a, *y = b;

    return x->block != y->block ? (x->block > y->block) - (x->block < y->block)
                                : (x->shingle > y->shingle) - (x->shingle < y->shingle);
}

/* Looks for all shingles of the chunk, and sorts where they were found. */
static int find_sightings(const struct delta_chooser *c, struct delta_scratch *s,
                          const struct delta_target *t, struct err *e)
{
    const struct shingle_index *index = c->old->index;
    size_t count;

    s->count = 0;
    if (shingle_list_scan(&s->shingles, t->content, t->size, shingle_index_rarity(index), e) < 0)
        return -1;
    for (size_t i = 0; i < s->shingles.count; i++) {
        const uint64_t *entries = shingle_index_find(index, s->shingles.items[i].hash, &count);

        for (size_t k = 0; count <= PLACES && k < count; k++)
            if (add_sighting(s, shingle_index_block(entries[k]), i, e) < 0)
                return -1;
    }
    if (s->count == 0)
        return 0;
    qsort(s->sightings, s->count, sizeof *s->sightings, compare_sightings);
    while (s->seen_capacity < s->shingles.count)
        if (array_grow((void **)&s->seen, &s->seen_capacity, s->seen_capacity, sizeof *s->seen, e) <
            0)
            return -1;
    return 0;
}

/* Forgets the shingles that are found in the set, as no other place of them is needed, and returns
 * how many they were. */
static size_t drop_covered(struct delta_scratch *s, const struct block_set *set)
{
    size_t kept = 0, covered = 0;

    memset(s->seen, 0, s->shingles.count * sizeof *s->seen);
    for (size_t i = 0; i < s->count; i++)
        if (block_set_common(set, s->sightings[i].block, s->sightings[i].block + 1)) {
            covered += !s->seen[s->sightings[i].shingle];
            s->seen[s->sightings[i].shingle] = 1;
        }
    for (size_t i = 0; i < s->count; i++)
        if (!s->seen[s->sightings[i].shingle])
            s->sightings[kept++] = s->sightings[i];
    s->count = kept;
    return covered;
}

/* Finds the window with the most different shingles: how many, and the first and the last block
 * where they are. */
static size_t find_window(struct delta_scratch *s, struct block_span *best)
{
    size_t first = 0, different = 0, most = 0;

    memset(s->seen, 0, s->shingles.count * sizeof *s->seen);
    for (size_t i = 0; i < s->count; i++) {
        different += s->seen[s->sightings[i].shingle]++ == 0;
        while (s->sightings[i].block - s->sightings[first].block >= WINDOW_BLOCKS)
            different -= --s->seen[s->sightings[first++].shingle] == 0;
        if (different > most) {
            most = different;
            *best = (struct block_span){s->sightings[first].block, s->sightings[i].block + 1};
        }
    }
    return most;
}

static void add_similar(const struct delta_chooser *c, struct delta_scratch *s, uint64_t limit,
                        struct block_set *set)
{
    struct block_span span = {0, 0};
    /* Where the position gives little, the chunk is mostly new, and every hint helps. */
    size_t least = 2 * drop_covered(s, set) < s->shingles.count ? 1 : LEAST_GAIN;

    for (unsigned i = 0; i < WINDOWS && set->blocks < limit; i++) {
        if (find_window(s, &span) < least)
            return;
        add_data(c->old, set, span.first > PAD_BLOCKS ? span.first - PAD_BLOCKS : 0,
                 (uint64_t)span.end + PAD_BLOCKS);
        (void)drop_covered(s, set);
    }
}

int delta_base_choose(const struct delta_chooser *c, struct delta_scratch *s,
                      const struct delta_target *target, struct delta_base *base, struct err *e)
{
    const uint64_t most = LIMIT_DELTA_BASE / DELTA_BLOCK;
    struct block_set set = {.count = 0};

    add_position(c, target, &set);
    block_set_reduce(&set, LIMIT_DELTA_RANGES, most);
    if (find_sightings(c, s, target, e) < 0)
        return -1;
    if (s->count > 0)
        add_similar(c, s, min_u64(most, set.blocks + SIMILAR_BLOCKS), &set);
    block_set_reduce(&set, LIMIT_DELTA_RANGES, most);
    base->count = set.count;
    for (size_t i = 0; i < set.count; i++)
        base->ranges[i] =
            (struct delta_range){set.spans[i].first, set.spans[i].end - set.spans[i].first};
    return 0;
}
