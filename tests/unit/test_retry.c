/* SPDX-License-Identifier: MIT */
/* test_retry: how long to wait before a request is tried again, and what Retry-After asks for. */
#include "support.h"

#include "reader/retry.h"

/* Many draws: the half that is random lies between these, and is not always the same. */
static void assert_between(unsigned tries, uint64_t low, uint64_t high)
{
    uint64_t least = UINT64_MAX, most = 0;

    for (int i = 0; i < 1000; i++) {
        uint64_t delay = retry_delay_ms(1000, tries, 0);

        assert_true(delay >= low && delay <= high);
        least = delay < least ? delay : least;
        most = delay > most ? delay : most;
    }
    assert_true(least < low + (high - low) / 10);
    assert_true(most > high - (high - low) / 10);
}

static void doubles_up_to_a_minute(void **state)
{
    (void)state;
    assert_between(1, 500, 1000);
    assert_between(2, 1000, 2000);
    assert_between(3, 2000, 4000);
    assert_between(6, 16000, 32000);
    assert_between(7, 30000, 60000);
    assert_between(1000, 30000, 60000);
    assert_between(4000000000U, 30000, 60000);
}

static void no_delay_stays_none(void **state)
{
    (void)state;
    assert_int_equal(retry_delay_ms(0, 1, 0), 0);
    assert_int_equal(retry_delay_ms(0, 9, 0), 0);
}

static void a_server_may_ask_for_more(void **state)
{
    (void)state;
    assert_int_equal(retry_delay_ms(1000, 1, 7), 7000);
    assert_int_equal(retry_delay_ms(0, 1, 300), 300000);
    /* It does not wait for fewer bytes than that. */
    assert_true(retry_delay_ms(100000, 1, 1) >= 30000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_up_to_a_minute),
        cmocka_unit_test(no_delay_stays_none),
        cmocka_unit_test(a_server_may_ask_for_more),
    };

    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
