/* SPDX-License-Identifier: MIT */
#include "plugin/readahead.h"

#include "base/checked.h"

#define UNIT ((uint64_t)(64 * KIB))
/* How near two reads in a row must be: the parallel requests of one reader, up to 16 of 256 KiB,
 * come out of order. */
#define NEAR_UNITS 64U
#define NEAR_READS 4U /* this many in a row are a sequential reader */
/* What is kept ahead of it, and how much is asked for at a time: enough for chunks of one
 * step to lie side by side on the disk here and there. */
#define WINDOW (8 * MIB)
#define STEP   (2 * MIB)

static unsigned get(atomic_uint *value)
{
    return atomic_load_explicit(value, memory_order_relaxed);
}

static void set(atomic_uint *value, unsigned to)
{
    atomic_store_explicit(value, to, memory_order_relaxed);
}

/* How many reads in a row began near the end of the one before, this one included. */
static unsigned count_run(struct readahead *r, uint64_t offset, uint64_t end)
{
    unsigned place = (unsigned)(offset / UNIT), run = get(&r->run);

    run = place - get(&r->place) + NEAR_UNITS <= 2 * NEAR_UNITS ? run + 1 : 0;
    if (run > NEAR_READS + 1)
        run = NEAR_READS + 1; /* no overflow, and no store below */
    else
        set(&r->run, run);
    set(&r->place, (unsigned)(end / UNIT));
    return run;
}

/* Takes the next step in the window that begins at end: its size, and in *from where it
 * begins. 0 when the step is too small yet, or when another thread has taken it. */
static uint64_t claim_window(struct readahead *r, uint64_t end, uint64_t image, bool first,
                             uint64_t *from)
{
    unsigned ahead = get(&r->ahead), next;
    /* In whole units; otherwise ahead would include a rest that nobody reads. */
    uint64_t to = min_u64((end + WINDOW) / UNIT * UNIT, image);

    *from = first ? end : max_u64(end, ahead * UNIT);
    next = (unsigned)((to + UNIT - 1) / UNIT);
    if (to <= *from || (to < image && to - *from < STEP) ||
        !atomic_compare_exchange_strong_explicit(&r->ahead, &ahead, next, memory_order_relaxed,
                                                 memory_order_relaxed))
        return 0;
    return to - *from;
}

/* Advice about what is in memory takes as long as reading a part of it, so two bytes are looked
 * at first. */
static bool is_needed(struct export *x, uint64_t from, uint64_t size)
{
    return export_is_cold(x, from + size - 1) || export_is_cold(x, from);
}

void readahead_note(struct readahead *r, struct export *x, uint32_t count, uint64_t offset)
{
    unsigned run = count_run(r, offset, offset + count);
    uint64_t from, size;

    if (run < NEAR_READS)
        return;
    size = claim_window(r, offset + count, x->image.source_size, run == NEAR_READS, &from);
    if (size > 0 && is_needed(x, from, size))
        export_prefetch(x, size, from);
}
