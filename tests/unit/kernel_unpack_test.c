/* SPDX-License-Identifier: MIT */
/*
 * Debian's kernels (MVM_TEST_KERNEL, see tests/e2e/lib/kernel.sh, is compressed with XZ,
 * cloud-amd64 with LZ4) and synthetic bzImages compressed by real programs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>

#include "imaging/kernel/kernel.h"
#include "imaging/kernel/vmlinux.h"
#include "tests/unit/fixture.h"

enum { PAYLOAD_AT = 5 * 512 + 0x40, ELF_BYTES = 300000 };

/* The smallest ELF kernel that kernel_inspect accepts. */
static void make_elf(struct fixture *f)
{
	unsigned char *elf = arena_alloc(f->arena, ELF_BYTES);
	Elf64_Ehdr header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof header,
		.e_phentsize = sizeof(Elf64_Phdr)};
	for (size_t i = 0; i < ELF_BYTES; i++)
		elf[i] = (unsigned char)(i * i >> 7);
	memcpy(elf, &header, sizeof header);
	strcpy((char *)elf + 1000, "Linux version 6.1.0-test (me@here) #1");
	unlink(scratch_path(f, "elf"));
	assert_ok(f, file_write(f->diag, scratch_path(f, "elf"), elf, ELF_BYTES, 0644));
}

static void put32(unsigned char *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(value >> 8 * i);
}

/*
 * A bzImage around `payload`, followed by some bytes as in real ones; `length` is the header's
 * payload length.
 */
static const char *make_bzimage(struct fixture *f, struct bytes payload, uint32_t length)
{
	size_t size = PAYLOAD_AT + payload.n + 1000;
	unsigned char *image = arena_alloc(f->arena, size);
	memcpy(image + 0x1fe,
		"\x55\xaa"
		"\0\0"
		"HdrS"
		"\x0f\x02",
		10);
	image[0x1f1] = 4;
	image[0x236] = 1;
	put32(image + 0x248, 0x40);
	put32(image + 0x24c, length);
	memcpy(image + PAYLOAD_AT, payload.p, payload.n);
	const char *path = scratch_path(f, "bzImage");
	unlink(path);
	assert_ok(f, file_write(f->diag, path, image, size, 0644));
	return path;
}

static void assert_refused(struct fixture *f, const char *bzimage, const char *reason)
{
	const char *output = scratch_path(f, "vmlinux");
	assert_false(kernel_unpack(f->diag, bzimage, output));
	assert_false(path_exists(output));
	const char *text = messages(f);
	if (!strstr(text, reason) || !strstr(text, bzimage))
		fail_msg("expected \"%s\" about %s in: %s", reason, bzimage, text);
	assert_int_equal(diag_status(f->diag), STATUS_INPUT);
}

/* The format of the kernel's own build: compressed data, then the uncompressed size in 4 bytes. */
static struct bytes pack(struct fixture *f, const char *packer, bool with_size)
{
	shell(f, "eval \"$1\" < elf > packed", packer, NULL);
	struct bytes packed = contents(f, scratch_path(f, "packed"));
	if (!with_size)
		return packed;
	char *all = arena_alloc(f->arena, packed.n + 4);
	memcpy(all, packed.p, packed.n);
	put32((unsigned char *)all + packed.n, ELF_BYTES);
	return (struct bytes){all, packed.n + 4};
}

