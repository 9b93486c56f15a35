/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "compiler/describe/doc.h"
#include "tests/unit/fixture.h"

/* Appends the tree as text: {a: 1, b: [x, "y"]}; with `places`: {a@1:1: 1@1:4+1}. */
static void dump(struct buf *out, const struct node *node, bool places)
{
	if (node->kind == NODE_SCALAR)
		buf_printf(out, "%s%s%s", node->quoted ? "\"" : "", node->text,
			node->quoted ? "\"" : "");
	buf_puts(out, node->kind == NODE_LIST ? "[" : node->kind == NODE_MAP ? "{" : "");
	for (size_t i = 0; i < node->items.n; i++) {
		buf_puts(out, i ? ", " : "");
		dump(out, node->items.v[i], places);
	}
	for (size_t i = 0; i < node->entries.n; i++) {
		const struct entry *entry = &node->entries.v[i];
		buf_printf(out, "%s%s", i ? ", " : "", entry->key);
		if (places)
			buf_printf(out, "@%u:%u", entry->key_pos.line, entry->key_pos.column);
		buf_puts(out, ": ");
		dump(out, entry->value, places);
	}
	buf_puts(out, node->kind == NODE_LIST ? "]" : node->kind == NODE_MAP ? "}" : "");
	if (places)
		buf_printf(out, "@%u:%u+%u", node->pos.line, node->pos.column, node->pos.width);
}

static bool read_bytes(
	struct fixture *f, const char *text, size_t size, struct documents *documents)
{
	const struct bytes bytes = {arena_strndup(f->arena, text, size), size};
	*documents = (struct documents){0};
	return doc_parse(f->arena, f->diag, "vm.yaml", &bytes, documents);
}

/* All documents, one per line. */
static const char *tree(struct fixture *f, const char *text, bool places)
{
	struct documents documents;
	assert_ok(f, read_bytes(f, text, strlen(text), &documents));
	BUF_CLEANUP struct buf out = {0};
	for (size_t i = 0; i < documents.n; i++) {
		buf_puts(&out, i ? "\n" : "");
		dump(&out, documents.v[i], places);
	}
	return arena_strdup(f->arena, buf_text(&out));
}

/* The text is refused, or at least causes an error, and this message is among them. */
static void assert_refused_bytes(struct fixture *f, const char *text, size_t size, const char *said)
{
	struct documents documents;
	f->diag = diag_new(f->arena); /* all texts have one file name, so the diag must not know an
					 older one */
	read_bytes(f, text, size, &documents);
	assert_true(diag_error_count(f->diag) > 0);
	assert_int_equal(diag_status(f->diag), STATUS_DESCRIPTION);
	assert_said(f, said);
}

static void assert_refused(struct fixture *f, const char *text, const char *said)
{
	assert_refused_bytes(f, text, strlen(text), said);
}

static void every_node_knows_its_place(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"a: 1", "{a@1:1: 1@1:4+1}@1:1+1"},
		{"# comment\n\nkey:   value # more\n", "{key@3:1: value@3:8+5}@3:1+1"},
		{"a: 'it''s'\nb: \"x\\ny\"\n",
			"{a@1:1: \"it's\"@1:4+7, b@2:1: \"x\ny\"@2:4+6}@1:1+1"},
		{"a:\n  b:\n    c: d\n", "{a@1:1: {b@2:3: {c@3:5: d@3:8+1}@3:5+1}@2:3+1}@1:1+1"},
		{"a:\n- x\n-   y\n", "{a@1:1: [x@2:3+1, y@3:5+1]@2:1+1}@1:1+1"},
		{"a: [x, {b: 'c'}]", "{a@1:1: [x@1:5+1, {b@1:9: \"c\"@1:12+3}@1:8+1]@1:4+1}@1:1+1"},
		{"a: |\n  one\n  two\nb: 2\n",
			"{a@1:1: \"one\ntwo\n\"@1:4+1, b@4:1: 2@4:4+1}@1:1+1"},
		{"a: one\n  two\n", "{a@1:1: one two@1:4+1}@1:1+1"},
		{"a:\nb:\n", "{a@1:1: @1:3+1, b@2:1: @2:3+1}@1:1+1"},
		/* Columns count characters, not bytes. */
		{"größe: ü日本 # x\nb: {ö: é}",
			"{größe@1:1: ü日本@1:8+3, b@2:1: {ö@2:5: é@2:8+1}@2:4+1}@1:1+1"},
		{"a: 1\r\nb: 2\r\n", "{a@1:1: 1@1:4+1, b@2:1: 2@2:4+1}@1:1+1"},
		{"\xef\xbb\xbf"
		 "a: 1\n",
			"{a@1:1: 1@1:4+1}@1:1+1"},
		{"---\na: 1\n...\n---\nb: 2\n", "{a@2:1: 1@2:4+1}@2:1+1\n{b@5:1: 2@5:4+1}@5:1+1"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(cases); i++)
		assert_string_equal(tree(f, cases[i].text, true), cases[i].expected);
}

