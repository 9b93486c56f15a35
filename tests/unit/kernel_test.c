/* SPDX-License-Identifier: MIT */
/*
 * Synthetic headers for rare cases, and a real Debian kernel, MVM_TEST_KERNEL
 * (tests/e2e/lib/kernel.sh).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <glob.h>

#include "imaging/kernel/kernel.h"
#include "tests/unit/fixture.h"

static const char *make_file(struct fixture *f, const char *name, const void *bytes, size_t count)
{
	const char *path = scratch_path(f, name);
	unlink(path);
	assert_ok(f, directory_make(f->diag, path_parent(f->arena, path), 0755));
	assert_ok(f, file_write(f->diag, path, bytes, count, 0644));
	return path;
}

static struct kernel inspect(struct fixture *f, const char *path)
{
	struct kernel kernel;
	assert_ok(f, kernel_inspect(f->arena, f->diag, path, NULL, &kernel));
	return kernel;
}

static void assert_refused(struct fixture *f, const char *path, const char *reason)
{
	struct kernel kernel;
	assert_false(kernel_inspect(f->arena, f->diag, path, NULL, &kernel));
	const char *text = messages(f);
	if (!strstr(text, reason) || !strstr(text, path))
		fail_msg("expected \"%s\" about %s in: %s", reason, path, text);
	assert_int_equal(diag_status(f->diag), STATUS_INPUT);
}

static void a_real_bzimage_is_read(void **state)
{
	struct fixture *f = *state;
	const char *package = getenv("MVM_TEST_KERNEL");
	if (!package) {
		print_message("skipped: MVM_TEST_KERNEL names no unpacked kernel package\n");
		skip();
	}
	struct kernel kernel = inspect(f, package);
	assert_int_equal(kernel.format, KERNEL_BZIMAGE);
	assert_int_equal(kernel.arch, KERNEL_X86_64);
	assert_non_null(kernel.version);
	assert_in_range(kernel.end, 32 << 20, 256 << 20);
	assert_true(path_is_directory(
		arena_printf(f->arena, "%s/lib/modules/%s", package, kernel.version)));
	assert_string_equal(kernel.version, path_base(kernel.path) + strlen("vmlinuz-"));
}

/* ---- synthetic kernels ---- */

enum { BZIMAGE_BYTES = 0x1000 };

static void bzimage_fill(unsigned char *image, uint16_t version_offset)
{
	memset(image, 0, BZIMAGE_BYTES);
	memcpy(image + 0x1fe,
		"\x55\xaa"
		"\0\0"
		"HdrS"
		"\x0f\x02",
		10);
	image[0x20e] = (unsigned char)version_offset;
	image[0x20f] = (unsigned char)(version_offset >> 8);
	image[0x236] = 1;
}

static void bzimage_version_is_bounded(void **state)
{
	struct fixture *f = *state;
	unsigned char image[BZIMAGE_BYTES];
	bzimage_fill(image, 0x300);
	strcpy((char *)image + 0x500, "6.6.1-custom (me@here) #1 SMP");
	assert_string_equal(
		inspect(f, make_file(f, "good", image, sizeof image)).version, "6.6.1-custom");

	/* In turn: beyond the end; unterminated at the end; too long; missing. */
	bzimage_fill(image, 0xffff);
	assert_null(inspect(f, make_file(f, "outside", image, sizeof image)).version);
	bzimage_fill(image, BZIMAGE_BYTES - 0x200 - 4);
	memcpy(image + BZIMAGE_BYTES - 4, "6.66", 4);
	assert_null(inspect(f, make_file(f, "unterminated", image, sizeof image)).version);
	bzimage_fill(image, 0x300);
	memset(image + 0x500, '6', 0x800);
	assert_null(inspect(f, make_file(f, "long", image, sizeof image)).version);
	bzimage_fill(image, 0);
	assert_null(inspect(f, make_file(f, "none", image, sizeof image)).version);
}

static void the_end_of_a_bzimage_includes_unpacking(void **state)
{
	struct fixture *f = *state;
	unsigned char image[BZIMAGE_BYTES];
	bzimage_fill(image, 0);
	memcpy(image + 0x258, "\0\0\0\1\0\0\0\0", 8); /* pref_address */
	memcpy(image + 0x260, "\0\0\1\0", 4);         /* init_size */
	assert_int_equal(inspect(f, make_file(f, "small", image, sizeof image)).end, 0x1010000);
	image[0x25f] = 0xff;
	assert_int_equal(inspect(f, make_file(f, "nowhere", image, sizeof image)).end, 0);
}

