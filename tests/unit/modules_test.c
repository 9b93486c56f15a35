/* SPDX-License-Identifier: MIT */
/*
 * Real modules of a Debian kernel. MVM_TEST_KERNEL is a directory with the unpacked package
 * linux-image-VERSION (tests/e2e/lib/kernel.sh creates it).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <glob.h>

#include "imaging/modules/modules.h"

#define FIXTURE_MORE \
	const char *kernel;  /* MVM_TEST_KERNEL or NULL */ \
	const char *version; /* version of its modules */
#include "tests/unit/fixture.h"

static int setup(void **state)
{
	if (fixture_setup(state) != 0)
		return -1;
	struct fixture *f = *state;
	f->kernel = getenv("MVM_TEST_KERNEL");
	glob_t found;
	if (f->kernel &&
		glob(path_join(f->arena, f->kernel, "lib/modules/*"), 0, NULL, &found) == 0) {
		f->version = arena_strdup(f->arena, path_base(found.gl_pathv[0]));
		globfree(&found);
	}
	return 0;
}

static void need_kernel(const struct fixture *f)
{
	if (!f->version) {
		print_message("skipped: MVM_TEST_KERNEL names no unpacked kernel package\n");
		skip();
	}
}

static size_t position(const struct module_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i].name, name) == 0)
			return i;
	return SIZE_MAX;
}

static struct module_list resolve(
	struct fixture *f, const char *directory, const char *const *names, size_t count)
{
	struct module_wish wishes[16] = {0};
	assert_true(count <= 16);
	for (size_t i = 0; i < count; i++)
		wishes[i] = (struct module_wish){names[i], "the test wants it", false, NULL};
	struct module_list list;
	assert_ok(f,
		modules_resolve(
			f->arena, f->diag, directory, f->version, NULL, wishes, count, &list));
	return list;
}
#define RESOLVE(f, directory, ...) \
	resolve((f), (directory), (const char *const[]){__VA_ARGS__}, \
		countof(((const char *const[]){__VA_ARGS__})))

static void assert_order(const struct module_list *list, const char *first, const char *second)
{
	assert_int_not_equal(position(list, first), SIZE_MAX);
	assert_int_not_equal(position(list, second), SIZE_MAX);
	if (position(list, first) > position(list, second))
		fail_msg("%s comes after %s", first, second);
}

static void monolithic_kernel_needs_nothing(void **state)
{
	struct fixture *f = *state;
	struct module_wish wish = {"squashfs", "the store disk is squashfs", false, NULL};
	struct module_list list;
	assert_true(modules_resolve(f->arena, f->diag, NULL, "6.1", NULL, &wish, 1, &list));
	assert_int_equal(list.n, 0);
}

static void dependencies_come_first(void **state)
{
	struct fixture *f = *state;
	need_kernel(f);
	struct module_list list =
		RESOLVE(f, f->kernel, "virtio_blk", "virtio-pci", "9p", "9pnet_virtio");
	assert_order(&list, "virtio_ring.ko", "virtio.ko");
	assert_order(&list, "virtio.ko", "virtio_blk.ko");
	assert_order(&list, "virtio_pci_modern_dev.ko", "virtio_pci.ko");
	assert_order(&list, "virtio_pci_legacy_dev.ko", "virtio_pci.ko");
	assert_order(&list, "9pnet.ko", "9p.ko");
	assert_order(&list, "netfs.ko", "9p.ko");
	assert_order(&list, "9pnet.ko", "9pnet_virtio.ko");
	assert_int_equal(list.n, 11);
	for (size_t i = 0; i < list.n; i++)
		assert_false(list.v[i].may_fail);
}

