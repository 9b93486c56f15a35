/* SPDX-License-Identifier: MIT */
/* Checked by GNU tar and bsdtar. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "imaging/volume/sparse_archive.h"
#include "tests/unit/fixture.h"

enum { KIB = 1024, MIB = 1024 * 1024 };

struct piece {
	uint64_t at, length; /* a range of bytes that are not zero */
};

static const char *make_file(
	struct fixture *f, const char *name, uint64_t size, const struct piece *pieces)
{
	const char *path = scratch_path(f, name);
	unlink(path);
	FD_CLEANUP int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	uint32_t random = 1;
	for (; pieces && pieces->length; pieces++) {
		char *bytes = malloc(pieces->length);
		for (uint64_t i = 0; i < pieces->length; i++)
			bytes[i] = (char)((random = random * 1103515245 + 12345) >> 24 | 1);
		assert_true(fd_write_all(fd, bytes, pieces->length, (off_t)pieces->at));
		free(bytes);
	}
	return path;
}

static const char *pack(struct fixture *f, const char *source, const char *name)
{
	const char *archive = scratch_path(f, name);
	unlink(archive);
	assert_ok(f, sparse_archive_write(f->diag, source, "data.img", archive, 1));
	return archive;
}

/* Unpacks with each program and compares bytes, size, mode, owner and holes. */
static void assert_restored(struct fixture *f, const char *source, const char *archive)
{
	static const char *const programs[] = {"tar", "bsdtar"};
	for (size_t i = 0; i < countof(programs); i++) {
		if (!have_program(f, programs[i]))
			continue;
		shell(f,
			arena_printf(f->arena,
				"rm -rf out; mkdir out; %s -xzf \"$1\" -C out; cmp \"$2\" "
				"out/data.img",
				programs[i]),
			archive, source);
		const char *restored = scratch_path(f, "out/data.img");
		struct stat st;
		assert_int_equal(stat(restored, &st), 0);
		assert_int_equal(st.st_mtime, 1);
		assert_int_equal(st.st_mode & 07777, 0600);
		/* A file system may allocate a little more around a hole. */
		assert_in_range(allocated_kib(restored), 0, allocated_kib(source) + 64);
	}
}

static void restores_every_shape(void **state)
{
	static const struct {
		uint64_t size;
		struct piece pieces[4];
	} cases[] = {
		{0, {{0, 0}}},
		{1, {{0, 1}}},
		{1, {{0, 0}}},
		{4096, {{0, 0}}},
		{100 * MIB, {{0, 0}}},
		{5000, {{0, 5000}}},
		{3 * MIB + 7, {{0, 3 * MIB + 7}}},
		{64 * MIB, {{0, 1}}},
		{64 * MIB, {{64 * MIB - 1, 1}}},
		{64 * MIB + 513, {{64 * MIB + 512, 1}}},
		{64 * MIB, {{4095, 2}, {10 * MIB, 3 * MIB + 5}, {40 * MIB + 1, 1}}},
		{200 * MIB, {{0, 4096}, {130 * MIB, 4096}, {200 * MIB - 4096, 4096}}},
		{9 * MIB + 100, {{MIB - 1, MIB + 2}, {8 * MIB, MIB + 100}}},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(cases); i++) {
		const char *source = make_file(f, "source", cases[i].size, cases[i].pieces);
		assert_restored(f, source, pack(f, source, "a.tar.gz"));
	}
}

/* A thousand pieces need a long map. */
static void restores_many_pieces(void **state)
{
	struct fixture *f = *state;
	struct piece *pieces = arena_alloc(f->arena, 1001 * sizeof *pieces);
	for (uint64_t i = 0; i < 1000; i++)
		pieces[i] = (struct piece){i * 64 * KIB + i % 3 * 4096, 1 + i % 9000};
	const char *source = make_file(f, "source", 64 * MIB, pieces);
	assert_restored(f, source, pack(f, source, "a.tar.gz"));
}

