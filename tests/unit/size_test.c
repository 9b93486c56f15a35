/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <math.h>

#include "base/printable.h"
#include "base/buf.h"
#include "compiler/inspect/package_name.h"
#include "compiler/inspect/size_text.h"
#include "compiler/inspect/sizes.h"
#include "compiler/inspect/treemap.h"
#include "tests/unit/fixture.h"

/* ---- the map ---- */

static bool overlap(const struct rectangle *a, const struct rectangle *b)
{
	const double e = 1e-6;
	return a->x + a->width > b->x + e && b->x + b->width > a->x + e &&
		a->y + a->height > b->y + e && b->y + b->height > a->y + e;
}

static void areas_are_proportional(void **state)
{
	(void)state;
	enum { N = 40 };
	double weights[N], total = 0;
	struct rectangle out[N];
	for (size_t i = 0; i < N; i++)
		total += weights[i] = 1e9 / (double)((i + 1) * (i + 1));
	treemap_fill(weights, N, (struct rectangle){10, 20, 300, 200}, out);
	for (size_t i = 0; i < N; i++) {
		assert_true(
			fabs(out[i].width * out[i].height - 300 * 200 * weights[i] / total) < 1e-3);
		assert_true(out[i].x > 10 - 1e-6 && out[i].x + out[i].width < 310 + 1e-6);
		assert_true(out[i].y > 20 - 1e-6 && out[i].y + out[i].height < 220 + 1e-6);
		for (size_t j = 0; j < i; j++)
			assert_false(overlap(&out[i], &out[j]));
	}
}

static void extreme_weights_stay_finite(void **state)
{
	(void)state;
	const double weights[] = {1e18, 1, 1e-300, 0};
	struct rectangle out[4];
	treemap_fill(weights, 4, (struct rectangle){0, 0, 100, 100}, out);
	treemap_fill(weights, 4, (struct rectangle){0, 0, 0, 0}, out);
	treemap_fill(weights + 3, 1, (struct rectangle){0, 0, 100, 100}, out);
	for (size_t i = 0; i < 4; i++)
		assert_true(isfinite(out[i].x + out[i].y + out[i].width + out[i].height));
}

/* ---- the page ---- */

/*
 * A minimal XML parser, sufficient for this page: tags are closed in order, "&" starts one of the
 * five entities, "<" starts only tags, and there are no control characters.
 */
static const char *xml_problem(struct fixture *f, const char *text)
{
	struct strings open = {0};
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p < 0x20 && *p != '\n' && *p != '\t')
			return "a control character";
		if (*p == '&' && strncmp(p, "&amp;", 5) && strncmp(p, "&lt;", 4) &&
			strncmp(p, "&gt;", 4) && strncmp(p, "&quot;", 6) && strncmp(p, "&#39;", 5))
			return "a bare &";
		if (*p != '<')
			continue;
		const char *end = strchr(p, '>');
		if (!end)
			return "a tag without an end";
		const char *name = p + 1 + (p[1] == '/'), *name_end = name;
		while (isalnum((unsigned char)*name_end))
			name_end++;
		const char *tag = arena_strndup(f->arena, name, (size_t)(name_end - name));
		if (p[1] == '/') {
			if (open.n == 0 || strcmp(open.v[--open.n], tag) != 0)
				return "a tag that is not open";
		} else if (p[1] != '?' && p[1] != '!' && end[-1] != '/') {
			vec_push(f->arena, &open, tag);
		}
		p = end;
	}
	return open.n ? open.v[open.n - 1] : NULL;
}

