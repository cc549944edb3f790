/* SPDX-License-Identifier: MIT */
/* test_http: what is made of an HTTP response's header, and the queue of requests. */
#include "support.h"

#include "reader/http_queue.h"
#include "reader/http_response.h"
#include "reader/retry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The response that these lines make, each without its line end. */
static struct http_response response_of(const char *const *lines)
{
    struct http_response r = {0};

    for (; *lines; lines++)
        http_response_line(&r, *lines, strlen(*lines));
    return r;
}

#define RESPONSE(...) response_of((const char *const[]){__VA_ARGS__, NULL})
#define PARTIAL       "HTTP/1.1 206 Partial Content"
#define RANGE         "Content-Range: bytes 10-19/1000"

static int check(struct http_response r)
{
    struct err e = ERR_INIT;

    return http_response_check(&r, 10, 10, 1000, &e);
}

static void lengths(void **state)
{
    (void)state;
    assert_int_equal(check(RESPONSE(PARTIAL, RANGE)), 0);
    assert_int_equal(check(RESPONSE(PARTIAL, RANGE, "Content-Length: 10")), 0);
    assert_int_equal(check(RESPONSE(PARTIAL, "content-length:10", RANGE)), 0);
    assert_int_equal(check(RESPONSE(PARTIAL, RANGE, "Content-Length: 9")), -1);
    assert_int_equal(check(RESPONSE(PARTIAL, RANGE, "Content-Length: 11")), -1);
    assert_int_equal(check(RESPONSE(PARTIAL, RANGE, "Content-Length: 10x")), -1);
    assert_int_equal(check(RESPONSE(PARTIAL, RANGE, "Content-Length: 99999999999999999999")), -1);
    /* Two releases are removed, which is more than enough. */
    assert_int_equal(check(RESPONSE(PARTIAL, RANGE, "Content-Length: 10", "Content-Length: 11")),
                     0);
    assert_int_equal(check(RESPONSE(PARTIAL, RANGE, "Content-Length: 10", "Content-Length: 9")),
                     -1);
    /* With a chunked body no Content-Length counts. */
    assert_int_equal(
        check(RESPONSE(PARTIAL, RANGE, "Content-Length: 11", "Transfer-Encoding: chunked")), 0);
    /* What an interim response says is forgotten. */
    assert_int_equal(check(RESPONSE("HTTP/1.1 103 Early", "Content-Length: 11", PARTIAL, RANGE)),
                     0);
}

static void encodings(void **state)
{
    static const char *const plain[] = {"",
                                        " ",
                                        ",",
                                        "identity",
                                        "Identity",
                                        "identity, identity",
                                        "identity,,identity",
                                        "none",
                                        "aws-chunked",
                                        "aws-chunked,identity"};
    struct http_response r;
    char line[128];

    (void)state;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        snprintf(line, sizeof line, "Content-Encoding: %s", plain[i]);
        assert_int_equal(check(RESPONSE(PARTIAL, RANGE, line)), 0);
    }
    r = RESPONSE(PARTIAL, RANGE, "Content-Encoding: identity, br, gzip");
    assert_string_equal(r.encoding, "br");
    assert_int_equal(check(r), -1);
    r = RESPONSE(PARTIAL, RANGE, "Content-Encoding: identity", "Content-Encoding: gzip");
    assert_string_equal(r.encoding, "gzip");
    assert_int_equal(
        check(RESPONSE(PARTIAL, RANGE, "Content-Encoding: aws-chunked", "Content-Length: 99")), -1);
}

static void challenges(void **state)
{
    struct http_response r;

    (void)state;
    r = RESPONSE("HTTP/1.1 401 No",
                 "WWW-Authenticate: Digest realm=\"a, b\", nonce=\"c\", qop=\"d\"");
    assert_string_equal(r.challenge, "Digest");
    assert_false(r.offers_basic);
    r = RESPONSE("HTTP/1.1 401 No", "WWW-Authenticate: Digest realm=a, Basic realm=b");
    assert_true(r.offers_basic);
    r = RESPONSE("HTTP/1.1 401 No", "WWW-Authenticate: Negotiate",
                 "WWW-Authenticate: Basic realm=b");
    assert_true(r.offers_basic);
    assert_string_equal(r.challenge, "Negotiate");
}

