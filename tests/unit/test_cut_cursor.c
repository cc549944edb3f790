/* SPDX-License-Identifier: MIT */
/* From marks to chunks, without threads: minimum and maximum, chunks that span pieces, and the
 * memory that their copies take. */
#include "support.h"

#include "base/limits.h"
#include "chunker/cut.h"
#include "chunker/cut_cursor.h"

#include <stdlib.h>
#include <string.h>

#define PIECE 128

static uint8_t bytes[2][PIECE];

static struct cut_cursor make_cursor(uint32_t min_size, uint32_t max_size)
{
    const struct chunker_config config = {.algorithm = IMAGE_ROLLSUM,
                                          .filter_bits = 5,
                                          .window_size = 1,
                                          .min_size = min_size,
                                          .max_size = max_size};
    struct err e = ERR_INIT;
    struct cut_cursor c;

    assert_ok(cut_cursor_init(&c, &config, &e), e);
    return c;
}

static void expect_chunk(struct cut_cursor *c, const struct cut_piece *piece, uint64_t offset,
                         size_t size)
{
    struct err e = ERR_INIT;
    struct cut_found found;

    assert_int_equal(cut_cursor_step(c, piece, &found, &e), CUT_STEP_CHUNK);
    assert_int_equal(found.offset, offset);
    assert_int_equal(found.size, size);
    assert_null(found.copy.data);
    assert_ptr_equal(found.data, piece->data + offset % PIECE);
}

static void expect_next_piece(struct cut_cursor *c, const struct cut_piece *piece)
{
    struct err e = ERR_INIT;
    struct cut_found found;

    assert_int_equal(cut_cursor_step(c, piece, &found, &e), CUT_STEP_NEXT_PIECE);
}

static void marks_within_the_sizes_end_chunks(void **state)
{
    /* After bytes 3 and 9, 63 and 64, and 127. */
    const uint64_t marks[] = {1 << 3 | 1 << 9 | UINT64_C(1) << 63, 1 | UINT64_C(1) << 63};
    const struct cut_piece piece = {.data = bytes[0], .size = PIECE, .marks = marks};
    struct cut_cursor c = make_cursor(6, 40);

    (void)state;
    expect_chunk(&c, &piece, 0, 10);  /* the mark after byte 3 is below the minimum */
    expect_chunk(&c, &piece, 10, 40); /* no mark up to the maximum */
    expect_chunk(&c, &piece, 50, 14);
    expect_chunk(&c, &piece, 64, 40);
    expect_chunk(&c, &piece, 104, 24); /* not byte 64: it is below the minimum */
    expect_next_piece(&c, &piece);
    assert_false(cut_cursor_has_rest(&c));
    cut_cursor_release(&c);
}

static void a_chunk_that_spans_pieces_is_copied(void **state)
{
    const uint64_t none[2] = {0}, early[] = {1 << 4, 0};
    const struct cut_piece first = {.data = bytes[0], .size = PIECE, .marks = none};
    const struct cut_piece second = {.data = bytes[1], .size = PIECE, .marks = early};
    struct cut_cursor c = make_cursor(1, 1000);
    struct err e = ERR_INIT;
    struct cut_found found;

    (void)state;
    expect_next_piece(&c, &first);
    assert_true(cut_cursor_has_rest(&c));
    assert_int_equal(cut_cursor_step(&c, &second, &found, &e), CUT_STEP_CHUNK);
    assert_int_equal(found.size, PIECE + 5);
    assert_memory_equal(found.data, bytes[0], PIECE);
    assert_memory_equal(found.data + PIECE, bytes[1], 5);
    assert_ptr_equal(found.data, found.copy.data);
    cut_cursor_return(&c, &found.copy);
    free(found.copy.data);

    expect_next_piece(&c, &second);
    cut_cursor_take_rest(&c, &found);
    assert_int_equal(found.index, 1);
    assert_int_equal(found.offset, PIECE + 5);
    assert_int_equal(found.size, PIECE - 5);
    free(found.copy.data);
    assert_false(cut_cursor_has_rest(&c));
    cut_cursor_release(&c);
}

static void copies_that_take_too_much_must_return_first(void **state)
{
    const struct cut_copy large = {.capacity = CUT_SPANNING};
    const uint64_t none[2] = {0};
    const struct cut_piece piece = {.data = bytes[0], .size = PIECE, .marks = none};
    struct cut_cursor c = make_cursor(1, 1000);
    struct err e = ERR_INIT;
    struct cut_found found;

    (void)state;
    c.copied = large.capacity;
    assert_int_equal(cut_cursor_step(&c, &piece, &found, &e), CUT_STEP_LATER);
    assert_int_equal(cut_cursor_step(&c, &piece, &found, &e), CUT_STEP_LATER);
    cut_cursor_return(&c, &large);
    expect_next_piece(&c, &piece);
    cut_cursor_take_rest(&c, &found);
    assert_int_equal(found.size, PIECE);
    free(found.copy.data);
    cut_cursor_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_within_the_sizes_end_chunks),
        cmocka_unit_test(a_chunk_that_spans_pieces_is_copied),
        cmocka_unit_test(copies_that_take_too_much_must_return_first),
    };

    support_fill(bytes[0], sizeof bytes, 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