static void json_is_read_too(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"{\"a\":1,\"b\":[true,false,null],\"c\":{}}",
			"{a: 1, b: [true, false, null], c: {}}"},
		{"{\n\t\"a\" : \"x\",\n\t\"b\":\t[\n\t\t1,\n\t\t2\n\t]\n}\n",
			"{a: \"x\", b: [1, 2]}"},
		{"{\"a\": \"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "{a: \"\"\\/\b\f\n\r\t\"}"},
		{"{\"a\": \"\\u00e9\\u65e5\"}", "{a: \"é日\"}"},
		{"{\"a\": \"\\ud83d\\ude00 \\uD834\\uDD1E\", \"b\": 1}", "{a: \"😀 𝄞\", b: 1}"},
		/* The first backslash escapes the second one here. */
		{"{\"a\": \"\\\\ud83d\\\\ude00\", \"b\": \"\\ud83d\\ude00\"}",
			"{a: \"\\ud83d\\ude00\", b: \"😀\"}"},
		/* YAML, not JSON: single quotes have no escapes. */
		{"{a: '\\ud83d\\ude00'}", "{a: \"\\ud83d\\ude00\"}"},
		{"{\"a\": -1.5e3, \"b\": \"\"}", "{a: -1.5e3, b: \"\"}"},
		{"{\"nix\": \"${x} #no comment: [\"}", "{nix: \"${x} #no comment: [\"}"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(cases); i++)
		assert_string_equal(tree(f, cases[i].text, false), cases[i].expected);
	assert_refused(f, "{\"a\": \"\\ud83d\"}",
		"vm.yaml:1:10: error: the escape sequence is not a character");
}

static void slashes_are_not_always_comments(void **state)
{
	static const char *const texts[] = {"{\"a\": \"//b\", \"c\": \"/* d */\"}",
		"{\"a\": http://b/, \"c\": a//b}", "{\"a\": //b/c}", "{a: b, // c : d}",
		"a: // b\n", "{\"a\": 1, # // b\n\"c\": '\"', \"d\": it's, \"e\": //}"};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(texts); i++) {
		struct documents documents;
		f->diag = diag_new(f->arena);
		read_bytes(f, texts[i], strlen(texts[i]), &documents);
		assert_string_equal(messages(f), "");
	}
}

