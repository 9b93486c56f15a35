/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/plain_options.h"
#include "tests/unit/fixture.h"

static void takes_what_is_next(void **state)
{
	(void)state;
	char words[4][8] = {"--flag", "--name", "--flag", "--name"};
	char *arguments[] = {words[0], words[1], words[2], words[3], NULL}, **at = arguments;
	const char *value = NULL;
	bool flag = false;
	assert_false(option_take_value(&at, "--name", &value));
	assert_true(option_take_flag(&at, "--flag", &flag) && flag);
	assert_false(option_take_flag(&at, "--flag", &flag));
	assert_true(option_take_value(&at, "--name", &value));
	assert_string_equal(value, "--flag");
	assert_false(option_take_value(&at, "--name", &value)); /* without a value */
	assert_ptr_equal(at, arguments + 3);
	at++;
	assert_false(option_take_value(&at, "--name", &value));
	assert_false(option_take_flag(&at, "--flag", &flag));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(takes_what_is_next)};
	return cmocka_run_group_tests_name("plain_options", tests, NULL, NULL);
}
