/* SPDX-License-Identifier: MIT */
/*
 * Configurations beside a kernel, beside its modules and inside it; and that of a real Debian
 * kernel, MVM_TEST_KERNEL (tests/e2e/lib/kernel.sh).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/process.h"
#include "imaging/kernel/config.h"
#include "tests/unit/fixture.h"

static const char config_text[] =
	"#\n# Linux/x86 6.1.0 Kernel "
	"Configuration\n#\nCONFIG_OVERLAY_FS_INDEX=y\nCONFIG_SQUASHFS=m\nCONFIG_EXT4_FS=y\n"
	"# CONFIG_SQUASHFS_ZSTD is not set\nCONFIG_HZ=250\nCONFIG_9P_FS=m";

static void put(struct fixture *f, const char *name, const void *bytes, size_t count)
{
	const char *path = scratch_path(f, name);
	assert_ok(f, directory_make(f->diag, path_parent(f->arena, path), 0755));
	assert_ok(f, file_write(f->diag, path, bytes, count, 0644));
}

static struct kernel_config find(struct fixture *f, enum kernel_format format)
{
	const struct kernel kernel = {
		.path = scratch_path(f, "boot/kernel"), .format = format, .version = "6.1.0"};
	return kernel_config_find(f->arena, &kernel, scratch_path(f, "package"));
}

static void options_are_found(void **state)
{
	(void)state;
	const struct kernel_config config = {"config", config_text};
	assert_int_equal(kernel_config_option(&config, "EXT4_FS"), OPTION_BUILT_IN);
	assert_int_equal(kernel_config_option(&config, "SQUASHFS"), OPTION_MODULE);
	assert_int_equal(kernel_config_option(&config, "9P_FS"), OPTION_MODULE);
	assert_int_equal(kernel_config_option(&config, "SQUASHFS_ZSTD"), OPTION_ABSENT);
	assert_int_equal(kernel_config_option(&config, "OVERLAY_FS"), OPTION_ABSENT);
	assert_int_equal(kernel_config_option(&config, "EXT4"), OPTION_ABSENT);
}

static void every_place_is_searched(void **state)
{
	struct fixture *f = *state;
	put(f, "boot/kernel", "kernel", 6);
	put(f, "boot/config", "CONFIG_EXT4_FS=y\n", 17); /* could belong to another kernel */
	assert_null(find(f, KERNEL_ELF).text);
	static const char *const places[] = {"package/lib/modules/6.1.0/config",
		"package/boot/config-6.1.0", "boot/config-6.1.0"};
	for (size_t i = 0; i < countof(places); i++) {
		put(f, places[i], config_text, strlen(config_text));
		const struct kernel_config config = find(f, KERNEL_ELF);
		assert_non_null(config.text);
		assert_string_equal(config.path, scratch_path(f, places[i]));
	}
}

static void an_embedded_configuration_is_read(void **state)
{
	struct fixture *f = *state;
	put(f, "config", config_text, strlen(config_text));
	assert_ok(f, directory_make(f->diag, scratch_path(f, "boot"), 0755));
	const char *script = "cd \"$0\" && { echo ELF; printf IKCFG_ST; gzip -c config; printf "
			     "IKCFG_ED; echo rest; } >boot/kernel";
	const char *const argv[] = {"sh", "-ec", script, f->scratch, NULL};
	struct process_result result;
	assert_ok(f, process_run(f->arena, f->diag, argv, &result) && result.exit_status == 0);
	const struct kernel_config config = find(f, KERNEL_ELF);
	assert_non_null(config.text);
	assert_string_equal(config.text, config_text);
	assert_string_equal(config.path, scratch_path(f, "boot/kernel"));
	assert_null(find(f, KERNEL_BZIMAGE).text);
	/* A broken configuration counts as missing. */
	put(f, "broken/kernel", "IKCFG_ST\x1f\x8bIKCFG_ED", 18);
	const struct kernel broken = {
		.path = scratch_path(f, "broken/kernel"), .format = KERNEL_ELF};
	assert_null(kernel_config_find(f->arena, &broken, NULL).text);
}

static void debians_configuration_is_found(void **state)
{
	struct fixture *f = *state;
	const char *package = getenv("MVM_TEST_KERNEL");
	struct kernel kernel;
	if (!package) {
		print_message("skipped: MVM_TEST_KERNEL names no unpacked kernel package\n");
		skip();
	}
	assert_ok(f, kernel_inspect(f->arena, f->diag, package, NULL, &kernel));
	const struct kernel_config config = kernel_config_find(f->arena, &kernel, package);
	assert_non_null(config.text);
	assert_int_equal(kernel_config_option(&config, "SQUASHFS_ZSTD"), OPTION_BUILT_IN);
	assert_int_equal(kernel_config_option(&config, "EROFS_FS_ZIP_ZSTD"), OPTION_ABSENT);
	assert_int_equal(kernel_config_option(&config, "OVERLAY_FS"), OPTION_MODULE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_are_found),
		cmocka_unit_test_setup_teardown(
			every_place_is_searched, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			an_embedded_configuration_is_read, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			debians_configuration_is_found, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("kernel_config", tests, NULL, NULL);
}
