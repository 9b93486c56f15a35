/* SPDX-License-Identifier: MIT */
/* mvm-host journal, through which microvm-run prints for the journal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fixture.h"

static const char *host_program(void)
{
	const char *path = getenv("MVM_HOST");
	return path && *path ? path : "build/mvm-host";
}

/* `text` is a format for printf(1). */
static void expect(struct fixture *f, const char *text, const char *wanted)
{
	char *real = realpath(host_program(), NULL);
	assert_non_null(real);
	struct process_result result = shell_try(
		f, arena_printf(f->arena, "printf '%s' | %s journal", text, real), NULL, NULL);
	free(real);
	assert_int_equal(result.exit_status, 0);
	assert_string_equal(result.output.p, wanted);
}

static void text_is_unchanged(void **state)
{
	expect(*state, "one\\n\\n\\ttwo \\303\\244\\nrest", "one\n\n\ttwo \303\244\nrest");
}

static void carriage_returns_begin_lines(void **state)
{
	expect(*state, "a\\r\\nb\\r\\n", "a\nb\n");
	expect(*state, "\\rThe system is going down\\r\\n", "The system is going down\n");
	expect(*state, "10 %%\\r20 %%\\r\\n", "10 %\n20 %\n");
}

static void control_characters_are_dropped(void **state)
{
	expect(*state, "[\\033[0;32m  OK  \\033[0m] up\\n", "[  OK  ] up\n");
	expect(*state, "\\033(B\\033[mhello\\n", "hello\n");
	expect(*state, "\\033]0;title\\007a\\033]0;b\\033\\\\c\\0337\\007\\001d\\n", "acd\n");
	expect(*state, "\\033[31\\nnext\\n", "\nnext\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(text_is_unchanged, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			carriage_returns_begin_lines, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			control_characters_are_dropped, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
