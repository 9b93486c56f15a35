/* SPDX-License-Identifier: MIT */
/* Stage 1's probing of file systems, compared with blkid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

/* The library does not contain the guest's reader. */
#include "imaging/guest/init/probe.c"
#include "tests/unit/fixture.h"

#define WITH_SBIN "PATH=$PATH:/usr/sbin:/sbin\n"

static bool probe_path(const char *path, struct probe *probe)
{
	int disk = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(disk >= 0);
	bool known = probe_read(disk, probe);
	close(disk);
	return known;
}

static void agrees_with_blkid(void **state)
{
	static const struct {
		const char *program, *size, *make, *type, *label;
	} cases[] = {
		{"mkfs.ext2", "8M", "mkfs.ext2 -q -L 'sixteen letters!' \"$1\"", "ext",
			"sixteen letters!"},
		{"mkfs.ext4", "64M", "mkfs.ext4 -q \"$1\"", "ext", ""},
		{"mkfs.xfs", "300M", "mkfs.xfs -q -L 'twelve bytes' \"$1\"", "xfs", "twelve bytes"},
		{"mkfs.xfs", "300M", "mkfs.xfs -q \"$1\"", "xfs", ""},
		{"mkfs.btrfs", "128M", "mkfs.btrfs -q -L \"it's\" \"$1\"", "btrfs", "it's"},
		{"mkfs.vfat", "1M", "mkfs.vfat -F 12 -n 'A B' \"$1\"", "vfat", "A B"},
		{"mkfs.vfat", "32M", "mkfs.vfat -F 16 \"$1\"", "vfat", ""},
		{"mkfs.vfat", "64M", "mkfs.vfat -F 32 -n EXCHANGE-32 \"$1\"", "vfat",
			"EXCHANGE-32"},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(cases); i++) {
		if (!have_program(f, cases[i].program))
			continue;
		const char *image = scratch_path(f, "image");
		const char *script = arena_printf(f->arena,
			WITH_SBIN "rm -f \"$1\"; truncate -s \"$2\" \"$1\"; { %s; } >&2; blkid -p "
				  "-o value -s UUID \"$1\"",
			cases[i].make);
		const char *uuid = shell(f, script, image, cases[i].size);
		struct probe probe;
		assert_true(probe_path(image, &probe));
		assert_string_equal(probe.type, cases[i].type);
		assert_string_equal(probe.label, cases[i].label);
		assert_string_equal(
			arena_printf(f->arena, "%.*s", (int)strcspn(uuid, "\n"), uuid), probe.uuid);
		assert_true(
			probe_matches(&probe, arena_printf(f->arena, "label:%s", cases[i].label)));
		assert_true(probe_matches(&probe, arena_printf(f->arena, "uuid:%s", probe.uuid)));
		assert_false(probe_matches(&probe, "label:other"));
		assert_false(probe_matches(&probe, arena_printf(f->arena, "label:%s", probe.uuid)));
	}
}

static void empty_disks_have_no_file_system(void **state)
{
	struct fixture *f = *state;
	struct probe probe;
	assert_false(probe_path("/dev/null", &probe));
	shell(f, "truncate -s 64M \"$1\"", scratch_path(f, "zeros"), NULL);
	assert_false(probe_path(scratch_path(f, "zeros"), &probe));
	/* The disk ends inside the superblock. */
	shell(f, "head -c 1080 /dev/zero >\"$1\"; printf '\\123\\357' >>\"$1\"",
		scratch_path(f, "short"), NULL);
	assert_false(probe_path(scratch_path(f, "short"), &probe));
}

static bool journal_waits(const char *path)
{
	int disk = open(path, O_RDONLY | O_CLOEXEC);
	bool waits = probe_journal_waits(disk);
	close(disk);
	return waits;
}

static void a_journal_that_waits_is_noticed(void **state)
{
	struct fixture *f = *state;
	const char *image = scratch_path(f, "image");
	if (!have_program(f, "debugfs"))
		skip();
	shell(f, WITH_SBIN "truncate -s 64M \"$1\"; mkfs.ext4 -q \"$1\" >&2", image, NULL);
	assert_false(journal_waits(image));
	shell(f, WITH_SBIN "printf 'jo\njw -b 5000 /dev/zero\njc\n' | debugfs -w -f - \"$1\" >&2",
		image, NULL);
	assert_true(journal_waits(image));
	assert_false(journal_waits("/dev/null"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(agrees_with_blkid, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			empty_disks_have_no_file_system, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_journal_that_waits_is_noticed, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
