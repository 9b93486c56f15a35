/* SPDX-License-Identifier: MIT */
/* Command lines, split and checked by a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arguments.h"
#include "tests/unit/fixture.h"

enum style { PLAIN, FANCY };

struct target {
	bool force;
	const char *output, *depfile;
	struct strings sets;
	enum style style;
};

enum { BUILD, LOOK, SHELL };

static const struct argument_command commands[] = {
	[BUILD] = {"build", "FILE...", "builds", 1, 9},
	[LOOK] = {"look", "", "looks", 0, 0},
	[SHELL] = {"shell", "WORD...", "runs a program", 0, 9},
};

static const struct argument_row rows[] = {
	{'o', "output", ARGUMENT_IS_STRING(struct target, output, "PATH"), .commands = 1 << BUILD,
		.doc = "of a build"},
	{'o', "output", ARGUMENT_IS_STRING(struct target, output, "PATH"), .commands = 1 << LOOK,
		.doc = "of a look"},
	{'M', "depfile", ARGUMENT_IS_STRING(struct target, depfile, "FILE"), .commands = 1 << BUILD,
		.doc = "a rule"},
	{.name = "force",
		ARGUMENT_IS_FLAG(struct target, force),
		.commands = 1 << BUILD,
		.doc = "by force"},
	{.name = "set",
		ARGUMENT_IS_STRINGS(struct target, sets, "KEY"),
		.commands = 3,
		.doc = "sets"},
	{.name = "style",
		ARGUMENT_IS_CHOICE(struct target, style, enum style, "STYLE", "plain", "fancy"),
		.commands = 3,
		.doc = "the style"},
	{.name = "shell",
		.kind = ARGUMENT_COMMAND,
		.commands = 7,
		.program_follows = true,
		.doc = ""},
};

static const struct argument_table table = {
	"prog", rows, countof(rows), commands, countof(commands)};

#define LINE(...) ((char *[]){(char[]){"prog"}, __VA_ARGS__, NULL})
#define WORD(text) ((char[]){text})

/* Reads, checks and stores a command line of `command`; false after an error. */
static bool read_line(struct fixture *f, size_t command, char *const argv[], struct target *target,
	struct arguments *arguments)
{
	int argc = 0;
	while (argv[argc])
		argc++;
	f->diag = diag_new(f->arena);
	*target = (struct target){0};
	return arguments_read(f->arena, f->diag, &table, argc, argv, arguments) &&
		arguments_check(f->arena, f->diag, &table, command, arguments) &&
		arguments_check_words(f->diag, &table, command, &arguments->words) &&
		arguments_store(f->arena, f->diag, &table, command, arguments, target);
}

static void values_are_stored(void **state)
{
	struct fixture *f = *state;
	struct target target;
	struct arguments arguments;
	assert_true(read_line(f, BUILD,
		LINE(WORD("-o"), WORD("there"), WORD("a"), WORD("--force"), WORD("--set=x"),
			WORD("-MD"), WORD("dep"), WORD("--set"), WORD("y"), WORD("--style"),
			WORD("fancy"), WORD("--"), WORD("-b")),
		&target, &arguments));
	assert_string_equal(target.output, "there");
	assert_true(target.force);
	assert_string_equal(target.depfile, "dep");
	assert_int_equal(target.sets.n, 2);
	assert_string_equal(target.sets.v[1], "y");
	assert_int_equal(target.style, FANCY);
	assert_int_equal(arguments.words.n, 2);
	assert_string_equal(arguments.words.v[1], "-b");
	assert_true(arguments.has_separator);
}

static void a_program_keeps_its_options(void **state)
{
	struct fixture *f = *state;
	struct target target;
	struct arguments arguments;
	assert_true(
		read_line(f, SHELL, LINE(WORD("--shell"), WORD("ls"), WORD("--force"), WORD("-o")),
			&target, &arguments));
	assert_int_equal(arguments.words.n, 3);
	assert_string_equal(arguments.words.v[1], "--force");
}

static void what_a_command_does_not_know_is_refused(void **state)
{
	static const struct {
		size_t command;
		const char *words[3], *said;
	} cases[] = {
		{LOOK, {"--force"}, "look has no option --force; build has it"},
		{SHELL, {"--set", "x"}, "shell has no option --set; build and look have it"},
		{BUILD, {"--frce", "a"}, "unknown option --frce; did you mean --force?"},
		{LOOK, {"--frce"}, "unknown option --frce; see prog look --help"},
		{BUILD, {"-zo", "x", "a"}, "unknown option -z; see prog build --help"},
		{BUILD, {"--force=1", "a"}, "--force takes no value"},
		{BUILD, {"a", "--set"}, "--set needs a value: --set KEY"},
		{BUILD, {"a", "--set="}, "--set needs a value: --set KEY"},
		{BUILD, {"--style=odd", "a"}, "--style: expected plain or fancy, not \"odd\""},
		{BUILD, {NULL}, "build needs FILE...; see prog build --help"},
		{LOOK, {"a"}, "look takes no argument; \"a\" is one argument too many"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(cases); i++) {
		char *line[] = {WORD("prog"), NULL, NULL, NULL, NULL};
		struct target target;
		struct arguments arguments;
		for (size_t k = 0; k < 3 && cases[i].words[k]; k++)
			line[k + 1] = arena_strdup(f->arena, cases[i].words[k]);
		assert_false(read_line(f, cases[i].command, line, &target, &arguments));
		assert_string_equal(diag_error_text(f->diag, 0), cases[i].said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(values_are_stored, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_program_keeps_its_options, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			what_a_command_does_not_know_is_refused, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
