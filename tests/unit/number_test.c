/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/number.h"
#include "tests/unit/fixture.h"

static void only_digits_in_the_range_are_numbers(void **state)
{
	static const char *const wrong[] = {
		"", " 1", "1 ", "+1", "-1", "1a", "0x1", "18446744073709551616", "4", "21"};
	(void)state;
	uint64_t number = 7;
	for (size_t i = 0; i < countof(wrong); i++)
		assert_false(number_parse(wrong[i], 5, 20, &number));
	assert_int_equal(number, 7);
	assert_true(number_parse("5", 5, 20, &number) && number == 5);
	assert_true(number_parse("020", 5, 20, &number) && number == 20);
	assert_true(number_parse("18446744073709551615", 0, UINT64_MAX, &number));
	assert_true(number == UINT64_MAX);
}

static void digits_belong_to_their_base(void **state)
{
	(void)state;
	uint64_t number = 0;
	assert_true(number_parse_base("1777", 8, 0, 07777, &number) && number == 01777);
	assert_false(number_parse_base("8", 8, 0, 07777, &number));
	assert_true(number_parse_base("ff", 16, 0, 255, &number) && number == 255);
	assert_false(number_parse_base("FF", 16, 0, 255, &number));
}

static void bytes_are_two_digits_each(void **state)
{
	static const char *const wrong[] = {"", "0a1", "0a1f0", "0A1f", "0a1g", "0a1f00"};
	(void)state;
	unsigned char bytes[2];
	assert_true(hex_parse("0a1f", bytes, 2));
	assert_true(bytes[0] == 0x0a && bytes[1] == 0x1f);
	for (size_t i = 0; i < countof(wrong); i++)
		assert_false(hex_parse(wrong[i], bytes, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_digits_in_the_range_are_numbers),
		cmocka_unit_test(digits_belong_to_their_base),
		cmocka_unit_test(bytes_are_two_digits_each),
	};
	return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
