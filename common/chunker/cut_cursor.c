/* SPDX-License-Identifier: MIT */
#include "chunker/cut_cursor.h"

#include "base/checked.h"
#include "chunker/cut.h"
#include "chunker/rolling.h"

#include <stdlib.h>
#include <string.h>

int cut_cursor_init(struct cut_cursor *c, const struct chunker_config *config, struct err *e)
{
    *c = (struct cut_cursor){.max_size = config->max_size, .start = chunker_new(config, e)};
    if (!c->start)
        return -1;
    c->ask_start = !chunker_is_settled(c->start);
    c->first_size =
        config->algorithm == IMAGE_FIXED_SIZE || config->min_size == 0 ? 1 : config->min_size;
    return 0;
}

void cut_cursor_release(struct cut_cursor *c)
{
    free(c->head.data);
    chunker_free(c->start);
}

/* The first mark within [from, to), or to. */
static size_t next_mark(const uint64_t *marks, size_t from, size_t to)
{
    while (from < to) {
        uint64_t word = marks[from / CUT_MARKS_PER_WORD] >> from % CUT_MARKS_PER_WORD;

        if (word)
            return min_size(from + (size_t)__builtin_ctzll(word), to);
        from += CUT_MARKS_PER_WORD - from % CUT_MARKS_PER_WORD;
    }
    return to;
}

/* Finds how far the current chunk goes in this piece: sets end and at_end. */
static void find_chunk_end(struct cut_cursor *c, const struct cut_piece *p)
{
    size_t length = c->head.size, first, full, to, mark;

    if (c->ask_start) {
        c->end = c->at + chunker_push(c->start, p->data + c->at, p->size - c->at, &c->at_end);
        return;
    }
    first = c->at + (length < c->first_size ? c->first_size - length : 1);
    full = c->at + c->max_size - length;
    to = min_size(full, p->size);
    mark = next_mark(p->marks, first - 1, to);
    c->end = mark < to ? mark + 1 : to;
    c->at_end = mark < to || to == full;
}

/* Whether head may grow to this capacity. */
static bool may_grow(const struct cut_cursor *c, size_t capacity)
{
    return c->copied == 0 || c->copied + capacity <= CUT_SPANNING;
}

/* Appends to head, which has at most max_size bytes. */
static enum cut_step append_to_head(struct cut_cursor *c, const uint8_t *data, size_t size,
                                    struct err *e)
{
    size_t need = c->head.size + size, capacity = c->head.capacity;
    uint8_t *grown;

    if (need > capacity) {
        capacity = min_size(c->max_size, need > 2 * capacity ? need : 2 * capacity);
        if (!may_grow(c, capacity))
            return CUT_STEP_LATER;
        grown = realloc(c->head.data, capacity);
        if (!grown) {
            err_nomem(e, "putting a chunk together");
            return CUT_STEP_FAILED;
        }
        c->head.data = grown;
        c->head.capacity = capacity;
    }
    memcpy(c->head.data + c->head.size, data, size);
    c->head.size = need;
    return CUT_STEP_CHUNK;
}

static void set_found(struct cut_cursor *c, struct cut_found *found, const uint8_t *data,
                      size_t size)
{
    *found =
        (struct cut_found){.index = c->index++, .offset = c->offset, .data = data, .size = size};
    c->offset += size;
}

void cut_cursor_take_rest(struct cut_cursor *c, struct cut_found *found)
{
    set_found(c, found, c->head.data, c->head.size);
    found->copy = c->head;
    c->copied += c->head.capacity;
    c->head = (struct cut_copy){0};
}

bool cut_cursor_has_rest(const struct cut_cursor *c)
{
    return c->head.size > 0;
}

void cut_cursor_return(struct cut_cursor *c, const struct cut_copy *copy)
{
    c->copied -= copy->capacity;
}

enum cut_step cut_cursor_step(struct cut_cursor *c, const struct cut_piece *p,
                              struct cut_found *found, struct err *e)
{
    enum cut_step step = CUT_STEP_CHUNK;
    bool whole;

    while (c->at < p->size) {
        if (c->end == 0)
            find_chunk_end(c, p);
        whole = c->at_end && c->head.size == 0;
        if (whole)
            set_found(c, found, p->data + c->at, c->end - c->at);
        else
            step = append_to_head(c, p->data + c->at, c->end - c->at, e);
        if (step != CUT_STEP_CHUNK)
            return step;
        if (c->at_end && !whole)
            cut_cursor_take_rest(c, found);
        c->at = c->end;
        c->end = 0;
        if (c->at_end)
            return CUT_STEP_CHUNK;
    }
    c->at = 0;
    c->ask_start = c->ask_start && !chunker_is_settled(c->start);
    return CUT_STEP_NEXT_PIECE;
}