static void dash_and_underscore_are_equal(void **state)
{
	struct fixture *f = *state;
	need_kernel(f);
	struct module_list list =
		RESOLVE(f, f->kernel, "virtio_rng", "virtio-rng", "virtio-blk", "virtio_blk");
	assert_int_not_equal(position(&list, "virtio-rng.ko"), SIZE_MAX);
	assert_int_not_equal(position(&list, "virtio_blk.ko"), SIZE_MAX);
	assert_int_equal(list.n, 4);
}

/*
 * "virtio-mmio-cmdline" occurs only in kernels with CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES, which
 * Debian does not set.
 */
static void modules_can_be_searched(void **state)
{
	struct fixture *f = *state;
	need_kernel(f);
	struct module_list list = RESOLVE(f, f->kernel, "virtio_mmio");
	assert_true(module_holds(f->arena, &list, "virtio_mmio.ko", "Wrong magic value"));
	assert_false(module_holds(f->arena, &list, "virtio_mmio.ko", "virtio-mmio-cmdline"));
	assert_true(module_holds(f->arena, &list, "not_in_the_list.ko", "virtio-mmio-cmdline"));
}

/*
 * crypto-crc32c, the soft dependency of ext4 and libcrc32c, is an alias of a generic module and of
 * one for a processor.
 */
static void soft_dependencies_may_fail(void **state)
{
	struct fixture *f = *state;
	need_kernel(f);
	struct module_list list = RESOLVE(f, f->kernel, "ext4", "erofs");
	assert_order(&list, "crc32c_generic.ko", "ext4.ko");
	assert_order(&list, "crc32c-intel.ko", "ext4.ko");
	assert_order(&list, "crc32c_generic.ko", "libcrc32c.ko");
	assert_order(&list, "libcrc32c.ko", "erofs.ko");
	assert_order(&list, "jbd2.ko", "ext4.ko");
	assert_true(list.v[position(&list, "crc32c-intel.ko")].may_fail);
	assert_true(list.v[position(&list, "crc32c_generic.ko")].may_fail);
	assert_false(list.v[position(&list, "ext4.ko")].may_fail);

	/* A module is mandatory as soon as somebody requests it by name. */
	struct module_list wanted = RESOLVE(f, f->kernel, "ext4", "crc32c_generic");
	assert_false(wanted.v[position(&wanted, "crc32c_generic.ko")].may_fail);
}

static void aliases_work(void **state)
{
	struct fixture *f = *state;
	need_kernel(f);
	struct module_list list = RESOLVE(f, f->kernel, "fs-squashfs", "virtio:d00000002v00001AF4");
	assert_int_not_equal(position(&list, "squashfs.ko"), SIZE_MAX);
	assert_int_not_equal(position(&list, "virtio_blk.ko"), SIZE_MAX);
}

static void built_in_modules_are_left_out(void **state)
{
	struct fixture *f = *state;
	need_kernel(f);
	struct module_list list = RESOLVE(f, f->kernel, "tracefs", "fs-tracefs", "squashfs");
	assert_int_equal(list.n, 1);
}

static void missing_module_is_named_with_its_reason(void **state)
{
	struct fixture *f = *state;
	need_kernel(f);
	const struct module_wish wishes[] = {
		{"squishfs", "the store disk is squishfs", false, NULL},
		{"perhaps", "it would be nice", true, NULL},
		{"nosuchfs", "a volume is nosuchfs", false, NULL},
	};
	struct module_list list;
	assert_false(
		modules_resolve(f->arena, f->diag, f->kernel, f->version, NULL, wishes, 3, &list));
	const char *text = messages(f);
	assert_non_null(
		strstr(text, "\"squishfs\", which is needed because the store disk is squishfs"));
	assert_non_null(strstr(text, "\"nosuchfs\""));
	assert_null(strstr(text, "perhaps"));
	assert_int_equal(diag_status(f->diag), STATUS_INPUT);
}

