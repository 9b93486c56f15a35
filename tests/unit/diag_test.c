/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "base/buf.h"
#include "base/diag.h"
#include "tests/unit/fixture.h"

static const char *printed(struct fixture *f, enum diag_format format, bool quiet)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	diag_print(f->diag, stream, format, quiet);
	fclose(stream);
	const char *kept = arena_strdup(f->arena, text);
	free(text);
	return kept;
}

static const char *member(struct json_object *object, const char *name)
{
	struct json_object *value = NULL;
	assert_true(json_object_object_get_ex(object, name, &value));
	return json_object_get_string(value);
}

static void counts_and_remembers_the_first_status(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(diag_status(f->diag), STATUS_OK);
	diag_warning(f->diag, NULL, "w", "careful");
	diag_note(f->diag, NULL, "n", "by the way");
	assert_int_equal(diag_error_count(f->diag), 0);
	assert_int_equal(diag_status(f->diag), STATUS_OK);
	assert_false(diag_error(f->diag, STATUS_DESCRIPTION, NULL, "one", "first %d", 1));
	assert_false(diag_error(f->diag, STATUS_INPUT, NULL, "two", "second"));
	assert_int_equal(diag_error_count(f->diag), 2);
	assert_int_equal(diag_status(f->diag), STATUS_DESCRIPTION);
	assert_string_equal(printed(f, DIAG_HUMAN, false),
		"mvmbuild: warning: careful [w]\nmvmbuild: note: by the way [n]\n"
		"mvmbuild: error: first 1 [one]\nmvmbuild: error: second [two]\n");
	/* Messages that were printed are not printed again. */
	assert_string_equal(printed(f, DIAG_HUMAN, false), "");
	diag_warning(f->diag, NULL, "w", "again");
	diag_error(f->diag, STATUS_FAILED, &(struct pos){.file = "vm.yaml"}, "three", "third");
	assert_string_equal(printed(f, DIAG_HUMAN, true), "vm.yaml: error: third [three]\n");
}

static void shows_the_line_and_a_caret(void **state)
{
	static const char text[] = "hostName: web\n"
				   "\tmemory: x\r\n"
				   "größe: \xe6\x97\xa5\xe6\x9c\xac 12\n"
				   "\n"
				   "last";
	static const struct {
		struct pos where;
		const char *expected;
	} cases[] = {
		{{"a.yaml", 1, 1, 8},
			"a.yaml:1:1: error: bad [c]\n    1 | hostName: web\n      | ^~~~~~~~\n"},
		{{"a.yaml", 1, 11, 3},
			"a.yaml:1:11: error: bad [c]\n    1 | hostName: web\n      |           "
			"^~~\n"},
		/* A tab is shown as one space, so that the caret stands below the right column. */
		{{"a.yaml", 2, 10, 1},
			"a.yaml:2:10: error: bad [c]\n    2 |  memory: x\n      |          ^\n"},
		/* Columns count characters. */
		{{"a.yaml", 3, 11, 2},
			"a.yaml:3:11: error: bad [c]\n    3 | größe: 日本 12\n      |           "
			"^~\n"},
		{{"a.yaml", 4, 1, 0}, "a.yaml:4:1: error: bad [c]\n    4 | \n      | ^\n"},
		{{"a.yaml", 5, 5, 1}, "a.yaml:5:5: error: bad [c]\n    5 | last\n      |     ^\n"},
		{{"a.yaml", 6, 1, 1}, "a.yaml:6:1: error: bad [c]\n"},
		{{"b.yaml", 1, 1, 1}, "b.yaml:1:1: error: bad [c]\n"},
		{{"a.yaml", 0, 0, 0}, "a.yaml: error: bad [c]\n"},
	};
	struct fixture *f = *state;
	diag_add_source(f->diag, "a.yaml", text, sizeof text - 1);
	for (size_t i = 0; i < countof(cases); i++) {
		diag_error(f->diag, STATUS_DESCRIPTION, &cases[i].where, "c", "bad");
		assert_string_equal(printed(f, DIAG_HUMAN, false), cases[i].expected);
	}
}

