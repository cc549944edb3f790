/* SPDX-License-Identifier: MIT */
/* test_range_queue: chunks on their way from the driver to the workers, here one thread that
 * plays both. */
#include "support.h"

#include "base/limits.h"
#include "fetch/chunk_decoder.h"
#include "fetch/range_queue.h"

#include <pthread.h>

static const uint32_t sizes[] = {1000, 2000, 3000, 4000};
static const uint32_t numbers[] = {2, 0, 3, 1}; /* the chunks of the ranges below */

struct setting {
    struct image image;
    struct range_queue queue;
};

static size_t cost_of(const void *user, size_t chunk)
{
    return chunk_decoder_cost(user, chunk);
}

static void set_up(struct setting *s)
{
    const struct range_costs costs = {cost_of, &s->image};
    struct err e = ERR_INIT;

    s->image = support_image(sizes, COUNT(sizes), 32);
    assert_ok(range_queue_init(&s->queue, &costs, COUNT(sizes), &e), e);
}

static void tear_down(struct setting *s)
{
    range_queue_destroy(&s->queue);
    image_free(&s->image);
}

/* A range of count chunks, beginning with numbers[first], for which budget was reserved. */
static struct range *make_range(struct setting *s, size_t first, size_t count, uint64_t size)
{
    struct err e = ERR_INIT;
    struct range *range;

    assert_true(range_queue_reserve(&s->queue, size));
    range = range_new(100, size, numbers + first, count, &e);
    assert_non_null(range);
    return range;
}

static void take_and_finish(struct setting *s, uint32_t chunk, enum range_outcome outcome,
                            bool expect_wake)
{
    struct range_item item;
    bool wake;

    assert_true(range_queue_take(&s->queue, &item));
    assert_int_equal(*item.chunk, chunk);
    range_queue_done(&s->queue, &item, outcome, &wake);
    assert_int_equal(wake, expect_wake);
}

/* The driver is woken when a range is done: its budget is free again. */
static void chunks_come_in_order(void **state)
{
    struct setting s;
    struct range *a, *b;
    struct range_item item;
    size_t done;

    (void)state;
    set_up(&s);
    a = make_range(&s, 0, 2, 500);
    b = make_range(&s, 2, 2, 500);
    range_queue_put(&s.queue, a, 1);
    range_queue_put(&s.queue, b, 2);
    take_and_finish(&s, 2, RANGE_GOOD, false);
    take_and_finish(&s, 3, RANGE_GOOD, false);
    range_queue_put(&s.queue, a, 2); /* behind what waits already */
    take_and_finish(&s, 1, RANGE_GOOD, true);
    take_and_finish(&s, 0, RANGE_GOOD, true);
    range_queue_close(&s.queue);
    assert_false(range_queue_take(&s.queue, &item));
    assert_true(range_queue_goes_on(&s.queue, &done));
    assert_int_equal(done, 4);
    assert_true(s.queue.received == 0);
    assert_true(s.queue.decoded == 0);
    tear_down(&s);
}

static void closing_leaves_what_is_there_to_the_workers(void **state)
{
    struct setting s;
    struct range_item item;

    (void)state;
    set_up(&s);
    range_queue_put(&s.queue, make_range(&s, 0, 2, 500), 2);
    range_queue_close(&s.queue);
    take_and_finish(&s, 2, RANGE_GOOD, false);
    take_and_finish(&s, 0, RANGE_GOOD, true);
    assert_false(range_queue_take(&s.queue, &item));
    tear_down(&s);
}

/* What a failure leaves: the queue frees what it has, the driver what is not put in full. */
static void a_failure_ends_all(void **state)
{
    struct setting s;
    struct range *a, *b;
    struct range_item item;
    size_t done;

    (void)state;
    set_up(&s);
    a = make_range(&s, 0, 2, 500);
    b = make_range(&s, 2, 2, 500);
    range_queue_put(&s.queue, a, 2);
    range_queue_put(&s.queue, b, 1);
    take_and_finish(&s, 2, RANGE_FAILED, true);
    assert_false(range_queue_take(&s.queue, &item));
    assert_false(range_queue_goes_on(&s.queue, &done));
    assert_int_equal(done, 0);
    tear_down(&s);
    range_free(b);
}

