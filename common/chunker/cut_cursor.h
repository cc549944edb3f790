/* SPDX-License-Identifier: MIT */
/* cut_cursor: goes over the pieces of an input, in order, and finds where chunks end, from the
 * marks that a search has put into each piece. It respects the minimum and the maximum size.
 *
 * At the start of a BuzHash input the ends of chunks depend on more than the marks. There the
 * cursor asks a chunker, up to the end of the piece in which this start is over.
 *
 * A chunk within one piece is found where it lies. A chunk that spans pieces is copied, so that
 * the pieces can be used again. All copies together have at most CUT_SPANNING bytes, or are one.
 *
 * A cursor has no threads and takes no lock: cut.c calls it under its own.
 */
#ifndef IHOP_CHUNKER_CUT_CURSOR_H
#define IHOP_CHUNKER_CUT_CURSOR_H

#include "base/err.h"
#include "chunker/chunker.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CUT_MARKS_PER_WORD 64

/* A piece that was searched. */
struct cut_piece {
    const uint8_t *data;
    size_t size;
    const uint64_t *marks; /* bit i is set when a chunk may end after byte i */
};

/* A copy of a chunk that spans pieces, first of its beginning and in the end of all of it. */
struct cut_copy {
    uint8_t *data;
    size_t size, capacity;
};

/* A chunk that was found. */
struct cut_found {
    uint64_t index, offset; /* its number and its place in the input, both from 0 */
    const uint8_t *data;    /* in the piece, or in copy */
    size_t size;
    struct cut_copy copy; /* its data is NULL when the chunk lies in the piece */
};

struct cut_cursor {
    size_t first_size, max_size; /* bytes of the smallest chunk, at least 1, and of the largest */
    struct chunker *start;
    bool ask_start; /* the chunker is asked for the ends of chunks in this piece */

    size_t at;   /* where the current chunk begins or goes on in the current piece */
    size_t end;  /* where the chunk ends there, or the end of the piece; 0 when not known yet */
    bool at_end; /* whether end is the end of the chunk */
    uint64_t index, offset;

    struct cut_copy head;
    size_t copied; /* bytes of copies that were handed out and not returned */
};

/* ERR_USAGE for the config, ERR_MEMORY. The caller calls cut_cursor_release, even after a
 * failure. */
int cut_cursor_init(struct cut_cursor *c, const struct chunker_config *config, struct err *e)
    __attribute__((warn_unused_result));
void cut_cursor_release(struct cut_cursor *c);

enum cut_step {
    CUT_STEP_CHUNK,      /* a chunk was found */
    CUT_STEP_NEXT_PIECE, /* the piece is used up: the next step takes the next piece */
    CUT_STEP_LATER,      /* the copies take too much memory: one must be returned first */
    CUT_STEP_FAILED,     /* ERR_MEMORY */
};

/* Goes on in the current piece. With CUT_STEP_CHUNK, *found is the chunk, and its copy belongs to
 * the caller, who returns it with cut_cursor_return. */
enum cut_step cut_cursor_step(struct cut_cursor *c, const struct cut_piece *piece,
                              struct cut_found *found, struct err *e)
    __attribute__((warn_unused_result));

/* Whether the cursor has the beginning of a chunk that was not found yet. */
bool cut_cursor_has_rest(const struct cut_cursor *c);

/* After the last piece: makes that beginning the last chunk. */
void cut_cursor_take_rest(struct cut_cursor *c, struct cut_found *found);

/* Counts a copy that was handed out as returned. Its memory is freed by the caller. */
void cut_cursor_return(struct cut_cursor *c, const struct cut_copy *copy);

#endif
