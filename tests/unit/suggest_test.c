/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/suggest.h"

static const char *const words[] = {"hostName", "vcpu", "mem", "kernelParams", "mountPoint", "9p",
	"virtiofs", "interfaces", "id"};
enum { WORDS = sizeof words / sizeof *words };

static void misspellings_are_understood(void **state)
{
	static const struct {
		const char *word, *meant;
	} cases[] = {
		{"hostname", "hostName"},
		{"hostNmae", "hostName"},
		{"hotsName", "hostName"},
		{"hstName", "hostName"},
		{"hostNames", "hostName"},
		{"VCPU", "vcpu"},
		{"vcpus", "vcpu"},
		{"cpu", "vcpu"},
		{"mme", "mem"},
		{"memory", "mem"},
		{"virtio-fs", "virtiofs"},
		{"virtofs", "virtiofs"},
		{"p9", "9p"},
		{"kernel_params", "kernelParams"},
		{"interface", "interfaces"},
		{"mount_point", "mountPoint"},
		{"hostName", "hostName"},
		{"di", "id"},
		{"host", "hostName"},
		{"kernel", "kernelParams"},
		{"vcpuCount", "vcpu"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *got = suggest(cases[i].word, words, WORDS);
		if (!got || strcmp(got, cases[i].meant) != 0)
			fail_msg("%s: %s, not %s", cases[i].word, got ? got : "nothing",
				cases[i].meant);
	}
}

static void other_words_are_not(void **state)
{
	static const char *const others[] = {"", "x", "zzz", "password", "frobnicate",
		"hostilities", "mountain-bike", "ho",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		const char *got = suggest(others[i], words, WORDS);
		if (got)
			fail_msg("%s is taken for %s", others[i], got);
	}
	assert_null(suggest("mem", words, 0));
}

static void the_nearest_wins(void **state)
{
	static const char *const near[] = {"abcdef", "abcdxy", "abcd"};
	(void)state;
	assert_string_equal(suggest("abcdxz", near, 3), "abcdxy");
	assert_string_equal(suggest("abcde", near, 3), "abcdef");
	/* The first one of equally similar words is suggested. */
	assert_string_equal(suggest("abcdx", (const char *const[]){"abcdy", "abcdz"}, 2), "abcdy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(misspellings_are_understood),
		cmocka_unit_test(other_words_are_not),
		cmocka_unit_test(the_nearest_wins),
	};
	return cmocka_run_group_tests_name("suggest", tests, NULL, NULL);
}
