/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/table.h"

static void keeps_the_order_under_one_hash(void **state)
{
	(void)state;
	enum { HASHES = 100, EACH = 5 };
	/* They begin at the last slots, so that they go on at the first ones. */
	const uint64_t last = UINT64_MAX - 2;
	struct table table = {0};
	for (size_t i = 0; i < (size_t)HASHES * EACH; i++)
		table_add(NULL, &table, last + i % HASHES, i);
	for (size_t hash = 0; hash < HASHES; hash++) {
		struct table_search search = table_search(last + hash);
		size_t number, expected = hash;
		while (table_next(&table, &search, &number)) {
			assert_int_equal(number, expected);
			expected += HASHES;
		}
		assert_int_equal(expected, hash + (size_t)HASHES * EACH);
	}
	table_free(&table);
}

static void finds_nothing_unknown(void **state)
{
	(void)state;
	struct table table = {0};
	struct table_search search = table_search(7);
	size_t number;
	assert_false(table_next(&table, &search, &number));
	table_add(NULL, &table, 7 + 64, 1); /* the slot of 7 */
	search = table_search(7);
	assert_false(table_next(&table, &search, &number));
	table_clear(&table);
	search = table_search(7 + 64);
	assert_false(table_next(&table, &search, &number));
	table_free(&table);
}

static void replaces_a_number(void **state)
{
	(void)state;
	struct arena *arena = arena_new();
	struct table table = {0};
	table_add(arena, &table, 7, 1);
	table_add(arena, &table, 7, 2);
	table_replace(&table, 7, 2, 3);
	struct table_search search = table_search(7);
	size_t first, second, third;
	assert_true(table_next(&table, &search, &first));
	assert_true(table_next(&table, &search, &second));
	assert_false(table_next(&table, &search, &third));
	assert_int_equal(first, 1);
	assert_int_equal(second, 3);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_order_under_one_hash),
		cmocka_unit_test(finds_nothing_unknown),
		cmocka_unit_test(replaces_a_number),
	};
	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