/* Only the part of a long line around the position is shown, cut at character boundaries. */
static void long_lines_are_cut(void **state)
{
	struct fixture *f = *state;
	BUF_CLEANUP struct buf text = {0};
	for (int i = 0; i < 1000; i++)
		buf_puts(&text, "é");
	diag_add_source(f->diag, "a", text.p, text.n);
	diag_error(f->diag, STATUS_DESCRIPTION, &(struct pos){"a", 1, 2, 4000000000u}, "c", "bad");
	const char *shown = printed(f, DIAG_HUMAN, false);
	assert_non_null(strstr(shown, "é…\n"));
	assert_true(strlen(shown) < 600);
	diag_error(f->diag, STATUS_DESCRIPTION, &(struct pos){"a", 1, 500, 1}, "c", "bad");
	shown = printed(f, DIAG_HUMAN, false);
	assert_non_null(strstr(shown, "a:1:500: error: bad [c]\n    1 | …éé"));
	assert_non_null(strstr(shown, "é…\n"));
	const char *caret = strstr(shown, "      | ");
	assert_int_equal(strspn(caret + 8, " "), 61);
	/* The column lies beyond the end of the line. */
	diag_error(f->diag, STATUS_DESCRIPTION, &(struct pos){"a", 1, 4000000000u, 1}, "c", "bad");
	assert_true(strlen(printed(f, DIAG_HUMAN, false)) < 200);
}

/* Messages of several passes and files are sorted by position; notes stay with their message. */
static void messages_are_sorted_by_position(void **state)
{
	struct fixture *f = *state;
	diag_add_source(f->diag, "b", "1\n2\n3\n", 6);
	diag_add_source(f->diag, "a", "1\n", 2);
	diag_error(f->diag, STATUS_INPUT, NULL, "no-place", "z");
	diag_error(f->diag, STATUS_DESCRIPTION, &(struct pos){"a", 1, 1, 1}, "x",
		"in the second file");
	diag_note(f->diag, &(struct pos){"b", 3, 1, 1}, "alone", "a note of its own");
	diag_error(f->diag, STATUS_DESCRIPTION, &(struct pos){"b", 2, 7, 1}, "x", "column 7");
	diag_note(f->diag, &(struct pos){"b", 1, 1, 1}, "x", "first here");
	diag_error(f->diag, STATUS_DESCRIPTION, &(struct pos){"b", 2, 1, 1}, "x", "column 1");
	diag_error(f->diag, STATUS_DESCRIPTION, &(struct pos){"b", 2, 1, 1}, "x", "column 1 again");
	diag_error(f->diag, STATUS_INPUT, &(struct pos){"unread", 9, 1, 1}, "x", "no source");
	assert_int_equal(diag_status(f->diag), STATUS_INPUT);
	char *text = arena_strdup(f->arena, printed(f, DIAG_JSON, false)), *rest = NULL;
	assert_non_null(strstr(text, "\"notes\":[{\"message\":\"first here\""));
	static const char *const expected[] = {"column 1", "column 1 again", "column 7",
		"a note of its own", "in the second file", "no source", "z"};
	for (size_t i = 0; i < countof(expected); i++) {
		struct json_object *object =
			json_tokener_parse(strtok_r(i ? NULL : text, "\n", &rest));
		assert_string_equal(member(object, "message"), expected[i]);
		json_object_put(object);
	}
}

/* An argument is shown without line and column numbers. The same argument may be given twice. */
static void arguments_are_shown_without_numbers(void **state)
{
	struct fixture *f = *state;
	char first[] = "--set a", second[] = "--set a";
	diag_add_argument(f->diag, first, "a=1");
	diag_add_argument(f->diag, second, "a=x");
	const struct pos where = {second, 1, 3, 1};
	diag_error(f->diag, STATUS_DESCRIPTION, &where, "c", "bad");
	assert_string_equal(printed(f, DIAG_HUMAN, false),
		"--set a: error: bad [c]\n      | a=x\n      |   ^\n");
	diag_error(f->diag, STATUS_DESCRIPTION, &where, "c", "bad");
	assert_null(strstr(printed(f, DIAG_JSON, false), "line"));
}

/* Control sequences in a description or a file name must not reach the terminal. */
static void commands_to_the_terminal_are_defused(void **state)
{
	static const char line[] = "x: \x1b]0;owned\x07 \xc2\x9b"
				   "31m \xff \x7f";
	struct fixture *f = *state;
	diag_add_source(f->diag, "\x1b[2J.yaml", line, sizeof line - 1);
	diag_error(f->diag, STATUS_DESCRIPTION, &(struct pos){"\x1b[2J.yaml", 1, 1, 1}, "c",
		"no \"\x1b[31m\xc2\x9b\xc3\x28\xed\xa0\x80ok é\"");
	const char *shown = printed(f, DIAG_HUMAN, false);
	assert_string_equal(shown,
		"\\x1b[2J.yaml:1:1: error: no \"\\x1b[31m\\xc2\\x9b\\xc3(\\xed\\xa0\\x80ok é\" "
		"[c]\n"
		"    1 | x:  ]0;owned   31m ?  \n      | ^\n");
}

