/* SPDX-License-Identifier: MIT */
/* mvm-host tty, as microvm-run uses it. MVM_HOST names the program. */
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

static struct process_result tty(struct fixture *f, const char *arguments)
{
	char *real = realpath(host_program(), NULL);
	assert_non_null(real);
	struct process_result result =
		shell_try(f, arena_printf(f->arena, "%s tty %s", real, arguments), NULL, NULL);
	free(real);
	return result;
}

static void standard_input_is_a_terminal(void **state)
{
	struct fixture *f = *state;
	struct process_result result = tty(f,
		"name sh -c 'tty; stty raw && echo \"$0\"; stty -a | grep -o -- -icanon' "
		"</dev/null");
	assert_int_equal(result.exit_status, 0);
	assert_non_null(strstr(result.output.p, "/dev/pts/"));
	assert_non_null(strstr(result.output.p, "name\n-icanon"));
}

/* Output is unchanged, the process keeps its id, and its exit status is passed on. */
static void output_and_status_are_unchanged(void **state)
{
	struct fixture *f = *state;
	struct process_result result =
		tty(f, "name sh -c 'test ! -t 1; echo out; echo err >&2; exit 7' </dev/null");
	assert_int_equal(result.exit_status, 7);
	assert_string_equal(result.output.p, "out\n");
	assert_string_equal(result.error.p, "err\n");
}

/* Reading blocks, as if waiting for a key press: neither end of file nor an error. */
static void input_never_ends(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(tty(f, "name timeout 0.5 cat </dev/null").exit_status, 124);
}

static void a_missing_program_is_reported(void **state)
{
	struct fixture *f = *state;
	struct process_result result = tty(f, "name /no/such/program </dev/null");
	assert_int_equal(result.exit_status, 1);
	assert_non_null(strstr(result.error.p, "/no/such/program: No such file"));
	assert_int_equal(tty(f, "name").exit_status, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			standard_input_is_a_terminal, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			output_and_status_are_unchanged, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(input_never_ends, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_missing_program_is_reported, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
