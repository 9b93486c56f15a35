/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "compiler/command/host_kernel.h"

#include "fixture.h"

static void make(struct fixture *f, const char *path)
{
	const char *file = scratch_path(f, path);
	assert_ok(f, directory_make(f->diag, path_parent(f->arena, file), 0755));
	assert_ok(f, file_write(f->diag, file, "", 0, 0644));
}

static void assert_found(struct fixture *f, const char *release, const char *expected)
{
	const struct host_kernel found = host_kernel_find(f->arena, f->scratch, release);
	assert_non_null(found.path);
	assert_string_equal(found.path, scratch_path(f, expected));
}

static void the_running_kernel_comes_first(void **state)
{
	struct fixture *f = *state;
	make(f, "boot/vmlinuz-6.9.0");
	make(f, "boot/vmlinuz-6.10.0");
	make(f, "lib/modules/6.9.0/modules.builtin");
	make(f, "lib/modules/6.10.0/modules.builtin");
	assert_found(f, "6.9.0", "boot/vmlinuz-6.9.0");
	assert_found(f, "6.18.44-custom", "boot/vmlinuz-6.10.0");
}

static void a_kernel_beside_its_modules_is_found(void **state)
{
	struct fixture *f = *state;
	make(f, "lib/modules/6.9.0/vmlinuz");
	assert_found(f, "6.9.0", "lib/modules/6.9.0/vmlinuz");
}

static void a_kernel_without_modules_is_not_used(void **state)
{
	struct fixture *f = *state;
	make(f, "boot/vmlinuz-6.9.0");
	make(f, "lib/modules/6.8.0/modules.builtin");
	assert_null(host_kernel_find(f->arena, f->scratch, "6.9.0").path);
	assert_null(host_kernel_find(f->arena, f->scratch, "6.9.0").unreadable);
}

static void a_version_that_needs_quotes_is_not_used(void **state)
{
	struct fixture *f = *state;
	make(f, "boot/vmlinuz-6: 9");
	make(f, "lib/modules/6: 9/modules.builtin");
	assert_null(host_kernel_find(f->arena, f->scratch, "6: 9").path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			the_running_kernel_comes_first, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_kernel_beside_its_modules_is_found, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_kernel_without_modules_is_not_used, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_version_that_needs_quotes_is_not_used, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("host_kernel", tests, NULL, NULL);
}