static void assert_unpacks(struct fixture *f, const char *packer, bool with_size)
{
	make_elf(f);
	struct bytes payload = pack(f, packer, with_size);
	const char *bzimage = make_bzimage(f, payload, (uint32_t)payload.n),
		   *output = scratch_path(f, "vmlinux");
	assert_ok(f, kernel_unpack(f->diag, bzimage, output));
	assert_same_contents(f, output, scratch_path(f, "elf"));
	struct stat st;
	assert_int_equal(stat(output, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0444);
	unlink(output);
}

static void every_compressor_of_linux_is_read(void **state)
{
	static const struct {
		const char *program, *command;
		bool with_size;
	} packers[] = {
		{"gzip", "gzip -n -9", false},
		{"xz", "xz --check=crc32 --x86 --lzma2=,dict=32MiB", true},
		{"lzma", "lzma -9", true},
		{"bzip2", "bzip2 -9", true},
		{"zstd", "zstd -22 --ultra -q", true},
		{"lz4", "lz4 -l -9 -q - -", true},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(packers); i++)
		if (have_program(f, packers[i].program))
			assert_unpacks(f, packers[i].command, packers[i].with_size);
}

/* Debian's libarchive has no LZO. The error must say so; no external program is run instead. */
static void lzo_is_reported(void **state)
{
	struct fixture *f = *state;
	static const char lzo[] = "\x89LZO\0\r\n\x1a\n and more bytes";
	const char *bzimage = make_bzimage(f, (struct bytes){lzo, sizeof lzo}, sizeof lzo);
	assert_false(kernel_unpack(f->diag, bzimage, scratch_path(f, "vmlinux")));
	assert_false(path_exists(scratch_path(f, "vmlinux")));
}

static void truncated_kernels_are_refused(void **state)
{
	struct fixture *f = *state;
	make_elf(f);
	struct bytes payload = pack(f, "gzip -n", false);
	const char *bzimage = make_bzimage(f, payload, (uint32_t)payload.n);
	assert_int_equal(truncate(bzimage, PAYLOAD_AT + (off_t)payload.n - 1), 0);
	assert_refused(f, bzimage, "truncated");
	assert_int_equal(truncate(bzimage, 0x24f), 0);
	assert_refused(f, bzimage, "it is not a bzImage");
	assert_int_equal(truncate(bzimage, 0), 0);
	assert_refused(f, bzimage, "it is not a bzImage");
	assert_refused(f, scratch_path(f, "missing"), "No such file");
	assert_refused(f, f->scratch, "it is not a bzImage");
}

static void lying_headers_are_refused(void **state)
{
	struct fixture *f = *state;
	make_elf(f);
	struct bytes payload = pack(f, "zstd -q", true);
	uint32_t length = (uint32_t)payload.n;
	assert_refused(f, make_bzimage(f, payload, UINT32_MAX),
		"does not describe a payload inside the file");
	assert_refused(
		f, make_bzimage(f, payload, 0), "does not describe a payload inside the file");
	assert_refused(f, make_bzimage(f, payload, length - 100), "cannot unpack");
	assert_refused(f, make_bzimage(f, (struct bytes){payload.p + 1, payload.n - 1}, length - 1),
		"its compression is unknown");
	char *lie = arena_alloc(f->arena, payload.n);
	memcpy(lie, payload.p, payload.n);
	put32((unsigned char *)lie + payload.n - 4, ELF_BYTES - 1);
	assert_refused(f, make_bzimage(f, (struct bytes){lie, payload.n}, length), "size");
	put32((unsigned char *)lie + payload.n - 4, ELF_BYTES + 1);
	assert_refused(f, make_bzimage(f, (struct bytes){lie, payload.n}, length), "size");
	put32((unsigned char *)lie + payload.n - 4, UINT32_MAX);
	assert_refused(f, make_bzimage(f, (struct bytes){lie, payload.n}, length), "512 MiB");
}

static void the_payload_must_be_a_kernel(void **state)
{
	struct fixture *f = *state;
	make_elf(f);
	shell(f, "printf MZ | dd of=elf conv=notrunc status=none", NULL, NULL);
	struct bytes payload = pack(f, "gzip -n", false);
	assert_refused(
		f, make_bzimage(f, payload, (uint32_t)payload.n), "is not an x86_64 ELF kernel");
}

static void an_existing_output_stays(void **state)
{
	struct fixture *f = *state;
	make_elf(f);
	struct bytes payload = pack(f, "gzip -n", false);
	const char *bzimage = make_bzimage(f, payload, (uint32_t)payload.n),
		   *output = scratch_path(f, "there");
	assert_ok(f, file_write(f->diag, output, "mine", 4, 0644));
	assert_false(kernel_unpack(f->diag, bzimage, output));
	assert_string_equal(contents(f, output).p, "mine");
	assert_said(f, "File exists");
}

/* The result has QEMU's PVH entry point and the same version as the bzImage. */
static void debians_kernels_are_unpacked(void **state)
{
	struct fixture *f = *state;
	const char *package = getenv("MVM_TEST_KERNEL"), *output = scratch_path(f, "vmlinux");
	if (!package || !*package) {
		print_message("skipped: MVM_TEST_KERNEL names no unpacked kernel package\n");
		skip();
	}
	struct kernel packed, plain;
	assert_ok(f, kernel_inspect(f->arena, f->diag, package, NULL, &packed));
	assert_ok(f, kernel_unpack(f->diag, packed.path, output));
	assert_ok(f, kernel_inspect(f->arena, f->diag, output, NULL, &plain));
	assert_int_equal(plain.format, KERNEL_ELF);
	assert_true(plain.pvh);
	assert_string_equal(plain.version, packed.version);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			every_compressor_of_linux_is_read, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(lzo_is_reported, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			truncated_kernels_are_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			lying_headers_are_refused, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			the_payload_must_be_a_kernel, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			an_existing_output_stays, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			debians_kernels_are_unpacked, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