static void bytes_depend_on_content_alone(void **state)
{
	struct fixture *f = *state;
	const struct piece pieces[] = {{5 * MIB, 10000}, {20 * MIB, 1}, {0, 0}};
	const char *sparse = make_file(f, "sparse", 32 * MIB, pieces);
	shell(f, "cat sparse >dense; touch -d 2001-01-01 dense; chmod 600 dense", NULL, NULL);
	const char *dense = scratch_path(f, "dense");
	assert_true(allocated_kib(dense) > allocated_kib(sparse) + 1024);
	assert_same_contents(f, pack(f, sparse, "one.tar.gz"), pack(f, dense, "two.tar.gz"));
	assert_true(contents(f, scratch_path(f, "one.tar.gz")).n < 16 * KIB);
}

static void huge_holes_are_fast(void **state)
{
	struct fixture *f = *state;
	const struct piece pieces[] = {{1, 100}, {1ull << 35, 5000}, {(1ull << 36) - 1, 1}, {0, 0}};
	const char *source = make_file(f, "source", 1ull << 36, pieces);
	struct timespec before, after;
	clock_gettime(CLOCK_MONOTONIC, &before);
	const char *archive = pack(f, source, "a.tar.gz");
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec < 2);
	assert_true(contents(f, archive).n < 16 * KIB);
	/* Comparing 64 GiB of zeros would take too long, so only the pieces are compared. */
	shell(f,
		"mkdir out; tar -xzf \"$1\" -C out; test \"$(stat -c %s out/data.img)\" = "
		"68719476736\n"
		"for at in 0 8388608 16777215; do for x in \"$2\" out/data.img; do dd if=\"$x\" "
		"bs=4096 skip=$at count=2 2>/dev/null | sha256sum; done >sums\n"
		"test \"$(uniq sums | wc -l)\" = 1; done",
		archive, source);
	assert_in_range(allocated_kib(scratch_path(f, "out/data.img")), 12, 128);
}

static void lists_as_a_plain_file(void **state)
{
	struct fixture *f = *state;
	const char *source =
		make_file(f, "source", 8 * MIB, (const struct piece[]){{MIB, 1}, {0, 0}});
	const char *said = shell(
		f, "TZ=UTC tar --numeric-owner -tvzf \"$1\"", pack(f, source, "a.tar.gz"), NULL);
	assert_string_equal(said, "-rw------- 0/0         8388608 1970-01-01 00:00 data.img\n");
	/* The gzip header has neither time nor name. */
	assert_memory_equal(
		contents(f, scratch_path(f, "a.tar.gz")).p, "\x1f\x8b\x08\x00\x00\x00\x00\x00", 8);
}

static void failures_leave_nothing(void **state)
{
	struct fixture *f = *state;
	const char *source = make_file(f, "source", MIB, NULL),
		   *archive = scratch_path(f, "a.tar.gz");
	assert_false(
		sparse_archive_write(f->diag, scratch_path(f, "missing"), "data.img", archive, 1));
	assert_said(f, "missing: No such file or directory");
	assert_false(sparse_archive_write(f->diag, f->scratch, "data.img", archive, 1));
	assert_said(f, "is not a regular file");
	assert_false(path_exists(archive));
	assert_ok(f, file_write(f->diag, archive, "mine", 4, 0600));
	assert_false(sparse_archive_write(f->diag, source, "data.img", archive, 1));
	assert_said(f, "File exists");
	assert_int_equal(contents(f, archive).n, 4);
}

static void full_disk_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	if (geteuid() != 0 ||
		shell_try(f, "mkdir small; mount -t tmpfs -o size=256k none small", NULL, NULL)
				.exit_status != 0) {
		print_message("skipped: a full disk needs root and a mount\n");
		skip();
	}
	const char *source = make_file(
			   f, "source", 8 * MIB, (const struct piece[]){{0, 2 * MIB}, {0, 0}}),
		   *archive = scratch_path(f, "small/a");
	bool packed = sparse_archive_write(f->diag, source, "data.img", archive, 1);
	bool left = path_exists(archive);
	shell(f, "umount small", NULL, NULL);
	assert_false(packed);
	assert_false(left);
	assert_said(f, "No space left on device");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			restores_every_shape, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			restores_many_pieces, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			bytes_depend_on_content_alone, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			huge_holes_are_fast, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			lists_as_a_plain_file, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			failures_leave_nothing, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			full_disk_leaves_nothing, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("sparse_archive", tests, NULL, NULL);
}