static void bzimage_of_32_bits_is_refused(void **state)
{
	struct fixture *f = *state;
	unsigned char image[BZIMAGE_BYTES];
	bzimage_fill(image, 0);
	image[0x236] = 0;
	assert_refused(f, make_file(f, "small", image, sizeof image), "a 32-bit x86 kernel");
}

struct elf {
	Elf64_Ehdr header;
	Elf64_Phdr note_segment;
	Elf64_Nhdr note;
	char note_name[4];
	uint64_t note_value;
	char text[64];
};

static struct elf elf_make(uint16_t type, uint16_t machine)
{
	struct elf elf = {
		.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
				   EV_CURRENT},
			.e_type = type,
			.e_machine = machine,
			.e_version = EV_CURRENT,
			.e_phoff = offsetof(struct elf, note_segment),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 1},
		.note_segment = {.p_type = PT_NOTE,
			.p_offset = offsetof(struct elf, note),
			.p_filesz = 24,
			.p_align = 4},
		.note = {4, 8, 18},
		.note_name = "Xen",
		.text = "Linux version 6.6.1-elf (me@here) #1",
	};
	return elf;
}

static void a_vmlinux_is_read(void **state)
{
	struct fixture *f = *state;
	struct elf elf = elf_make(ET_EXEC, EM_X86_64);
	struct kernel kernel = inspect(f, make_file(f, "pvh", &elf, sizeof elf));
	assert_int_equal(kernel.format, KERNEL_ELF);
	assert_int_equal(kernel.arch, KERNEL_X86_64);
	assert_string_equal(kernel.version, "6.6.1-elf");
	assert_true(kernel.pvh);

	elf.note.n_type = 3;
	assert_false(inspect(f, make_file(f, "plain", &elf, sizeof elf)).pvh);

	elf = elf_make(ET_DYN, EM_AARCH64);
	assert_int_equal(inspect(f, make_file(f, "arm", &elf, sizeof elf)).arch, KERNEL_AARCH64);
}

static void damaged_elf_notes_do_no_harm(void **state)
{
	struct fixture *f = *state;
	struct elf elf = elf_make(ET_EXEC, EM_X86_64);
	elf.note_segment.p_offset = UINT64_MAX - 8;
	assert_refused(f, make_file(f, "far", &elf, sizeof elf), "a truncated ELF file");
	elf = elf_make(ET_EXEC, EM_X86_64);
	elf.note.n_namesz = UINT32_MAX;
	assert_false(inspect(f, make_file(f, "name", &elf, sizeof elf)).pvh);
	elf = elf_make(ET_EXEC, EM_X86_64);
	elf.note.n_type = 1;
	elf.note.n_descsz = UINT32_MAX;
	assert_false(inspect(f, make_file(f, "value", &elf, sizeof elf)).pvh);
	elf = elf_make(ET_EXEC, EM_X86_64);
	elf.header.e_phoff = UINT64_MAX - 3;
	assert_refused(f, make_file(f, "headers", &elf, sizeof elf), "a truncated ELF file");
	assert_refused(f, make_file(f, "short", &elf, 20), "a truncated ELF file");
}

/* The version may straddle the blocks in which a file is read. */
static void version_is_found_anywhere(void **state)
{
	struct fixture *f = *state;
	enum { BYTES = 600 * 1024, BLOCK = 256 * 1024 };
	char *image = calloc(1, BYTES);
	memcpy(image + 0x38, "ARM\x64", 4);
	for (int at = BLOCK - 40; at < BLOCK + 2; at++) {
		memset(image + 0x1000, 0, BYTES - 0x1000);
		strcpy(image + 0x1000, "Linux version %s (%s)");
		strcpy(image + at, "Linux version 6.6.1-arm64 (me@here)");
		struct kernel kernel = inspect(f, make_file(f, "Image", image, BYTES));
		assert_int_equal(kernel.format, KERNEL_ARM64_IMAGE);
		assert_string_equal(kernel.version, "6.6.1-arm64");
	}
	shell(f, "gzip \"$1\"", make_file(f, "Image", image, BYTES), NULL);
	struct kernel kernel = inspect(f, f->scratch); /* Image.gz is found in a package too */
	assert_int_equal(kernel.format, KERNEL_ARM64_IMAGE_GZ);
	assert_int_equal(kernel.arch, KERNEL_AARCH64);
	assert_string_equal(kernel.version, "6.6.1-arm64");
	free(image);
}

/*
 * As left by a full disk or an interrupted download: a guest with such a kernel would not start,
 * without any message.
 */