static void aliases_and_merge_keys_are_resolved(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"a: &x {b: 1}\nc: *x\nd: [*x, *x]", "{a: {b: 1}, c: {b: 1}, d: [{b: 1}, {b: 1}]}"},
		{"a: &x 1\nb: &x 2\nc: *x\n", "{a: 1, b: 2, c: 2}"},
		{"a: &x 1\n*x : 2\n", "{a: 1, 1: 2}"},
		{"a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", "{a: {b: 1, c: 2}, d: {c: 3, b: 1}}"},
		{"a: &x {b: 1, c: 2}\nd: {c: 3, <<: *x}", "{a: {b: 1, c: 2}, d: {c: 3, b: 1}}"},
		/*
		 * With several sources the first one wins, and merge keys inside a source are
		 * followed.
		 */
		{"x: &x {a: 1, b: 1}\ny: &y {<<: *x, b: 2, c: 2}\nz: {<<: [*y, *x], c: 3}",
			"{x: {a: 1, b: 1}, y: {b: 2, c: 2, a: 1}, z: {c: 3, b: 2, a: 1}}"},
		{"x: &x {a: 1}\ny: &y {b: 2}\nz: {<<: *x, <<: *y}",
			"{x: {a: 1}, y: {b: 2}, z: {a: 1, b: 2}}"},
		{"z: {<<: {a: 1}}", "{z: {a: 1}}"},
		/* Nested maps are replaced, not merged. */
		{"x: &x {m: {a: 1}}\ny: {<<: *x, m: {b: 2}}", "{x: {m: {a: 1}}, y: {m: {b: 2}}}"},
		{"a: {\"<<\": 1}", "{a: {<<: 1}}"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(cases); i++)
		assert_string_equal(tree(f, cases[i].text, false), cases[i].expected);
	/*
	 * The value's position is that of its alias; its parts keep the position where they were
	 * written.
	 */
	assert_string_equal(tree(f, "a: &x {b: 1}\nc: *x\n", true),
		"{a@1:1: {b@1:8: 1@1:11+1}@1:4+1, c@2:1: {b@1:8: 1@1:11+1}@2:4+2}@1:1+1");
	assert_refused(f, "a: *x\n",
		"vm.yaml:1:4: error: there is no anchor \"&x\" before this alias [alias]");
	assert_refused(f, "a: &x 1\n---\nb: *x\n", "vm.yaml:3:4: error: there is no anchor");
	assert_refused(f, "a: &x [1, *x]\n",
		"vm.yaml:1:11: error: the alias \"*x\" is inside the value that it refers to "
		"[alias]");
	assert_refused(f, "a: &x {b: {c: *x}}\n", "vm.yaml:1:15: error: the alias");
	assert_refused(f, "a: {<<: 5}\n",
		"vm.yaml:1:9: error: \"<<\" requires a map or a list of maps [merge-key]");
	assert_refused(f, "a: {<<: [5]}\n", "vm.yaml:1:10: error: \"<<\" requires");
	assert_refused(f, "a: {<<: [[{}]]}\n", "vm.yaml:1:10: error: \"<<\" requires");
}

static void all_duplicate_keys_are_reported(void **state)
{
	struct fixture *f = *state;
	struct documents documents;
	/* The tree is valid, so reading continues. */
	const char *text = "a: 1\nb: {x: 1, y: 2, x: 3}\na: 2\n";
	assert_true(read_bytes(f, text, strlen(text), &documents));
	assert_int_equal(diag_error_count(f->diag), 2);
	const char *said = messages(f);
	assert_non_null(strstr(said, "vm.yaml:2:17: error: \"x\" is given twice [duplicate-key]"));
	assert_non_null(strstr(said, "vm.yaml:2:5: note: first given here"));
	assert_non_null(strstr(said, "vm.yaml:3:1: error: \"a\" is given twice [duplicate-key]"));
	assert_non_null(strstr(said, "vm.yaml:1:1: note: first given here"));
	assert_string_equal(node_get(documents.v[0], "a")->text, "1");
	/* Also found in maps large enough to have an index. */
	BUF_CLEANUP struct buf large = {0};
	for (int i = 0; i < 100; i++)
		buf_printf(&large, "k%d: 1\n", i);
	buf_puts(&large, "k77: 2\n");
	assert_refused(f, buf_text(&large), "vm.yaml:101:1: error: \"k77\" is given twice");
}

