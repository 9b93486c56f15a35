/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "compiler/describe/hint.h"
#include "compiler/describe/options.h"
#include "compiler/describe/synonyms.h"
#include "tests/unit/fixture.h"

static void every_row_names_an_option_or_gives_advice(void **state)
{
	struct fixture *f = *state;
	const struct option *table = vm_options(f->arena);
	for (const struct synonym *row = synonyms; row->words; row++) {
		const struct option *place = *row->place ? option_at(table, row->place) : NULL;
		if (*row->place && (!place || !place->sub))
			fail_msg("%s has no options", row->place);
		if (!row->option == !row->advice)
			fail_msg("%s: either an option or advice", row->words);
		if (row->option && !option_at(place ? place->sub : table, row->option))
			fail_msg("%s: there is no option %s", row->words, row->option);
	}
}

static void every_value_is_a_choice(void **state)
{
	struct fixture *f = *state;
	const struct option *table = vm_options(f->arena);
	for (const struct synonym *row = value_synonyms; row->words; row++) {
		const struct option *option = option_at(table, row->place);
		bool found = false;
		assert_non_null(option);
		assert_non_null(option->choices);
		for (const char *const *choice = option->choices; *choice; choice++)
			found |= strcmp(*choice, row->option) == 0;
		if (!found)
			fail_msg("%s: %s is not a choice", row->place, row->option);
	}
}

static void no_word_is_given_twice(void **state)
{
	struct fixture *f = *state;
	for (const struct synonym *row = synonyms; row->words; row++) {
		char *rest = arena_strdup(f->arena, row->words), *word;
		while ((word = strsep(&rest, " ")))
			if (synonym_find(synonyms, row->place, word) != row)
				fail_msg("%s: %s is in another row, too", row->place, word);
	}
}

static void case_and_joints_do_not_count(void **state)
{
	(void)state;
	assert_true(synonym_same_word("host_name", "hostName"));
	assert_true(synonym_same_word("boot-args", "bootArgs"));
	assert_true(synonym_same_word("", "_"));
	assert_false(synonym_same_word("hostNam", "hostName"));
	assert_false(synonym_same_word("hostNames", "hostName"));
	assert_string_equal(synonym_find(synonyms, "", "VCPU-count")->option, "vcpu");
	assert_string_equal(synonym_find(synonyms, "volumes[12]", "Path")->option, "image");
	assert_string_equal(
		synonym_find(synonyms, "forwardPorts[0].host", "ip")->option, "address");
	assert_null(synonym_find(synonyms, "volume", "path"));
	assert_null(synonym_find(synonyms, "", ""));
}

static void paths_of_options(void **state)
{
	static const char *const some[] = {"vcpu", "volumes", "volumes.size", "volumes[].size",
		"volumes[0].size", "volumes.0.size", "vsock.ssh.enable",
		"forwardPorts[1].host.port", "qemu.machine"};
	static const char *const none[] = {"", ".", "[", "vcpu.x", "volumes.", "volumes.0.",
		"volumes.x.size", "volumes[0", "volumes[0]size", "vsock..cid", "size"};
	struct fixture *f = *state;
	const struct option *table = vm_options(f->arena);
	for (size_t i = 0; i < countof(some); i++)
		if (!option_at(table, some[i]))
			fail_msg("%s is not found", some[i]);
	for (size_t i = 0; i < countof(none); i++)
		if (option_at(table, none[i]))
			fail_msg("%s is found", none[i]);
	assert_string_equal(option_at(table, "volumes.0.size")->name, "size");
	assert_string_equal(option_at(fleet_options, "vms.web1.autostart")->name, "autostart");
	assert_string_equal(option_at(fleet_options, "vms")->name, "vms");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			every_row_names_an_option_or_gives_advice, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			every_value_is_a_choice, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			no_word_is_given_twice, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			case_and_joints_do_not_count, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(paths_of_options, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("synonyms", tests, NULL, NULL);
}
