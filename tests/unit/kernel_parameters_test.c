/* SPDX-License-Identifier: MIT */
/*
 * A string given as one parameter reaches the kernel as one parameter and leaves those after it
 * intact.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "imaging/kernel/parameters.h"

static bool is_space(char c)
{
	return strchr(" \t\n\v\f\r\xa0", c);
}

/*
 * The kernel's parser, reimplemented after lib/cmdline.c: cuts one parameter and its value (NULL if
 * it has none) out of the line and returns the rest.
 */
static char *next_parameter(char *line, char **name, char **value)
{
	size_t end = 0, equals = 0;
	bool in_quote = *line == '"', quoted = in_quote;
	line += quoted;
	for (; line[end] && (in_quote || !is_space(line[end])); end++) {
		if (!equals && line[end] == '=')
			equals = end;
		in_quote ^= line[end] == '"';
	}
	*name = line;
	*value = NULL;
	char *rest = line + end + (line[end] != '\0');
	line[end] = '\0';
	if (equals) {
		line[equals] = '\0';
		*value = line + equals + 1;
		if (**value == '"') {
			(*value)++;
			if (line[end - 1] == '"')
				line[end - 1] = '\0';
		}
	}
	if (quoted && end && line[end - 1] == '"')
		line[end - 1] = '\0';
	while (is_space(*rest) && *rest)
		rest++;
	return rest;
}

static void arrives_whole(struct arena *arena, const char *text)
{
	char *line = arena_printf(arena, "%s init=/x", parameter_quoted(arena, text)), *name,
	     *value;
	char *rest = next_parameter(line, &name, &value);
	const char *seen = value ? arena_printf(arena, "%s=%s", name, value) : name;
	if (!strchr(text, '"') && strcmp(seen, text) != 0)
		fail_msg("\"%s\" arrives as \"%s\"", text, seen);
	if (strcmp(rest, "init=/x") != 0)
		fail_msg("behind \"%s\" there is \"%s\"", text, rest);
}

static void one_parameter_stays_one(void **state)
{
	static const char *const texts[] = {"quiet", "a=b", "a b", "a=b c", "a b=c d",
		"dyndbg=\"file x.c +p\"", "\"a b=c\"", "a=\"b\"c", "x=à", "=", "a=", "a\tb"};
	struct arena *arena = arena_new();
	(void)state;
	for (size_t i = 0; i < countof(texts); i++) {
		assert_null(parameter_problem(texts[i]));
		arrives_whole(arena, texts[i]);
	}
	arena_free(arena);
}

static void accepted_texts_are_one_parameter(void **state)
{
	static const char letters[] = "a=\" \t-\n\xc3\xa0\x7f.";
	struct arena *arena = arena_new();
	size_t passed = 0;
	(void)state;
	srandom(7);
	for (int i = 0; i < 200000; i++) {
		char text[9] = "";
		size_t length = 1 + (size_t)random() % (sizeof text - 1);
		for (size_t k = 0; k < length; k++)
			text[k] = letters[(size_t)random() % (sizeof letters - 1)];
		if (parameter_problem(text) || is_space(text[0]))
			continue;
		arrives_whole(arena, text);
		passed++;
	}
	assert_true(passed > 10000);
	arena_free(arena);
}

static void problems_are_reported(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{"x=\"y", "not closed"},
		{"\"", "not closed"},
		{"a\"b\"c\"", "not closed"},
		{"a=\"b\" c", "outside"},
		{"\"a\" b", "outside"},
		{"a\nb", "control"},
		{"a\x7f", "control"},
		{"\x1b[31m", "control"},
		{"--", "init"},
	};
	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		const char *said = parameter_problem(cases[i].text);
		if (!said || !strstr(said, cases[i].said))
			fail_msg("\"%s\": %s", cases[i].text, said ? said : "no problem");
	}
}

static void values_are_found(void **state)
{
	static const struct {
		const char *text, *value;
	} cases[] = {
		{"init=/x", "/x"},
		{"init=", ""},
		{"\"init=/x\"", "/x"},
		{"init=\"/a b\"", "/a b"},
		{"init", NULL},
		{"inits=/x", NULL},
		{"xinit=/x", NULL},
	};
	struct arena *arena = arena_new();
	(void)state;
	for (size_t i = 0; i < countof(cases); i++) {
		const char *value = parameter_value(arena, cases[i].text, "init");
		if (cases[i].value)
			assert_string_equal(value, cases[i].value);
		else
			assert_null(value);
	}
	arena_free(arena);
}

static void lines_are_split(void **state)
{
	static const char *const wanted[] = {
		"quiet", "dyndbg=\"file x.c +p\"", "\"a b=c\"", "last"};
	struct arena *arena = arena_new();
	struct strings list = {0};
	(void)state;
	parameters_split(arena, "  quiet dyndbg=\"file x.c +p\"\t\"a b=c\"\nlast\n", &list);
	assert_int_equal(list.n, countof(wanted));
	for (size_t i = 0; i < list.n; i++)
		assert_string_equal(list.v[i], wanted[i]);
	arena_free(arena);
}

static void elements_are_split_at_blanks(void **state)
{
	static const char *const wanted[] = {"console=ttyS0", "x=\"a b\"", "y\nz", "w=\xc3\xa0"};
	struct arena *arena = arena_new();
	struct strings list = {0};
	(void)state;
	parameters_split_element(arena, "console=ttyS0  x=\"a b\"\ty\nz w=\xc3\xa0 ", &list);
	assert_int_equal(list.n, countof(wanted));
	for (size_t i = 0; i < list.n; i++)
		assert_string_equal(list.v[i], wanted[i]);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_parameter_stays_one),
		cmocka_unit_test(accepted_texts_are_one_parameter),
		cmocka_unit_test(problems_are_reported),
		cmocka_unit_test(values_are_found),
		cmocka_unit_test(lines_are_split),
		cmocka_unit_test(elements_are_split_at_blanks),
	};
	return cmocka_run_group_tests_name("kernel_parameters", tests, NULL, NULL);
}
