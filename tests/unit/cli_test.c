/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compiler/command/cli.h"
#include "tests/unit/fixture.h"

#define LINE(...) ((char *[]){(char[]){"mvmbuild"}, __VA_ARGS__, NULL})
#define WORD(text) ((char[]){text})

static bool parse(struct fixture *f, char *const line[], struct cli *cli)
{
	int count = 0;
	while (line[count])
		count++;
	return cli_parse(f->arena, f->diag, count, line, stdout, cli);
}

static void empty_words_are_refused(void **state)
{
	struct fixture *f = *state;
	struct cli cli;
	assert_false(parse(f, LINE(WORD("check"), WORD("")), &cli));
	assert_said(f, "argument 1 of check is empty");
	assert_false(parse(f, LINE(WORD("why"), WORD("vm.yaml"), WORD("")), &cli));
	assert_said(f, "argument 2 of why is empty");
	assert_int_equal(diag_status(f->diag), STATUS_USAGE);
}

static void jobs_may_be_zero(void **state)
{
	struct fixture *f = *state;
	struct cli cli;
	assert_ok(f, parse(f, LINE(WORD("plan"), WORD("vm.yaml"), WORD("-j"), WORD("0")), &cli));
	assert_true(cli.settings.all_cpus);
	assert_ok(f, parse(f, LINE(WORD("plan"), WORD("vm.yaml"), WORD("-j2")), &cli));
	assert_false(cli.settings.all_cpus);
	assert_int_equal(cli.settings.jobs, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			empty_words_are_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(jobs_may_be_zero, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("cli", tests, NULL, NULL);
}