static void hostile_names_are_text(void **state)
{
	static const char *const names[] = {
		"/s/00000000000000000000000000000000-<script>alert(1)</script>",
		"/s/11111111111111111111111111111111-]]>&amp;\"'\x1b[31m\x7f",
		"/s/"
		"22222222222222222222222222222222-"
		"\xff\xfe\xc3\x28\xed\xa0\x80\xef\xbf\xbf\xf4\x90\x80\x80\xc0\xaf\xe2\x82",
		"/s/"
		"33333333333333333333333333333333-gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80",
	};
	struct fixture *f = *state;
	struct store_path paths[4] = {{0}};
	const size_t all[] = {1, 2, 3}, root = 0;
	const int64_t stored[4] = {100, 200, 300, 400};
	for (size_t i = 0; i < 4; i++)
		paths[i] = (struct store_path){.path = names[i],
			.name = names[i] + 3,
			.nar_size = 1000,
			.refs = all,
			.nrefs = i ? 0 : 3};
	const struct packed packed = {.name = "</title><script>\"&'",
		.hypervisor = "<qemu>",
		.closure = {.v = paths, .n = 4},
		.roots = &root,
		.nroots = 1,
		.on_disk = true,
		.stored = stored};
	struct sizes sizes;
	BUF_CLEANUP struct buf page = {0};
	sizes_make(f->arena, &packed, &sizes);
	sizes_html(f->arena, &page, &sizes);
	const char *problem = xml_problem(f, page.p);
	if (problem)
		fail_msg("%s in: %s", problem, page.p);
	assert_null(strstr(page.p, "<script"));
	assert_non_null(strstr(page.p, "(&lt;qemu&gt;): what takes the space</title>"));
	assert_non_null(strstr(page.p, "prefers-color-scheme: dark"));
	assert_non_null(strstr(page.p, "<dt>alone</dt>"));
	/* the largest path, with its size in the map */
	assert_non_null(strstr(page.p, "\xf0\x9f\x98\x80 400 B</text>"));
	assert_non_null(strstr(page.p, "gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x98\x80"));
	const char *file = scratch_path(f, "page.xhtml");
	assert_ok(f, file_write(f->diag, file, page.p, page.n, 0600));
	if (have_program(f, "xmllint"))
		shell(f, "xmllint --noout \"$1\"", file, NULL);
	shell(f, "iconv -f UTF-8 -t UTF-16 \"$1\" >page.utf16", file, NULL);
}

/* ---- names and numbers ---- */

static void packages_have_names(void **state)
{
	static const struct {
		const char *path, *name, *version, *output;
	} cases[] = {
		{"openssl-3.0.12", "openssl", "3.0.12", ""},
		{"openssl-3.0.12-bin", "openssl", "3.0.12", "bin"},
		{"glibc-2.38-44", "glibc", "2.38-44", ""},
		{"gcc-12.3.0-libgcc", "gcc", "12.3.0", "libgcc"},
		{"python3.11-foo-1.0", "python3.11-foo", "1.0", ""},
		{"foo-unstable-2023-01-02", "foo-unstable", "2023-01-02", ""},
		{"foo-1.0-unstable", "foo", "1.0-unstable", ""},
		{"unit-dev", "unit-dev", "", ""},
		{"etc", "etc", "", ""},
		{"x-", "x-", "", ""},
		{"-1", "-1", "", ""},
		{"nixos-system-web1-23.11", "nixos-system-web1", "23.11", ""},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(cases); i++) {
		struct package_name got;
		package_name_parse(f->arena,
			arena_printf(
				f->arena, "00000000000000000000000000000000-%s", cases[i].path),
			&got);
		assert_string_equal(got.name, cases[i].name);
		assert_string_equal(got.version, cases[i].version);
		assert_string_equal(got.output, cases[i].output);
	}
}

static void sizes_are_readable(void **state)
{
	struct fixture *f = *state;
	assert_string_equal(size_text(f->arena, 0), "0 B");
	assert_string_equal(size_text(f->arena, 999), "999 B");
	assert_string_equal(size_text(f->arena, 1000), "1.0 KB");
	assert_string_equal(size_text(f->arena, 999949), "999.9 KB");
	assert_string_equal(size_text(f->arena, 999960), "1.0 MB");
	assert_string_equal(size_text(f->arena, UINT64_MAX), "18.4 EB");
	assert_string_equal(size_change_text(f->arena, -1500), "-1.5 KB");
	assert_string_equal(size_change_text(f->arena, INT64_MIN), "-9.2 EB");
	assert_string_equal(printable_text(f->arena,
				    "a\x1b[2J\n\xc2\x9b"
				    "b\xc3\xbc"),
		"a\\x1b[2J\\x0a\\xc2\\x9bb\xc3\xbc");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(areas_are_proportional),
		cmocka_unit_test(extreme_weights_stay_finite),
		cmocka_unit_test_setup_teardown(
			hostile_names_are_text, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			packages_have_names, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			sizes_are_readable, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("size", tests, NULL, NULL);
}
