/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compiler/inspect/diff.h"
#include "compiler/inspect/json_diff.h"
#include "tests/unit/fixture.h"

/* ---- closures ---- */

enum { MOST = 8 };

/* Each name is "X-NAME"; the letter X becomes the path's hash. Every path has 100 bytes. */
static struct closure closure_of(struct fixture *f, const char *const *names)
{
	struct store_path *paths = arena_alloc(f->arena, MOST * sizeof *paths);
	struct closure closure = {.v = paths};
	for (; *names; names++, closure.n++) {
		const char *path = arena_printf(
			f->arena, "/s/%c0000000000000000000000000000000-%s", **names, *names + 2);
		paths[closure.n] =
			(struct store_path){.path = path, .name = path + 3, .nar_size = 100};
	}
	return closure;
}

/* The differences as one line of "kind name before>after size;". */
static const char *package_changes_of(
	struct fixture *f, const char *const *before, const char *const *after)
{
	static const char kinds[] = {[PACKAGE_ADDED] = '+',
		[PACKAGE_REMOVED] = '-',
		[PACKAGE_VERSION] = 'v',
		[PACKAGE_REBUILT] = 'r'};
	const struct closure a = closure_of(f, before), b = closure_of(f, after);
	struct closure_diff diff;
	const char *text = "";
	closure_diff(f->arena, &a, &b, &diff);
	for (size_t i = 0; i < diff.packages.n; i++) {
		const struct package_change *change = &diff.packages.v[i];
		text = arena_printf(f->arena, "%s%c %s %s>%s %d;", text, kinds[change->kind],
			change->name, change->before, change->after, (int)change->size_change);
	}
	return text;
}
#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static void version_changes_are_found(void **state)
{
	struct fixture *f = *state;
	assert_string_equal(
		package_changes_of(f, NAMES("a-x-1.0", "b-y-2"), NAMES("a-x-1.0", "b-y-2")), "");
	assert_string_equal(
		package_changes_of(f, NAMES("a-x-1.0"), NAMES("b-x-1.1")), "v x 1.0>1.1 0;");
	assert_string_equal(
		package_changes_of(f, NAMES("a-x-1.0"), NAMES("b-x-1.0")), "r x 1.0>1.0 0;");
	assert_string_equal(
		package_changes_of(f, NAMES("a-x-1.0"), NAMES("a-x-1.0", "b-y-2")), "+ y >2 100;");
	assert_string_equal(package_changes_of(f, NAMES("a-x-1.0", "b-etc"), NAMES("a-x-1.0")),
		"- etc > -100;");
	/* Outputs belong to one package, and several versions may coexist. */
	assert_string_equal(package_changes_of(f, NAMES("a-x-1.0", "b-x-1.0-bin", "c-x-1.0-dev"),
				    NAMES("d-x-1.1", "e-x-1.1-bin")),
		"v x 1.0>1.1 -100;");
	assert_string_equal(package_changes_of(f, NAMES("a-x-1.0"), NAMES("a-x-1.0", "b-x-2.0")),
		"v x 1.0>1.0, 2.0 100;");
	/* A name that is a prefix of another is a different package. */
	assert_string_equal(
		package_changes_of(f, NAMES("a-x-1.0", "b-xy-1.0"), NAMES("c-x-2.0", "b-xy-1.0")),
		"v x 1.0>2.0 0;");
	assert_string_equal(package_changes_of(f, NAMES("b-etc"), NAMES("a-etc")), "r etc > 0;");
}

/* ---- JSON ---- */

static const char *json_changes_of(struct fixture *f, const char *before, const char *after)
{
	struct json_object *a = json_tokener_parse(before), *b = json_tokener_parse(after);
	struct json_changes changes = {0};
	const char *text = "";
	json_diff(f->arena, "", a, b, &changes);
	for (size_t i = 0; i < changes.n; i++)
		text = arena_printf(f->arena, "%s%s:%s>%s;", text, changes.v[i].where,
			changes.v[i].before ? changes.v[i].before : "",
			changes.v[i].after ? changes.v[i].after : "");
	json_object_put(a);
	json_object_put(b);
	return text;
}

static void value_changes_are_found(void **state)
{
	static const struct {
		const char *before, *after, *expected;
	} cases[] = {
		{"{\"a\":1,\"b\":[1,{\"c\":2}]}", "{\"b\":[1,{\"c\":2}],\"a\":1}", ""},
		{"{\"a\":{\"b\":1}}", "{\"a\":{\"b\":2}}", "a.b:1>2;"},
		{"{\"a\":1}", "{\"b\":1}", "a:1>;b:>1;"},
		{"{\"a\":null}", "{\"a\":false}", "a:>false;"},
		{"[\"a\",\"b\",\"c\",\"d\"]", "[\"a\",\"x\",\"c\",\"d\"]", ":b>;:>x;"},
		{"[\"a\",\"b\",\"c\"]", "[\"c\",\"a\",\"b\"]", ":>c;:c>;"},
		{"[]", "[\"a\"]", ":>a;"},
		{"[\"a\",\"a\",\"b\"]", "[\"a\",\"b\"]", ":a>;"},
		{"{\"v\":[{\"id\":\"x\",\"n\":1},{\"id\":\"y\"}]}",
			"{\"v\":[{\"id\":\"y\"},{\"id\":\"x\",\"n\":2}]}", "v[x].n:1>2;"},
		{"{\"v\":[{\"n\":1}]}", "{\"v\":[{\"n\":2},{\"n\":3}]}",
			"v[0].n:1>2;v[1]:>{\"n\":3};"},
		{"{\"a\":[1]}", "{\"a\":\"x\"}", "a:[1]>x;"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(cases); i++)
		assert_string_equal(
			json_changes_of(f, cases[i].before, cases[i].after), cases[i].expected);
}

/*
 * Lists too long to be compared item by item are reported as entirely replaced; nothing is omitted.
 */
static void long_lists_are_replaced(void **state)
{
	struct fixture *f = *state;
	enum { LONG = 3000 };
	struct json_object *a = json_object_new_array(), *b = json_object_new_array();
	struct json_changes changes = {0};
	for (int i = 0; i < LONG; i++) {
		json_object_array_add(a, json_object_new_int(i));
		json_object_array_add(b, json_object_new_int(i + LONG));
	}
	json_diff(f->arena, "x", a, b, &changes);
	assert_int_equal(changes.n, 2 * LONG);
	assert_string_equal(changes.v[0].before, "0");
	assert_string_equal(changes.v[2 * LONG - 1].after, "5999");
	json_object_put(a);
	json_object_put(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			version_changes_are_found, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			value_changes_are_found, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			long_lists_are_replaced, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
