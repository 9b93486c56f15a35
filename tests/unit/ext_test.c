/* SPDX-License-Identifier: MIT */
/* Checked by e2fsck, mkfs.ext4, resize2fs and the kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>

#include "imaging/volume/ext.h"
#include "imaging/volume/identity.h"
#include "tests/unit/fixture.h"

#define WITH_SBIN "PATH=$PATH:/usr/sbin:/sbin\n"

static const uint64_t mib = 1024 * 1024;

static const char *make_type(
	struct fixture *f, const char *name, uint64_t size_mib, enum ext_type type)
{
	const char *path = scratch_path(f, name);
	unlink(path);
	assert_ok(f,
		ext_create(f->diag,
			&(struct ext_request){path, size_mib * mib, "data", "vm/data", 1, type}));
	return path;
}

static const char *make(struct fixture *f, const char *name, uint64_t size_mib)
{
	return make_type(f, name, size_mib, EXT4);
}

static void is_clean_at_any_size(void **state)
{
	static const struct {
		uint64_t mib, allocated_kib;
	} cases[] = {
		{8, 128},
		{9, 128},
		{31, 128},
		{64, 128},
		{127, 256},
		{128, 256},
		{129, 256},
		{511, 1024},
		{512, 1024},
		{513, 1024},
		{2048, 2048},
		{65536, 5 * 1024},
		{4 * 1024 * 1024, 64 * 1024},
	};
	struct fixture *f = *state;
	if (!have_program(f, "e2fsck"))
		skip();
	for (size_t i = 0; i < countof(cases); i++) {
		const char *image = make(f, "image", cases[i].mib);
		struct stat st;
		assert_int_equal(stat(image, &st), 0);
		assert_int_equal(st.st_size, cases[i].mib * mib);
		assert_in_range(allocated_kib(image), 1, cases[i].allocated_kib);
		shell(f, WITH_SBIN "e2fsck -fn \"$1\"", image, NULL);
		for (enum ext_type type = EXT2; type < EXT4 && cases[i].mib <= 2048; type++)
			shell(f, WITH_SBIN "e2fsck -fn \"$1\"",
				make_type(f, "image", cases[i].mib, type), NULL);
	}
}

static void equal_requests_give_equal_bytes(void **state)
{
	struct fixture *f = *state;
	const char *one = make(f, "one", 64);
	setenv("E2FSPROGS_FAKE_TIME", "77777777", 1);
	setenv("SOURCE_DATE_EPOCH", "88888888", 1);
	setenv("MKE2FS_CONFIG", "/nowhere", 1);
	setenv("MKE2FS_DEVICE_SECTSIZE", "4096", 1);
	setenv("UNIX_IO_FORCE_BOUNCE", "1", 1);
	const char *two = make(f, "two", 64);
	static const char *const names[] = {"E2FSPROGS_FAKE_TIME", "SOURCE_DATE_EPOCH",
		"MKE2FS_CONFIG", "MKE2FS_DEVICE_SECTSIZE", "UNIX_IO_FORCE_BOUNCE"};
	for (size_t i = 0; i < countof(names); i++)
		unsetenv(names[i]);
	assert_same_contents(f, one, two);
	const char *zero = scratch_path(f, "zero");
	assert_ok(f,
		ext_create(f->diag,
			&(struct ext_request){zero, 64 * mib, "data", "vm/data", 0, EXT4}));
	assert_same_contents(f, one, zero);
}

static void the_seed_determines_the_uuid(void **state)
{
	struct fixture *f = *state;
	struct identity one = identity_of("vm/data"), again = identity_of("vm/data"),
			other = identity_of("vm/logs");
	assert_memory_equal(&one, &again, sizeof one);
	assert_memory_not_equal(one.uuid, other.uuid, sizeof one.uuid);
	assert_int_equal(one.uuid[6] >> 4, 8);
	assert_int_equal(one.uuid[8] >> 6, 2);
	if (!have_program(f, "blkid"))
		skip();
	const char *said =
		shell(f, WITH_SBIN "blkid -p -o export \"$1\"", make(f, "image", 8), NULL);
	assert_non_null(
		strstr(said, arena_printf(f->arena, "\nUUID=%s\n", uuid_text(f->arena, one.uuid))));
	assert_non_null(strstr(said, "\nLABEL=data\n"));
	assert_non_null(strstr(said, "\nTYPE=ext4\n"));
}

/*
 * The image has the same bytes as that of mkfs.ext4, except for the count of bytes that mkfs wrote
 * and the superblock's checksum over it.
 */
