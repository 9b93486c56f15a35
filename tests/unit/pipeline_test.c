/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/pipeline.h"

enum { THREADS = 4, CAPACITY = 6, ITEMS = 2000 };

struct counts {
	atomic_uint done;
	atomic_bool busy[THREADS];
	atomic_uint faults; /* cmocka's assertions work in the main thread only */
};

static void square(void *context, size_t worker, void *item)
{
	struct counts *counts = context;
	unsigned *number = item;
	if (worker >= THREADS || atomic_exchange(&counts->busy[worker], true))
		counts->faults++;
	for (volatile unsigned wait = *number % 7 * 100; wait; wait--)
		continue;
	*number *= *number;
	counts->done++;
	counts->busy[worker % THREADS] = false;
}

static void assert_in_order(unsigned threads, bool is_short)
{
	struct counts counts = {0};
	unsigned items[CAPACITY], next = 0;
	struct pipeline *pipeline = pipeline_new(threads, CAPACITY, square, &counts);
	for (unsigned i = 0; i < ITEMS; i++) {
		if (pipeline_count(pipeline) == CAPACITY) {
			const unsigned *item = pipeline_retire(pipeline, true);
			assert_int_equal(*item, next * next);
			next++;
		}
		items[i % CAPACITY] = i;
		pipeline_submit(pipeline, &items[i % CAPACITY], is_short);
	}
	for (const unsigned *item; (item = pipeline_retire(pipeline, true)); next++)
		assert_int_equal(*item, next * next);
	assert_int_equal(next, ITEMS);
	assert_null(pipeline_retire(pipeline, false));
	pipeline_free(pipeline);
	assert_int_equal(counts.done, ITEMS);
	assert_int_equal(counts.faults, 0);
}

static void returns_items_in_their_order(void **state)
{
	(void)state;
	for (unsigned threads = 0; threads <= THREADS; threads++) {
		assert_in_order(threads, false);
		assert_in_order(threads, true);
	}
}

static void forgets_what_is_under_way(void **state)
{
	(void)state;
	struct counts counts = {0};
	unsigned items[CAPACITY] = {0};
	struct pipeline *pipeline = pipeline_new(THREADS, CAPACITY, square, &counts);
	for (unsigned i = 0; i < CAPACITY; i++)
		pipeline_submit(pipeline, &items[i], false);
	pipeline_free(pipeline);
	assert_in_range(counts.done, 0, CAPACITY);
	pipeline_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(returns_items_in_their_order),
		cmocka_unit_test(forgets_what_is_under_way),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
