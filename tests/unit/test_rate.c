/* SPDX-License-Identifier: MIT */
/* test_rate: the limit on bytes per second. */
#include "support.h"

#include "base/io.h"
#include "reader/rate.h"

#include <time.h>

#define A_MILLISECOND 1000 /* bytes, at MEGABYTE a second */
#define MEGABYTE      1000000

static void sleep_ms(int ms)
{
    struct timespec t = {.tv_nsec = ms * 1000000L};

    nanosleep(&t, NULL);
}

static void no_limit_never_waits(void **state)
{
    struct rate r = {0};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_true(rate_allows(&r));
        rate_take(&r, SIZE_MAX);
        assert_int_equal(rate_wait_ms(&r, 777), 777);
    }
}

static void first_bytes_need_not_wait(void **state)
{
    struct rate r = {.limit = 1};

    (void)state;
    assert_true(rate_allows(&r));
    assert_int_equal(rate_wait_ms(&r, 777), 777);
}

static void the_next_bytes_wait_for_their_turn(void **state)
{
    struct rate r = {.limit = 1000};

    (void)state;
    rate_take(&r, 60 * 1000); /* a minute's */
    assert_false(rate_allows(&r));
    assert_in_range(rate_wait_ms(&r, 1000000), 30 * 1000, 60 * 1000 + 1);
    assert_int_equal(rate_wait_ms(&r, 100), 100);
    rate_take(&r, 60 * 1000); /* taken before their turn: the debts add up */
    assert_in_range(rate_wait_ms(&r, 1000000), 90 * 1000, 120 * 1000 + 1);
}

/* However late each wait ends, the bytes are not early; and the waits that are
 * asked for are not longer than what was taken. */
static void bytes_are_spread(void **state)
{
    struct rate r = {.limit = MEGABYTE};
    uint64_t begun = io_now_ms();

    (void)state;
    for (int i = 0; i < 5; i++) {
        rate_take(&r, 10 * A_MILLISECOND);
        while (!rate_allows(&r)) {
            int ms = rate_wait_ms(&r, 1000);

            assert_in_range(ms, 1, 11);
            sleep_ms(ms);
        }
    }
    assert_true(io_now_ms() - begun >= 50);
}

/* How many milliseconds' worth of bytes are allowed without a wait. */
static uint64_t burst(struct rate *r)
{
    uint64_t count = 0;

    while (rate_allows(r) && count < 100000) {
        rate_take(r, A_MILLISECOND);
        count++;
    }
    return count;
}

static void a_pause_is_forgiven_for_a_tenth_of_a_second(void **state)
{
    struct rate r = {.limit = MEGABYTE};
    uint64_t paused, count;

    (void)state;
    rate_take(&r, A_MILLISECOND);
    sleep_ms(150);
    paused = io_now_ms();
    count = burst(&r);
    assert_true(count >= 100);
    /* Bytes that pass while the tokens are taken count, too. */
    assert_true(count <= 102 + (io_now_ms() - paused));
}

static void a_long_pause_is_forgiven_for_no_longer(void **state)
{
    uint64_t now = io_now_ms(), begun;
    struct rate r = {.limit = MEGABYTE, .next_us = now * 1000 / 2 + 1};

    (void)state;
    begun = io_now_ms();
    assert_true(burst(&r) <= 102 + (io_now_ms() - begun));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_limit_never_waits),
        cmocka_unit_test(first_bytes_need_not_wait),
        cmocka_unit_test(the_next_bytes_wait_for_their_turn),
        cmocka_unit_test(bytes_are_spread),
        cmocka_unit_test(a_pause_is_forgiven_for_a_tenth_of_a_second),
        cmocka_unit_test(a_long_pause_is_forgiven_for_no_longer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
