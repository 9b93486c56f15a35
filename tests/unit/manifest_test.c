/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compiler/runner/manifest.h"
#include "tests/unit/fixture.h"

/* Writes a runner's vm.json with `levels` nested arrays; returns the JSON that is read back. */
static bool reads(struct fixture *f, int levels)
{
	shell(f,
		arena_printf(f->arena,
			"mkdir -p share/microvm; rm -f share/microvm/vm.json; { printf '{\"a\":'; "
			"printf '[%%.0s' $(seq %d); printf ']%%.0s' $(seq %d); echo '}'; } "
			">share/microvm/vm.json",
			levels, levels),
		NULL, NULL);
	struct json_object *description = description_read(f->arena, f->diag, f->scratch);
	json_object_put(description);
	return description;
}

/* json-c's own limit is 32 levels, which a description may exceed. */
static void deep_descriptions_are_read(void **state)
{
	struct fixture *f = *state;
	assert_true(reads(f, 1));
	assert_true(reads(f, 64));
	assert_false(reads(f, 1000));
	assert_non_null(strstr(messages(f), "vm.json is not a JSON object [bad-manifest]"));
}

static void a_missing_description_is_an_error(void **state)
{
	struct fixture *f = *state;
	assert_null(description_read(f->arena, f->diag, f->scratch));
	assert_non_null(strstr(messages(f), "vm.json: No such file or directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			deep_descriptions_are_read, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_missing_description_is_an_error, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("manifest", tests, NULL, NULL);
}