static void a_truncated_kernel_is_refused(void **state)
{
	struct fixture *f = *state;
	unsigned char image[BZIMAGE_BYTES];
	bzimage_fill(image, 0);
	image[0x1f1] = 1;
	image[0x1f4] = (BZIMAGE_BYTES - 1024) / 16 % 256;
	image[0x1f5] = (BZIMAGE_BYTES - 1024) / 16 / 256;
	assert_int_equal(
		inspect(f, make_file(f, "bzImage", image, sizeof image)).format, KERNEL_BZIMAGE);
	assert_refused(
		f, make_file(f, "cut", image, sizeof image - 1), "truncated: its header declares");
	struct elf elf = elf_make(ET_EXEC, EM_X86_64);
	elf.note_segment.p_filesz = sizeof elf;
	assert_refused(f, make_file(f, "vmlinux", &elf, sizeof elf), "a truncated ELF file");
	/* Two sections, the second of which ends at 8192; see arch/arm64/kernel/efi-header.S. */
	unsigned char arm64[8192] = {[0x38] = 'A',
		'R',
		'M',
		0x64,
		0x40,
		[0x40] = 'P',
		'E',
		0,
		0,
		[0x46] = 2,
		[0x54] = 16};
	/* 4096 bytes at offset 4096 */
	arm64[0x40 + 24 + 16 + 40 + 17] = arm64[0x40 + 24 + 16 + 40 + 21] = 0x10;
	strcpy((char *)arm64 + 2000, "Linux version 6.6.1-arm64 (me@here)");
	assert_int_equal(
		inspect(f, make_file(f, "Image", arm64, sizeof arm64)).format, KERNEL_ARM64_IMAGE);
	assert_refused(f, make_file(f, "Image", arm64, sizeof arm64 - 1),
		"truncated: its header declares 8192 bytes");
	/* The version is found early, but the missing byte is at the very end. */
	shell(f, "gzip \"$1\" && truncate -s -1 \"$1.gz\"",
		make_file(f, "Image", arm64, sizeof arm64), NULL);
	assert_refused(f, scratch_path(f, "Image.gz"), "damaged or truncated");
}

static void other_files_are_named(void **state)
{
	struct fixture *f = *state;
	assert_refused(f, make_file(f, "empty", "", 0), "empty");
	assert_refused(f, make_file(f, "text", "vmlinuz\n", 8), "a text file");
	assert_refused(f, make_file(f, "script", "#!/bin/sh\n", 10), "a script");
	assert_refused(f, make_file(f, "bytes", "\1\2\3\4", 4), "unknown data");
	assert_refused(f, make_file(f, "gzip", "\x1f\x8b\x08\0", 4), "gzip-compressed data");
	assert_refused(f, make_file(f, "cpio", "070701000", 9), "an initramfs");
	assert_refused(f, "/dev/null", "not a regular file");
	assert_refused(f, scratch_path(f, "missing"), "No such file or directory");
	assert_refused(f, "/proc/self/exe", "an ELF shared object"); /* position independent */
	struct elf elf = elf_make(ET_REL, EM_X86_64);
	assert_refused(f, make_file(f, "object", &elf, sizeof elf), "a kernel module?");
	elf = elf_make(ET_EXEC, EM_RISCV);
	assert_refused(f, make_file(f, "riscv", &elf, sizeof elf), "another machine");
}

static void package_has_exactly_one_kernel(void **state)
{
	struct fixture *f = *state;
	unsigned char image[BZIMAGE_BYTES];
	bzimage_fill(image, 0);
	assert_refused(f, f->scratch, "has no kernel");
	const char *first = make_file(f, "odd*[dir]/boot/vmlinuz-1", image, sizeof image);
	const char *package = scratch_path(f, "odd*[dir]");
	assert_int_equal(symlink("boot/vmlinuz-1", path_join(f->arena, package, "vmlinuz")), 0);
	assert_string_equal(inspect(f, package).path, path_join(f->arena, package, "vmlinuz"));
	make_file(f, "odd*[dir]/boot/vmlinuz-2", image, sizeof image);
	assert_refused(f, package, "vmlinuz-2");
	unlink(path_join(f->arena, package, "vmlinuz"));
	unlink(path_join(f->arena, package, "boot/vmlinuz-2"));
	assert_string_equal(inspect(f, package).path, first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_real_bzimage_is_read, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			bzimage_version_is_bounded, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			the_end_of_a_bzimage_includes_unpacking, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			bzimage_of_32_bits_is_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(a_vmlinux_is_read, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			damaged_elf_notes_do_no_harm, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			version_is_found_anywhere, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_truncated_kernel_is_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			other_files_are_named, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			package_has_exactly_one_kernel, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
