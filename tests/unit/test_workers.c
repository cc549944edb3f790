/* SPDX-License-Identifier: MIT */
/* test_workers: threads that share a job are started and joined, whatever fails. */
#include "support.h"

#include "base/workers.h"

#include <stdatomic.h>
#include <sys/resource.h>

#define WORKERS 5

struct job {
    atomic_uint called[LIMIT_JOBS];
    atomic_uint calls;
    enum err_kind kinds[WORKERS]; /* what each worker fails with */
    unsigned order[WORKERS];      /* a worker waits until so many calls have ended */
    atomic_uint ended;
};

static int count_call(void *user, unsigned number, struct err *e)
{
    struct job *job = user;

    (void)e;
    atomic_fetch_add(&job->called[number], 1);
    atomic_fetch_add(&job->calls, 1);
    return 0;
}

static int fail_in_order(void *user, unsigned number, struct err *e)
{
    struct job *job = user;
    int r = 0;

    while (atomic_load(&job->ended) < job->order[number])
        sched_yield();
    if (job->kinds[number] != ERR_NONE)
        r = err_set(e, job->kinds[number], "worker %u", number);
    atomic_fetch_add(&job->ended, 1);
    return r;
}

static void each_number_is_given_once(void **state)
{
    struct job job = {0};
    struct err e = ERR_INIT;
    struct workers w;

    (void)state;
    assert_ok(workers_run(WORKERS, count_call, &job, &e), e);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(job.called[i], 1);
    assert_int_equal(job.calls, WORKERS);

    assert_ok(workers_start(&w, WORKERS, count_call, &job, &e), e);
    assert_ok(workers_join(&w, &e), e);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(job.called[i], 2);
    assert_int_equal(job.calls, 2 * WORKERS);
}

static void no_job_has_more_workers_than_the_limit(void **state)
{
    struct job job = {0};
    struct err e = ERR_INIT;

    (void)state;
    assert_ok(workers_run(LIMIT_JOBS, count_call, &job, &e), e);
    assert_int_equal(job.calls, LIMIT_JOBS);
}

static void the_first_error_is_that_of_the_job(void **state)
{
    struct job job = {.kinds = {0, ERR_SPACE, ERR_IO}, .order = {3, 2, 1}};
    struct err e = ERR_INIT;

    (void)state;
    job.order[3] = 0;
    assert_fails(workers_run(4, fail_in_order, &job, &e), e, ERR_IO, "worker 2");
}

static void a_cancelled_worker_does_not_hide_the_cause(void **state)
{
    struct job job = {.kinds = {ERR_CANCELLED, ERR_ARCHIVE, ERR_IO}, .order = {0, 1, 2}};
    struct err e = ERR_INIT;

    (void)state;
    assert_fails(workers_run(3, fail_in_order, &job, &e), e, ERR_ARCHIVE, "worker 1");
}

/* A sanitizer needs address space for each thread itself, and ends the program without it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SANITIZER 1
#endif
#endif
#ifndef HAS_SANITIZER
#define HAS_SANITIZER 0
#endif

/* With no address space for a thread's stack. */
static void a_job_is_done_without_threads(void **state)
{
    struct rlimit before, none;
    struct job job = {0};
    struct err e = ERR_INIT, why = ERR_INIT, joined = ERR_INIT;
    struct workers w;
    int started, run;

    (void)state;
    if (HAS_SANITIZER)
        skip();
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    none = before;
    none.rlim_cur = 1;
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    started = workers_start(&w, WORKERS, count_call, &job, &why);
    run = workers_run(WORKERS, count_call, &job, &e);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_ok(workers_join(&w, &joined), joined);
    if (started == 0) /* stacks of threads that ended are used again */
        skip();
    assert_int_equal(why.kind, ERR_MEMORY);
    assert_ok(run, e);
    assert_int_equal(job.called[0], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_is_done_without_threads),
        cmocka_unit_test(each_number_is_given_once),
        cmocka_unit_test(no_job_has_more_workers_than_the_limit),
        cmocka_unit_test(the_first_error_is_that_of_the_job),
        cmocka_unit_test(a_cancelled_worker_does_not_hide_the_cause),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