static void other_version_is_refused(void **state)
{
	struct fixture *f = *state;
	need_kernel(f);
	const struct module_wish wish = {"squashfs", "the store disk is squashfs", false, NULL};
	struct module_list list;
	assert_false(
		modules_resolve(f->arena, f->diag, f->kernel, "6.6.6-test", NULL, &wish, 1, &list));
	assert_non_null(strstr(messages(f), "but the kernel is version 6.6.6-test"));
	/*
	 * The directory of one version. As a store path, its name does not contain the version, but
	 * the modules do.
	 */
	const char *directory = arena_printf(f->arena, "%s/lib/modules/%s", f->kernel, f->version);
	assert_false(
		modules_resolve(f->arena, f->diag, directory, "6.6.6-test", NULL, &wish, 1, &list));
	const char *text = messages(f);
	assert_non_null(strstr(text, f->version));
	assert_non_null(strstr(text, "but the kernel is version 6.6.6-test"));
}

static void every_form_of_directory_works(void **state)
{
	struct fixture *f = *state;
	need_kernel(f);
	const char *folder = path_join(f->arena, f->kernel, "lib/modules");
	assert_int_equal(RESOLVE(f, folder, "squashfs").n, 1);
	assert_int_equal(RESOLVE(f, path_join(f->arena, folder, f->version), "squashfs").n, 1);
	f->version = NULL; /* the kernel's version is unknown */
	assert_int_equal(RESOLVE(f, f->kernel, "squashfs").n, 1);
}

static void directory_without_modules_is_refused(void **state)
{
	struct fixture *f = *state;
	struct module_list list;
	assert_false(modules_resolve(f->arena, f->diag, f->scratch, "6.1", NULL, NULL, 0, &list));
	assert_non_null(strstr(messages(f), "has no kernel modules"));
	assert_false(modules_resolve(
		f->arena, f->diag, scratch_path(f, "nowhere"), "6.1", NULL, NULL, 0, &list));
	assert_non_null(strstr(messages(f), "No such file or directory"));
}

/*
 * Nixpkgs' kernels have compressed modules behind symbolic links, and depmod's files; Alpine uses
 * gzip.
 */
static void compressed_and_linked_modules_work(void **state)
{
	struct fixture *f = *state;
	need_kernel(f);
	shell(f,
		"version=$1 real=$(realpath \"$2/lib/modules/$1\")\n"
		"mkdir -p real/fs real/drivers lib/modules/$version\n"
		"cp \"$real/kernel/drivers/virtio/virtio.ko\" real/drivers; xz --check=crc32 "
		"real/drivers/virtio.ko\n"
		"cp \"$real/kernel/drivers/virtio/virtio_ring.ko\" real/drivers; gzip "
		"real/drivers/virtio_ring.ko\n"
		"cp \"$real/kernel/drivers/block/virtio_blk.ko\" real/drivers\n"
		"ln -s ../../../real lib/modules/$version/kernel; ln -s / "
		"lib/modules/$version/build; ln -s .. real/loop\n"
		"echo 'alias virtio:d00000002v* virtio_blk' > lib/modules/$version/modules.alias",
		f->version, f->kernel);
	struct module_list list = RESOLVE(f, f->scratch, "virtio:d00000002v00001AF4");
	assert_int_equal(list.n, 3);
	assert_order(&list, "virtio_ring.ko", "virtio.ko");
	assert_order(&list, "virtio.ko", "virtio_blk.ko");
}

static void broken_module_is_named(void **state)
{
	struct fixture *f = *state;
	const char *const content[] = {
		"", "not a module", "\177ELF\x02\x01\x01 truncated", "\x1f\x8b\x08 truncated"};
	const char *folder = scratch_path(f, "lib/modules/1.0");
	assert_true(directory_make(f->diag, folder, 0755));
	for (size_t i = 0; i < countof(content); i++) {
		const char *path = path_join(f->arena, folder, "bad.ko");
		unlink(path);
		assert_true(file_write(f->diag, path, content[i], strlen(content[i]), 0644));
		const struct module_wish wish = {"bad", "the test wants it", false, NULL};
		struct module_list list;
		assert_false(modules_resolve(
			f->arena, f->diag, f->scratch, "1.0", NULL, &wish, 1, &list));
		assert_non_null(strstr(messages(f), "bad.ko"));
	}
}