static void stopping_ends_all(void **state)
{
    struct setting s;
    struct range_item item;
    size_t done;

    (void)state;
    set_up(&s);
    range_queue_put(&s.queue, make_range(&s, 0, 1, 500), 1);
    range_queue_stop(&s.queue);
    assert_false(range_queue_take(&s.queue, &item));
    assert_false(range_queue_goes_on(&s.queue, &done));
    tear_down(&s);
}

/* A chunk that was wrong is told by where its number stands, which outlives its range. */
static void wrong_chunks_are_remembered(void **state)
{
    struct setting s;
    size_t done;

    (void)state;
    set_up(&s);
    range_queue_put(&s.queue, make_range(&s, 0, 3, 500), 3);
    take_and_finish(&s, 2, RANGE_GOOD, false);
    take_and_finish(&s, 0, RANGE_WRONG, true);
    assert_null(range_queue_wrong(&s.queue, 1));
    take_and_finish(&s, 3, RANGE_WRONG, true);
    assert_ptr_equal(range_queue_wrong(&s.queue, 0), &numbers[1]);
    assert_ptr_equal(range_queue_wrong(&s.queue, 1), &numbers[2]);
    assert_true(range_queue_goes_on(&s.queue, &done));
    assert_int_equal(done, 1);
    tear_down(&s);
}

static void requests_have_a_budget(void **state)
{
    struct setting s;
    struct range *large;

    (void)state;
    set_up(&s);
    large = make_range(&s, 0, 1, BUDGET_RECEIVED + 1); /* alone, it is admitted */
    assert_false(range_queue_reserve(&s.queue, 1));
    range_queue_put(&s.queue, large, 1);
    take_and_finish(&s, 2, RANGE_GOOD, true);
    assert_true(range_queue_reserve(&s.queue, BUDGET_RECEIVED / 2));
    assert_true(range_queue_reserve(&s.queue, BUDGET_RECEIVED / 4));
    assert_false(range_queue_reserve(&s.queue, BUDGET_RECEIVED / 2));
    tear_down(&s);
}

static void *take_one(void *queue)
{
    static struct range_item item;

    return range_queue_take(queue, &item) ? &item : NULL;
}

/* Decoders have a budget: a chunk that does not fit waits until another one is done. */
static void decoding_has_a_budget(void **state)
{
    struct setting s;
    struct range_item first;
    pthread_t thread;
    void *taken;
    bool wake;

    (void)state;
    set_up(&s);
    for (size_t i = 0; i < COUNT(sizes); i++) { /* compressed, and large */
        s.image.chunks.items[i].source_size = 16 * MIB;
        s.image.chunks.items[i].archive_size = 100;
    }
    range_queue_put(&s.queue, make_range(&s, 0, 2, 500), 2);
    assert_true(range_queue_take(&s.queue, &first));
    assert_true(first.cost > BUDGET_DECODED / 2);
    assert_int_equal(pthread_create(&thread, NULL, take_one, &s.queue), 0);
    pthread_mutex_lock(&s.queue.lock);
    assert_true(s.queue.decoded == first.cost);
    pthread_mutex_unlock(&s.queue.lock);
    range_queue_done(&s.queue, &first, RANGE_GOOD, &wake);
    assert_int_equal(pthread_join(thread, &taken), 0);
    assert_non_null(taken);
    assert_true(s.queue.decoded == ((struct range_item *)taken)->cost);
    range_queue_done(&s.queue, taken, RANGE_GOOD, &wake);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_come_in_order),
        cmocka_unit_test(closing_leaves_what_is_there_to_the_workers),
        cmocka_unit_test(a_failure_ends_all),
        cmocka_unit_test(stopping_ends_all),
        cmocka_unit_test(wrong_chunks_are_remembered),
        cmocka_unit_test(requests_have_a_budget),
        cmocka_unit_test(decoding_has_a_budget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
