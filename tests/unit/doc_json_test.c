/* SPDX-License-Identifier: MIT */
/* Scalars of a description as JSON, also checked by json-c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>

#include "base/node_json.h"
#include "tests/unit/fixture.h"

static void assert_scalar(const char *text, bool quoted, const char *expected)
{
	const struct node node = {.kind = NODE_SCALAR, .text = text, .quoted = quoted};
	BUF_CLEANUP struct buf out = {0};
	json_put_scalar(&out, &node);
	assert_string_equal(buf_text(&out), expected);
	struct json_tokener *tokener = json_tokener_new();
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	struct json_object *parsed = json_tokener_parse_ex(tokener, out.p, (int)out.n + 1);
	assert_int_equal(json_tokener_get_error(tokener), json_tokener_success);
	json_object_put(parsed);
	json_tokener_free(tokener);
}

/* YAML 1.2's core schema, section 10.3. */
static void plain_scalars_are_typed(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"", "null"},
		{"~", "null"},
		{"null", "null"},
		{"NULL", "null"},
		{"nUll", "\"nUll\""},
		{"true", "true"},
		{"True", "true"},
		{"FALSE", "false"},
		{"yes", "\"yes\""},
		{"on", "\"on\""},
		{"0", "0"},
		{"-0", "-0"},
		{"12", "12"},
		{"+12", "12"},
		{"-3", "-3"},
		{"007", "7"},
		{"000", "0"},
		{"-012", "-12"},
		{"0x1F", "31"},
		{"0xg", "\"0xg\""},
		{"0x", "\"0x\""},
		{"-0x1", "\"-0x1\""},
		{"0o17", "15"},
		{"0o8", "\"0o8\""},
		{"18446744073709551616", "18446744073709551616"},
		{"0xFFFFFFFFFFFFFFFFF", "\"0xFFFFFFFFFFFFFFFFF\""},
		{"1.5", "1.5"},
		{".5", "0.5"},
		{"-.5", "-0.5"},
		{"5.", "5"},
		{"1.10", "1.10"},
		{"00.5", "0.5"},
		{"1e3", "1e3"},
		{"1.E-3", "1E-3"},
		{"+1.5E+3", "1.5E+3"},
		{".", "\".\""},
		{"-", "\"-\""},
		{"+", "\"+\""},
		{"1e", "\"1e\""},
		{"1e+", "\"1e+\""},
		{"e3", "\"e3\""},
		{"1.2.3", "\"1.2.3\""},
		{"1_000", "\"1_000\""},
		{"1 2", "\"1 2\""},
		{"--1", "\"--1\""},
		{".inf", "\".inf\""},
		{".nan", "\".nan\""},
		{"12:30", "\"12:30\""},
		{"a", "\"a\""},
	};
	for (size_t i = 0; i < countof(cases); i++)
		assert_scalar(cases[i][0], false, cases[i][1]);
}

static void quoted_scalars_are_strings(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"", "\"\""},
		{"12", "\"12\""},
		{"true", "\"true\""},
		{"null", "\"null\""},
		{"a/b", "\"a/b\""},
		{"\"\\", "\"\\\"\\\\\""},
		{"\t\n\r\b\f", "\"\\t\\n\\r\\b\\f\""},
		{"\x01\x1f", "\"\\u0001\\u001f\""},
		{"ünï", "\"ünï\""},
	};
	for (size_t i = 0; i < countof(cases); i++)
		assert_scalar(cases[i][0], true, cases[i][1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(plain_scalars_are_typed),
		cmocka_unit_test(quoted_scalars_are_strings)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