/*
 * Bidirectional controls must not reorder the text around a name, and line breaks in it must not
 * imitate a second message.
 */
static void names_stay_in_their_place(void **state)
{
	struct fixture *f = *state;
	diag_error(f->diag, STATUS_FAILED, NULL, "c", "%s",
		"a\u202egnp.exe \u2066b\u2069 \u200e\u061c\u2028\x7f naïve 日本");
	assert_string_equal(printed(f, DIAG_HUMAN, false),
		"mvmbuild: error: a\\xe2\\x80\\xaegnp.exe \\xe2\\x81\\xa6b\\xe2\\x81\\xa9 "
		"\\xe2\\x80\\x8e\\xd8\\x9c\\xe2\\x80\\xa8\\x7f naïve 日本 [c]\n");
	diag_error(f->diag, STATUS_FAILED, NULL, "c", "cannot read %s",
		"x\nmvmbuild: error: all is lost");
	assert_string_equal(printed(f, DIAG_HUMAN, false),
		"mvmbuild: error: cannot read x\n    mvmbuild: error: all is lost [c]\n");
}

static void json_has_one_object_per_line(void **state)
{
	struct fixture *f = *state;
	char all[256];
	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	diag_error(f->diag, STATUS_DESCRIPTION, &(struct pos){"a \"b\".yaml", 3, 4, 5},
		"unknown-option", "unknown \"%s\"", "größe\n/x");
	diag_warning(f->diag, NULL, "odd", "%s", all);
	diag_note(f->diag, &(struct pos){all, 1, 1, 1}, "odd", "n");
	char *text = arena_strdup(f->arena, printed(f, DIAG_JSON, false)), *rest = NULL;
	struct json_object *first = json_tokener_parse(strtok_r(text, "\n", &rest));
	assert_string_equal(member(first, "severity"), "error");
	assert_string_equal(member(first, "code"), "unknown-option");
	assert_string_equal(member(first, "message"), "unknown \"größe\n/x\"");
	assert_string_equal(member(first, "file"), "a \"b\".yaml");
	assert_string_equal(member(first, "line"), "3");
	assert_string_equal(member(first, "column"), "4");
	json_object_put(first);
	/* The tokener is strict: it refuses invalid UTF-8. */
	struct json_tokener *tokener = json_tokener_new();
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	const char *line = strtok_r(NULL, "\n", &rest);
	struct json_object *object = json_tokener_parse_ex(tokener, line, (int)strlen(line) + 1),
			   *notes = NULL;
	assert_non_null(object);
	assert_memory_equal(member(object, "message"), all, 127);
	assert_true(json_object_object_get_ex(object, "notes", &notes));
	assert_int_equal(json_object_array_length(notes), 1);
	assert_memory_equal(member(json_object_array_get_idx(notes, 0), "file"), all, 127);
	json_object_put(object);
	json_tokener_free(tokener);
	assert_null(strtok_r(NULL, "\n", &rest));
}

static size_t count_lines(const char *text)
{
	size_t lines = 0;
	for (; *text; text++)
		lines += *text == '\n';
	return lines;
}

static void ten_thousand_errors_are_cut_short(void **state)
{
	struct fixture *f = *state;
	BUF_CLEANUP struct buf text = {0};
	for (int i = 0; i < 10000; i++)
		buf_printf(&text, "key%d: x\n", i);
	diag_add_source(f->diag, "a", text.p, text.n);
	for (unsigned i = 0; i < 10000; i++)
		diag_error(f->diag, STATUS_DESCRIPTION, &(struct pos){"a", i + 1, 1, 3},
			"unknown-option", "unknown option \"key%u\"", i);
	assert_int_equal(diag_error_count(f->diag), 10000);
	const char *shown = printed(f, DIAG_HUMAN, false);
	assert_int_equal(count_lines(shown), 50 * 3 + 1);
	assert_non_null(strstr(shown, "\nmvmbuild: 9950 more errors; --format json prints all\n"));
	for (unsigned i = 0; i < 10000; i++)
		diag_error(f->diag, STATUS_DESCRIPTION, &(struct pos){"a", i + 1, 1, 3},
			"unknown-option", "unknown option \"key%u\"", i);
	assert_int_equal(count_lines(printed(f, DIAG_JSON, false)), 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			counts_and_remembers_the_first_status, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			shows_the_line_and_a_caret, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			long_lines_are_cut, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			messages_are_sorted_by_position, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			arguments_are_shown_without_numbers, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			commands_to_the_terminal_are_defused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			names_stay_in_their_place, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			json_has_one_object_per_line, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			ten_thousand_errors_are_cut_short, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("diag", tests, NULL, NULL);
}