static void equals_the_output_of_mkfs(void **state)
{
	static const char script[] = WITH_SBIN
		"type=${2% *} size=${2#* }\n"
		"mkfs.ext4 -V 2>&1 | grep -q 'mke2fs 1\\.47\\.0' || exit 9\n"
		"field() { dumpe2fs -h \"$1\" 2>/dev/null | sed -n \"s/^$2: *//p\"; }\n"
		"rm -f theirs; truncate -s \"${size}M\" theirs\n"
		"E2FSPROGS_FAKE_TIME=1 mkfs.$type -q -b 4096 -L data -U \"$(field \"$1\" "
		"'Filesystem UUID')\" -E \"hash_seed=$(field \"$1\" 'Directory Hash "
		"Seed'),lazy_journal_init=1,assume_storage_prezeroed=1,nodiscard\" theirs\n"
		"grep -q 'features = "
		"has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize$' "
		"/etc/mke2fs.conf || exit 9\n";
	static const struct {
		unsigned mib;
		enum ext_type type;
		const char *name;
	} cases[] = {{8, EXT4, "ext4"}, {64, EXT4, "ext4"}, {160, EXT4, "ext4"}, {8, EXT3, "ext3"},
		{160, EXT3, "ext3"}, {8, EXT2, "ext2"}, {600, EXT2, "ext2"}};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(cases); i++) {
		const char *ours = make_type(f, "ours", cases[i].mib, cases[i].type),
			   *theirs = scratch_path(f, "theirs");
		struct process_result result = shell_try(f, script, ours,
			arena_printf(f->arena, "%s %u", cases[i].name, cases[i].mib));
		if (result.exit_status != 0) {
			print_message(
				"skipped: no mkfs.ext4 1.47.0 with Debian 12's configuration\n");
			skip();
		}
		struct bytes a = contents(f, ours), b = contents(f, theirs);
		assert_int_equal(a.n, b.n);
		for (size_t at = 0; at < a.n; at++) {
			/*
			 * A copy of the superblock starts a block group of 128 MiB; the first
			 * superblock follows 1 KiB for a boot loader.
			 */
			size_t in_group = at % (128 * mib),
			       in_super = in_group - (at < 128 * mib ? 1024 : 0);
			bool counted = (in_super >= 0x178 && in_super < 0x180) ||
				(in_super >= 0x3fc && in_super < 0x400);
			if (a.p[at] != b.p[at] && !counted)
				fail_msg("%u MiB: byte %zu differs from mkfs.%s's", cases[i].mib,
					at, cases[i].name);
		}
	}
}

static void nothing_is_left_to_initialise(void **state)
{
	struct fixture *f = *state;
	if (!have_program(f, "dumpe2fs"))
		skip();
	shell(f,
		WITH_SBIN "dumpe2fs \"$1\" 2>/dev/null | grep '^Group [0-9]' >groups; test -s "
			  "groups; ! grep -v ITABLE_ZEROED groups",
		make(f, "image", 2048), NULL);
}

static void grows(void **state)
{
	struct fixture *f = *state;
	if (!have_program(f, "resize2fs"))
		skip();
	const char *script =
		WITH_SBIN "truncate -s \"$2\" \"$1\"; resize2fs \"$1\"; e2fsck -fn \"$1\"; "
			  "test \"$(dumpe2fs -h \"$1\" 2>/dev/null | sed -n 's/^Block count: "
			  "*//p')\" -gt $((${2%M} * 255))";
	shell(f, script, make(f, "image", 64), "256M");
	shell(f, script, make(f, "image", 8), "8000M");
}

