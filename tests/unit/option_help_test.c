/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "compiler/command/option_help.h"
#include "compiler/describe/options.h"
#include "tests/unit/fixture.h"

static void assert_printed(struct fixture *f, const struct option *table, const char *name)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);
	assert_non_null(out);
	assert_ok(f, option_help(f->arena, f->diag, table, name, out));
	fclose(out);
	if (strncmp(text, name, strlen(name)) != 0 || text[strlen(name)] != '\n')
		fail_msg("%s: %s", name, text);
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		if (strcspn(line, "\n") > 80)
			fail_msg("%s: %.*s", name, (int)strcspn(line, "\n"), line);
	free(text);
}

static void print_all(
	struct fixture *f, const struct option *top, const struct option *table, const char *prefix)
{
	for (; table->name; table++) {
		const char *name = arena_printf(f->arena, "%s%s", prefix, table->name);
		assert_printed(f, top, name);
		if (table->sub)
			print_all(f, top, table->sub, arena_printf(f->arena, "%s.", name));
	}
}

static void every_option_is_printed_in_80_columns(void **state)
{
	struct fixture *f = *state;
	const struct option *table = vm_options(f->arena);
	print_all(f, table, table, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			every_option_is_printed_in_80_columns, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("option_help", tests, NULL, NULL);
}
