/* SPDX-License-Identifier: MIT */
#include "readahead.h"

#include "base/checked.h"

#define UNIT_SHIFT 16
/* Parallel requests of one reader come out of order, up to 16 of 256 KiB. */
#define NEAR_UNITS 64U
#define NEAR_READS 4U /* this many in a row are a sequential reader */
#define WINDOW     (1 * MIB)

static unsigned get(atomic_uint *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void set(atomic_uint *value, unsigned to)
{
    atomic_store_explicit(value, to, memory_order_relaxed);
}

/* How many reads in a row were near one another, this one included. */
static unsigned count_run(struct readahead *r, uint64_t offset)
{
    unsigned place = (unsigned)(offset >> UNIT_SHIFT), run = get(&r->run);

    run = place - get(&r->place) + NEAR_UNITS <= 2 * NEAR_UNITS ? run + 1 : 0;
    if (run > NEAR_READS + 1)
        run = NEAR_READS + 1; /* no overflow, and no store below */
    else
        set(&r->run, run);
    set(&r->place, place);
    return run;
}

/* Order entries that begin in the window after end, of which no one else takes
 * care: [*from, the result). */
static size_t claim(struct readahead *r, const struct export *x, uint64_t end, bool first,
                    size_t *from)
{
    unsigned ahead = get(&r->ahead);
    size_t to;

    *from = chunk_map_find(&x->map, end - 1) + 1;
    if (!first && ahead > *from)
        *from = ahead;
    for (to = *from; to < x->map.count && x->map.starts[to] < end + WINDOW;)
        to++;
    if (to <= *from ||
        !atomic_compare_exchange_strong_explicit(&r->ahead, &ahead, (unsigned)to,
                                                 memory_order_relaxed, memory_order_relaxed))
        return *from;
    return to;
}

void readahead_note(struct readahead *r, struct export *x, uint32_t count, uint64_t offset)
{
    unsigned run = count_run(r, offset);
    size_t from, to;

    if (run < NEAR_READS)
        return;
    to = claim(r, x, offset + count, run == NEAR_READS, &from);
    for (; from < to; from++) {
        uint64_t start = x->map.starts[from];

        export_prefetch(x, min_u64(WINDOW, x->map.starts[from + 1] - start), start);
    }
}