static void refuses(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *label, *reason;
	} cases[] = {
		{0, NULL, "is 0 MiB"},
		{7u << 20, NULL, "is 7 MiB; ext4 volumes must have from 8 MiB to 16 TiB"},
		{(64u << 20) + 512, NULL, "not a whole number of MiB"},
		{(16ull << 40) + (1u << 20), NULL, "is 16777217 MiB"},
		{UINT64_MAX - (1u << 20) + 1, NULL, "ext4 volumes must have"},
		{64u << 20, "seventeen letters", "\"seventeen letters\" has 17 bytes"},
	};
	struct fixture *f = *state;
	const char *path = scratch_path(f, "refused");
	for (size_t i = 0; i < countof(cases); i++) {
		assert_false(ext_create(f->diag,
			&(struct ext_request){
				path, cases[i].bytes, cases[i].label, "seed", 1, EXT4}));
		assert_said(f, cases[i].reason);
		assert_false(path_exists(path));
	}
	assert_ok(f,
		ext_create(f->diag,
			&(struct ext_request){
				path, 64 * mib, "sixteen letters!", "seed", 1, EXT4}));
	assert_false(
		ext_create(f->diag, &(struct ext_request){path, 8 * mib, NULL, "seed", 1, EXT4}));
	assert_said(f, "File exists");
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, 64 * mib);
}

static bool may_mount(struct fixture *f)
{
	if (geteuid() != 0) {
		print_message("skipped: mounting needs root\n");
		return false;
	}
	make(f, "probe", 8);
	if (shell_try(f,
		    "mkdir m; mount -o loop probe m; umount m; rmdir m probe 2>/dev/null || true",
		    NULL, NULL)
			.exit_status == 0)
		return true;
	print_message("skipped: no loop mounts here\n");
	return false;
}

static void kernel_mounts_and_grows(void **state)
{
	struct fixture *f = *state;
	if (!may_mount(f))
		skip();
	const char *image = make(f, "image", 64);
	const char *said = shell(f,
		WITH_SBIN
		"mkdir mnt; mount -o loop \"$1\" mnt\n"
		"trap 'umount mnt' EXIT\n"
		"test \"$(stat -c %a:%u:%g mnt)\" = 755:0:0\n"
		"test \"$(stat -c %a:%u:%g mnt/lost+found)\" = 700:0:0\n"
		"test \"$(ls -A mnt)\" = lost+found\n"
		"head -c 20000000 /dev/zero | tr '\\0' x >mnt/file\n"
		"truncate -s 256M \"$1\"; dev=$(findmnt -n -o SOURCE mnt); losetup -c \"$dev\"\n"
		"if ! resize2fs \"$dev\" 2>said; then grep -q 'Permission denied' said\n"
		"echo 'not tried: growing while mounted needs CAP_SYS_RESOURCE'\n"
		"umount mnt; e2fsck -fp \"$1\" >/dev/null; resize2fs \"$1\"; mount -o loop \"$1\" "
		"mnt; fi\n"
		"head -c 150000000 /dev/zero | tr '\\0' y >mnt/more\n"
		"sync; umount mnt; trap - EXIT; e2fsck -fn \"$1\"",
		image, NULL);
	if (strncmp(said, "not tried", 9) == 0)
		print_message("%.*s\n", (int)strcspn(said, "\n"), said);
}

/*
 * A sparse volume stays sparse when the guest only mounts it: no kernel thread writes inode tables
 * in the background.
 */
static void mounting_writes_few_blocks(void **state)
{
	struct fixture *f = *state;
	if (!may_mount(f))
		skip();
	const char *image = make(f, "image", 65536);
	uint64_t before = allocated_kib(image);
	shell(f,
		"mkdir -p mnt; mount -o loop,init_itable=0 \"$1\" mnt; sleep 2; sync -f mnt; "
		"umount mnt",
		image, NULL);
	assert_in_range(allocated_kib(image) - before, 0, 256);
}

static void full_disk_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	if (!may_mount(f))
		skip();
	/* The sizes range from no free page at all to one page too few. */
	for (unsigned pages = 2; pages < 40; pages += 3) {
		const char *size = arena_printf(f->arena, "size=%u", pages * 4096);
		shell(f, "mkdir -p small; mount -t tmpfs -o \"$1\" none small", size, NULL);
		const char *path = scratch_path(f, "small/image");
		bool made = ext_create(
			f->diag, &(struct ext_request){path, 513 * mib, NULL, "seed", 1, EXT4});
		bool left = path_exists(path);
		shell(f, "umount small", NULL, NULL);
		assert_false(made);
		assert_false(left);
		assert_said(f, "No space left on device");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			is_clean_at_any_size, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			equal_requests_give_equal_bytes, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			the_seed_determines_the_uuid, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			equals_the_output_of_mkfs, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			nothing_is_left_to_initialise, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(grows, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(refuses, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			kernel_mounts_and_grows, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			mounting_writes_few_blocks, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			full_disk_leaves_nothing, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("ext", tests, NULL, NULL);
}