/*
 * A module with two sections, and variants that the kernel's loader refuses too. ELF libraries have
 * failed on each of them.
 */
static void broken_section_table_is_named(void **state)
{
	struct fixture *f = *state;
	struct file {
		Elf64_Ehdr header;
		Elf64_Shdr sections[3];
		char names[24], information[24];
	};
	const struct file good = {
		.header = {.e_ident = ELFMAG "\2\1\1",
			.e_type = ET_REL,
			.e_shoff = sizeof good.header,
			.e_ehsize = sizeof good.header,
			.e_shentsize = sizeof(Elf64_Shdr),
			.e_shnum = 3,
			.e_shstrndx = 1},
		.sections = {[1] = {.sh_name = 1,
				     .sh_type = SHT_STRTAB,
				     .sh_offset = offsetof(struct file, names),
				     .sh_size = sizeof good.names},
			[2] = {.sh_name = 11,
				.sh_type = SHT_PROGBITS,
				.sh_offset = offsetof(struct file, information),
				.sh_size = sizeof good.information}},
		.names = "\0.shstrtab\0.modinfo",
		.information = "vermagic=1.0 SMP",
	};
	struct file broken[8];
	for (size_t i = 0; i < countof(broken); i++)
		broken[i] = good;
	broken[1].header.e_shstrndx = 9;
	broken[2].header.e_shstrndx = SHN_UNDEF;
	broken[3].header.e_shoff = UINT64_MAX - 3;
	broken[4].header.e_shentsize = 40;
	broken[5].sections[1].sh_size = UINT64_MAX;
	broken[6].sections[2].sh_offset = sizeof good - 3;
	broken[7].sections[2].sh_type = SHT_NOBITS;
	const char *folder = scratch_path(f, "lib/modules/1.0"),
		   *path = path_join(f->arena, folder, "bad.ko");
	assert_true(directory_make(f->diag, folder, 0755));
	for (size_t i = 0; i < countof(broken); i++) {
		const struct module_wish wish = {"bad", "the test wants it", false, NULL};
		struct module_list list;
		unlink(path);
		assert_true(file_write(f->diag, path, &broken[i], sizeof broken[i], 0644));
		assert_int_equal(modules_resolve(f->arena, f->diag, f->scratch, "1.0", NULL, &wish,
					 1, &list),
			i == 0);
		assert_int_equal(
			strstr(messages(f), "cannot read the kernel module") != NULL, i != 0);
	}
}

static void missing_dependency_is_named(void **state)
{
	struct fixture *f = *state;
	need_kernel(f);
	shell(f,
		"mkdir -p lib/modules/$1; cp "
		"\"$2/lib/modules/$1/kernel/drivers/block/virtio_blk.ko\" lib/modules/$1",
		f->version, f->kernel);
	const struct module_wish wish = {"virtio_blk", "the store is a disk", false, NULL};
	struct module_list list;
	assert_false(
		modules_resolve(f->arena, f->diag, f->scratch, f->version, NULL, &wish, 1, &list));
	assert_non_null(strstr(messages(f), "virtio_blk needs virtio"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			monolithic_kernel_needs_nothing, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(dependencies_come_first, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			dash_and_underscore_are_equal, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(modules_can_be_searched, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			soft_dependencies_may_fail, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(aliases_work, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			built_in_modules_are_left_out, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			missing_module_is_named_with_its_reason, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(other_version_is_refused, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			every_form_of_directory_works, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			directory_without_modules_is_refused, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			compressed_and_linked_modules_work, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(broken_module_is_named, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			broken_section_table_is_named, setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			missing_dependency_is_named, setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