/* Nine levels of nine aliases each: 387,420,489 values in 300 bytes. */
static void alias_bombs_do_not_explode(void **state)
{
	struct fixture *f = *state;
	BUF_CLEANUP struct buf list = {0}, map = {0};
	buf_puts(&list, "a0: &a0 x\n");
	buf_puts(&map, "a0: &a0 {x: 1}\n");
	for (int i = 1; i < 10; i++) {
		buf_printf(&list,
			"a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i,
			i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
		buf_printf(&map,
			"a%d: &a%d {a: *a%d, b: *a%d, c: *a%d, d: *a%d, e: *a%d, f: *a%d, g: *a%d, "
			"h: *a%d, i: *a%d}\n",
			i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
	}
	assert_refused(f, buf_text(&list),
		"error: the description has more than 500000 values; each use of an alias counts "
		"[too-many-nodes]");
	assert_refused(f, buf_text(&map), "[too-many-nodes]");
}

/* The limits also hold for the sum of many documents, each of them just small enough. */
static void documents_share_the_limits(void **state)
{
	struct fixture *f = *state;
	BUF_CLEANUP struct buf text = {0};
	for (int i = 0; i < 8; i++) {
		buf_puts(&text, "---\na: &a [");
		for (int k = 0; k < 300; k++)
			buf_printf(&text, "%d, ", k);
		buf_puts(&text, "]\nb: [");
		for (int k = 0; k < 300; k++)
			buf_puts(&text, "*a, ");
		buf_puts(&text, "]\n");
	}
	assert_refused(f, buf_text(&text), "more than 500000 values");
	text.n = 0;
	for (int i = 0; i < DOC_MAX_DOCUMENTS; i++)
		buf_printf(&text, "---\nk%d: 1\n", i);
	struct documents documents;
	assert_ok(f, read_bytes(f, text.p, text.n, &documents));
	assert_int_equal(documents.n, DOC_MAX_DOCUMENTS);
	buf_puts(&text, "---\nx: 1\n");
	assert_refused(f, buf_text(&text),
		"vm.yaml:66:1: error: there are more than 32 documents in one file "
		"[too-many-nodes]");
}

static void depth_is_limited(void **state)
{
	struct fixture *f = *state;
	struct documents documents;
	for (int depth = 60; depth < 3000; depth += depth < 70 ? 1 : 997) {
		BUF_CLEANUP struct buf flow = {0}, block = {0};
		buf_puts(&flow, "a: ");
		for (int i = 0; i < depth; i++) {
			buf_puts(&flow, "[");
			buf_printf(&block, "%*sa:\n", i, "");
		}
		for (int i = 0; i < depth; i++)
			buf_puts(&flow, "]");
		buf_printf(&block, "%*sb", depth, "");
		/* One map plus the lists; the maps plus their text. */
		if (depth + 1 <= DOC_MAX_DEPTH) {
			assert_ok(f, read_bytes(f, flow.p, flow.n, &documents));
			assert_ok(f, read_bytes(f, block.p, block.n, &documents));
		} else {
			assert_refused_bytes(
				f, flow.p, flow.n, "nested deeper than 64 levels [too-deep]");
			assert_refused_bytes(
				f, block.p, block.n, "nested deeper than 64 levels [too-deep]");
		}
	}
	/* Each level is an alias of the one before. */
	BUF_CLEANUP struct buf chain = {0};
	buf_puts(&chain, "a0: &a0 [x]\n");
	for (int i = 1; i < 70; i++)
		buf_printf(&chain, "a%d: &a%d [*a%d]\n", i, i, i - 1);
	assert_refused(f, buf_text(&chain),
		"error: the description is nested too deeply through its aliases [too-deep]");
}

static void many_keys_are_refused(void **state)
{
	struct fixture *f = *state;
	struct documents documents;
	BUF_CLEANUP struct buf text = {0}, merged = {0};
	for (int i = 0; i < DOC_MAX_KEYS; i++)
		buf_printf(&text, "k%d: 1\n", i);
	assert_ok(f, read_bytes(f, text.p, text.n, &documents));
	assert_string_equal(node_get(documents.v[0], "k19999")->text, "1");
	assert_null(node_get(documents.v[0], "k20000"));
	buf_puts(&text, "more: 1\n");
	assert_refused(f, buf_text(&text),
		"vm.yaml:1:1: error: a map has more than 20000 keys [too-many-nodes]");
	/* No map has too many keys of its own, but merge keys bring them together. */
	for (int i = 0; i < 3; i++) {
		buf_printf(&merged, "m%d: &m%d\n", i, i);
		for (int k = 0; k < 10000; k++)
			buf_printf(&merged, "  k%d-%d: 1\n", i, k);
	}
	buf_puts(&merged, "all: {<<: [*m0, *m1, *m2]}\n");
	assert_refused(
		f, buf_text(&merged), "vm.yaml:30004:6: error: a map has more than 20000 keys");
}

/* An algorithm of quadratic time would need minutes here. */
static void large_texts_are_read_in_time(void **state)
{
	struct fixture *f = *state;
	struct documents documents;
	BUF_CLEANUP struct buf text = {0};
	buf_puts(&text, "a:\n");
	for (int i = 0; i < 200000; i++)
		buf_printf(&text, "- &a%d x\n", i);
	for (int i = 0; i < 200000; i++)
		buf_printf(&text, "- *a%d\n", i);
	assert_ok(f, read_bytes(f, text.p, text.n, &documents));
	assert_int_equal(node_get(documents.v[0], "a")->items.n, 400000);
	assert_string_equal(node_get(documents.v[0], "a")->items.v[399999]->text, "x");
}

static void text_must_be_utf8(void **state)
{
	static const struct {
		const char *text;
		size_t size;
		const char *said;
	} cases[] = {
		{"a: 1\nb: \xff\n", 10,
			"vm.yaml:2:4: error: the text is not UTF-8, which a description must be "
			"[syntax]"},
		{"a: 1\nb: ü\xc3\x28\n", 12,
			"vm.yaml:2:6: error: the text is not UTF-8, which a description must be "
			"[syntax]"},
		{"a: 1\n\n# \xed\xa0\x80\n", 11,
			"vm.yaml:3:3: error: the text is not UTF-8, which a description must be "
			"[syntax]"},
		{"a: \xc0\xaf\n", 6,
			"vm.yaml:1:4: error: the text is not UTF-8, which a description must be "
			"[syntax]"},
		{"a: 1\nb: \x01\n", 10, "vm.yaml:2:4: error: unexpected control character"},
		{"a: 1\nb: x\0y\n", 12, "vm.yaml:2:5: error: unexpected control character"},
		{"a: \xc3", 4,
			"vm.yaml:1:4: error: the text is not UTF-8, which a description must be "
			"[syntax]"},
		{"a: \"x\\0y\"\n", 10,
			"vm.yaml:1:4: error: a string must not contain a NUL byte [zero-byte]"},
		{"\"x\\0y\": 1\n", 10,
			"vm.yaml:1:1: error: a string must not contain a NUL byte [zero-byte]"},
		/* UTF-16 with its byte order mark. */
		{"\xff\xfe"
		 "a\0:\0",
			6,
			"vm.yaml:1:1: error: the text is not UTF-8, which a description must be "
			"[syntax]"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(cases); i++)
		assert_refused_bytes(f, cases[i].text, cases[i].size, cases[i].said);
}

static void other_texts_are_refused(void **state)
{
	static const struct {
		const char *text, *said;
	} cases[] = {
		{"", "vm.yaml:1:1: error: the description is empty [empty-description]"},
		{"# only a comment\n", "vm.yaml:1:1: error: the description is empty"},
		{"\xef\xbb\xbf", "vm.yaml:1:1: error: the description is empty"},
		{"---\n",
			"vm.yaml:2:1: error: a description must be a map of options, such as "
			"\"hostName: web1\" [not-a-map]"},
		{"- a\n", "vm.yaml:1:1: error: a description must be a map"},
		{"a: 1\n---\ntext\n", "vm.yaml:3:1: error: a description must be a map"},
		{"[a]: 1\n", "vm.yaml:1:1: error: a key must be a string [syntax]"},
		{"a: {{ b }}\n",
			"vm.yaml:1:5: error: a key must be a string; a value that begins with { "
			"needs quotes [syntax]"},
		{"{\"a\": 1, // b\n\"c\": 2}", "vm.yaml:1:10: error: JSON has no comments; remove"},
		{"// a\n{\"a\": 1}", "vm.yaml:1:1: error: JSON has no comments"},
		{"{\n  /* a */\n  \"a\": 1}", "vm.yaml:2:3: error: JSON has no comments"},
		{"{\"a\": \"\\\"//\",//b\n\"c\": 2}", "vm.yaml:1:14: error: JSON has no comments"},
		{"a: [1\nb: 2\n", "vm.yaml:2:2: error: expected \",\" or \"]\" [syntax]"},
		{"a: [1\nb: 2\n", "vm.yaml:1:4: note: the list begins here [syntax]"},
		{"a 1\nb: 2\n", "vm.yaml:2:2: error: unexpected \":\"; the line above lacks one"},
		/* libyaml takes NEL for a line break. */
		{"a 1\xc2\x85"
		 "b: 2\n",
			"error: unexpected \": \""},
		{"a: @b\n",
			"vm.yaml:1:4: error: quote a string that begins with this character "
			"[syntax]"},
		/* An error at the end of the text points to the last line that is not empty. */
		{"a: [\n\n\n",
			"vm.yaml:1:5: error: expected a value or a closing bracket [syntax]\n"
			"    1 | a: [\n      |     ^\n"},
		{"a: \"open\n",
			"error: the quotation mark that begins here is not closed [syntax]"},
		{"a: 1\n\tb: 2\n", "vm.yaml:2:1: error: indent with spaces, not tabs [syntax]"},
		{"a: b: c\n",
			"vm.yaml:1:5: error: unexpected \": \"; quote a string that contains \": "
			"\" "
			"[syntax]"},
		{"a: !include x\n",
			"vm.yaml:1:4: error: unknown tag \"!include\"; remove it [unknown-tag]"},
		{"a: !!binary x\n", "unknown tag \"tag:yaml.org,2002:binary\""},
		{"a: !x [1]\n", "vm.yaml:1:4: error: unknown tag"},
		{"a: !x {b: 1}\n", "vm.yaml:1:4: error: unknown tag"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(cases); i++)
		assert_refused(f, cases[i].text, cases[i].said);
	assert_string_equal(
		tree(f, "a: !!str 5\nb: ! 6\nc: !!int 7\nd: !!map {}\ne: !!seq []\n", false),
		"{a: \"5\", b: \"6\", c: 7, d: {}, e: []}");
}

static void file_sizes_are_limited(void **state)
{
	struct fixture *f = *state;
	struct bytes bytes;
	const char *path = scratch_path(f, "vm.yaml");
	shell(f, "truncate -s 8388608 vm.yaml", NULL, NULL);
	assert_ok(f, file_read(f->arena, f->diag, path, DOC_MAX_BYTES, &bytes));
	shell(f, "truncate -s 8388609 vm.yaml", NULL, NULL);
	assert_false(file_read(f->arena, f->diag, path, DOC_MAX_BYTES, &bytes));
	assert_said(f, "is larger than 8 MiB [file-too-large]");
}

static const char *merged(struct fixture *f, const char *text)
{
	struct documents documents;
	assert_ok(f, read_bytes(f, text, strlen(text), &documents));
	struct node *all = NULL;
	for (size_t i = 0; i < documents.n; i++)
		all = node_merge(f->arena, all, documents.v[i]);
	BUF_CLEANUP struct buf out = {0};
	dump(&out, all, false);
	return arena_strdup(f->arena, buf_text(&out));
}

static void documents_are_merged(void **state)
{
	struct fixture *f = *state;
	assert_string_equal(merged(f, "a: 1\nb: {x: 1, y: 1}\n---\nb: {y: 2, z: 2}\nc: 3\n"),
		"{a: 1, b: {x: 1, y: 2, z: 2}, c: 3}");
	assert_string_equal(
		merged(f, "a: [1, 2]\nb: {x: 1}\nc: 1\n---\na: [3]\nb: null\nc: {d: 1}\n"),
		"{a: [3], b: null, c: {d: 1}}");
	assert_string_equal(
		merged(f, "a: &x {b: 1}\nc: *x\n---\na: {b: 2}\n"), "{a: {b: 2}, c: {b: 1}}");
}

static void single_values_are_read(void **state)
{
	struct fixture *f = *state;
	const struct node *value = doc_parse_value(f->arena, f->diag, "--set a", "a=[x, 2G]", 2);
	assert_int_equal(value->items.n, 2);
	assert_int_equal(value->items.v[1]->pos.column, 7);
	assert_true(node_is_null(doc_parse_value(f->arena, f->diag, "--set a", "a=", 2)));
	assert_string_equal(doc_parse_value(f->arena, f->diag, "--set a", "a=b=c", 2)->text, "b=c");
	assert_null(doc_parse_value(f->arena, f->diag, "--set a", "a=[x", 2));
	assert_said(f, "expected \",\" or \"]\"");
	assert_null(doc_parse_value(f->arena, f->diag, "--set a", "a=1\n---\n2", 2));
	assert_said(f, "expected a single value, found a second document");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			every_node_knows_its_place, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(json_is_read_too, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			slashes_are_not_always_comments, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			aliases_and_merge_keys_are_resolved, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			all_duplicate_keys_are_reported, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			alias_bombs_do_not_explode, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			documents_share_the_limits, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(depth_is_limited, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			many_keys_are_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			large_texts_are_read_in_time, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(text_must_be_utf8, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			other_texts_are_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			file_sizes_are_limited, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			documents_are_merged, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			single_values_are_read, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("doc", tests, NULL, NULL);
}
