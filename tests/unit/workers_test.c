/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/workers.h"

enum { THREADS = 4, JOBS = 1000 };

struct counts {
	atomic_uint done[JOBS], done_by[THREADS];
	atomic_bool busy[THREADS];
	atomic_uint faults; /* cmocka's assertions work in the main thread only */
	size_t fail_from;
};

static bool count(void *context, size_t worker, size_t index)
{
	struct counts *counts = context;
	if (worker >= THREADS || atomic_exchange(&counts->busy[worker], true))
		counts->faults++;
	counts->done[index]++;
	counts->done_by[worker % THREADS]++;
	counts->busy[worker % THREADS] = false;
	errno = index == counts->fail_from ? ENOSPC : EIO;
	return index < counts->fail_from;
}

static void assert_all_done(unsigned threads, size_t n)
{
	struct counts counts = {.fail_from = SIZE_MAX};
	assert_true(workers_run(threads, n, count, &counts));
	assert_int_equal(counts.faults, 0);
	for (size_t i = 0; i < JOBS; i++)
		assert_int_equal(counts.done[i], i < n);
}

static void does_each_job_once(void **state)
{
	(void)state;
	assert_all_done(THREADS, JOBS);
}

static void does_few_jobs_with_many_threads(void **state)
{
	(void)state;
	assert_all_done(THREADS, 1);
	assert_all_done(THREADS, 3);
}

static void does_all_jobs_on_one_thread(void **state)
{
	(void)state;
	assert_all_done(0, 5);
	assert_all_done(1, JOBS);
}

static void does_nothing_without_jobs(void **state)
{
	(void)state;
	assert_all_done(THREADS, 0);
	assert_all_done(0, 0);
}

/* No thread starts if its stack does not fit into the address space. */
static void goes_on_without_threads(void **state)
{
	(void)state;
	pthread_attr_t normal, huge;
	assert_int_equal(pthread_getattr_default_np(&normal), 0);
	assert_int_equal(pthread_getattr_default_np(&huge), 0);
	assert_int_equal(pthread_attr_setstacksize(&huge, SIZE_MAX / 4), 0);
	assert_int_equal(pthread_setattr_default_np(&huge), 0);
	struct counts counts = {.fail_from = SIZE_MAX};
	assert_true(workers_run(THREADS, JOBS, count, &counts));
	assert_int_equal(counts.done_by[0], JOBS);
	assert_int_equal(pthread_setattr_default_np(&normal), 0);
	pthread_attr_destroy(&huge);
	pthread_attr_destroy(&normal);
}

static void stops_after_a_failure(void **state)
{
	(void)state;
	struct counts counts = {.fail_from = 10};
	assert_false(workers_run(THREADS, JOBS, count, &counts));
	for (size_t i = 0; i <= 10; i++)
		assert_int_equal(counts.done[i], 1);
	/* Each thread begins at most one failing job. */
	for (size_t i = 10 + THREADS; i < JOBS; i++)
		assert_int_equal(counts.done[i], 0);
}

static void reports_the_error_of_the_failed_job(void **state)
{
	(void)state;
	struct counts counts = {.fail_from = 10};
	assert_false(workers_run(1, JOBS, count, &counts));
	assert_int_equal(errno, ENOSPC);
	assert_int_equal(counts.done[11], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_each_job_once),
		cmocka_unit_test(does_few_jobs_with_many_threads),
		cmocka_unit_test(does_all_jobs_on_one_thread),
		cmocka_unit_test(does_nothing_without_jobs),
		cmocka_unit_test(goes_on_without_threads),
		cmocka_unit_test(stops_after_a_failure),
		cmocka_unit_test(reports_the_error_of_the_failed_job),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