#define NOON      "Sat, 21 Nov 2026 12:00:00 GMT"
#define UNIX_NOON 1795262400

static uint64_t asked(const char *value, const char *date, time_t now)
{
    char after[128], when[128];
    struct http_response r;

    snprintf(after, sizeof after, "Retry-After: %s", value);
    snprintf(when, sizeof when, "Date: %s", date);
    r = RESPONSE("HTTP/1.1 503 No", after, when);
    return http_response_retry_after(&r, now);
}

static void retry_after(void **state)
{
    static const time_t clocks[] = {-1000000000, 0, UNIX_NOON, 4070908800};
    static const char *const nonsense[] = {
        "", "-5", "1e30", "soon", "1.5", "+5", "5 5", "0x10", "10:00:00 on Monday"};

    (void)state;
    for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
        assert_int_equal(asked("7", NOON, clocks[i]), 7);
        assert_int_equal(asked("99999999999999999999999", NOON, clocks[i]), HTTP_RETRY_AFTER_CAP);
        assert_int_equal(asked("Sat, 21 Nov 2026 12:00:03 GMT", NOON, clocks[i]), 3);
        assert_int_equal(asked("Sat, 21 Nov 2026 11:59:57 GMT", NOON, clocks[i]), 0);
        assert_int_equal(asked("Sat, 21 Nov 2037 12:00:00 GMT", NOON, clocks[i]), 347155200);
        for (size_t n = 0; n < sizeof nonsense / sizeof *nonsense; n++)
            assert_int_equal(asked(nonsense[n], NOON, clocks[i]), 0);
    }
    /* Without a Date of the server this machine's clock counts, if it may be right. */
    assert_int_equal(asked(NOON, "", UNIX_NOON - 60), 60);
    assert_int_equal(asked(NOON, "", UNIX_NOON + 60), 0);
    assert_int_equal(asked(NOON, "", 10), 0);
    assert_int_equal(asked(NOON, "never", 4070908800), 0);
    assert_true(retry_delay_ms(1000, 1, 5) == 5000 && retry_delay_ms(0, 3, 0) == 0);
}

/* Ten times the requests are ten times the work, not a hundred times: seconds would tell
 * nothing on a busy machine, but a million requests would take minutes. */
static void long_queue(void **state)
{
    const size_t count = 1000000;
    struct range_request *requests = calloc(count, sizeof *requests);
    struct http_queue queue;

    (void)state;
    assert_non_null(requests);
    http_queue_init(&queue);
    for (size_t i = 0; i < count; i++)
        http_queue_add(&queue, &requests[i]);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(http_queue_take(&queue, 0, 4), &requests[i]);
        assert_int_equal(http_queue_ms(&queue, 0, 100), 100);
    }
    assert_null(http_queue_take(&queue, 0, 4));
    http_queue_add(&queue, &requests[0]);
    assert_ptr_equal(http_queue_take(&queue, 0, 4), &requests[0]);
    free(requests);
}

/* What waits goes first when its time has come, the oldest of it; and while enough wait,
 * nothing new begins. */
static void waiting(void **state)
{
    struct range_request fresh = {0}, late = {.history = {.due_ms = 200}},
                         early = {.history = {.due_ms = 100}};
    struct http_queue queue;

    (void)state;
    http_queue_init(&queue);
    http_queue_add(&queue, &fresh);
    http_queue_add(&queue, &late);
    http_queue_add(&queue, &early);
    assert_int_equal(http_queue_ms(&queue, 50, 1000), 50);
    assert_null(http_queue_take(&queue, 50, 2));
    assert_ptr_equal(http_queue_take(&queue, 250, 2), &early);
    assert_ptr_equal(http_queue_take(&queue, 150, 2), &fresh);
    assert_null(http_queue_take(&queue, 150, 2));
    assert_ptr_equal(http_queue_take(&queue, 250, 2), &late);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths),     cmocka_unit_test(encodings),  cmocka_unit_test(challenges),
        cmocka_unit_test(retry_after), cmocka_unit_test(long_queue), cmocka_unit_test(waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
