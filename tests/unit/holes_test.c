/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/holes.h"
#include "tests/unit/fixture.h"

enum { MIB = 1 << 20, SIZE = 64 * MIB, BLOCK = 128 * 1024 };

/* Data at the start, around the middle and at the end; the rest is a hole. */
static int make(struct fixture *f)
{
	const char *path = scratch_path(f, "sparse");
	const int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_true(fd_write_all(fd, "first", 5, 0));
	assert_true(fd_write_all(fd, "middle", 6, SIZE / 2 - 3));
	assert_true(fd_write_all(fd, "last", 4, SIZE - 4));
	return fd;
}

static void reads_match_the_file(void **state)
{
	struct fixture *f = *state;
	FD_CLEANUP int fd = make(f);
	struct holes holes = holes_of(fd, SIZE);
	static unsigned char ours[BLOCK], wanted[BLOCK];
	for (uint64_t at = 0; at < SIZE; at += BLOCK) {
		memset(ours, 0xff, sizeof ours);
		assert_true(fd_read_all(fd, wanted, BLOCK, (off_t)at));
		assert_true(holes_read(&holes, ours, BLOCK, at));
		assert_memory_equal(ours, wanted, BLOCK);
	}
}

static void holes_are_not_read(void **state)
{
	struct fixture *f = *state;
	FD_CLEANUP int fd = make(f);
	if (lseek(fd, 0, SEEK_HOLE) == SIZE)
		skip(); /* the file system does not report holes */
	struct holes holes = holes_of(fd, SIZE);
	size_t n = 0;
	for (uint64_t at = 0; at < SIZE; at += BLOCK)
		n += holes_has(&holes, BLOCK, at);
	assert_true(n >= SIZE / BLOCK - 4);
	assert_false(holes_has(&holes, BLOCK, 0));
	assert_false(holes_has(&holes, BLOCK, SIZE - BLOCK));
}

static void a_hole_at_the_end_is_read(void **state)
{
	struct fixture *f = *state;
	FD_CLEANUP int fd = make(f);
	assert_int_equal(ftruncate(fd, 2 * SIZE), 0);
	struct holes holes = holes_of(fd, 2 * SIZE);
	assert_false(holes_has(&holes, BLOCK, 2 * SIZE - BLOCK));
}

static void a_truncated_file_is_noticed(void **state)
{
	struct fixture *f = *state;
	static unsigned char block[BLOCK];
	FD_CLEANUP int fd = make(f);
	struct holes holes = holes_of(fd, SIZE);
	assert_int_equal(ftruncate(fd, MIB), 0);
	assert_false(holes_read(&holes, block, BLOCK, SIZE / 4));
	assert_false(holes_read(&holes, block, BLOCK, SIZE - BLOCK));
}

static void a_small_file_is_read(void **state)
{
	struct fixture *f = *state;
	FD_CLEANUP int fd = make(f);
	assert_int_equal(ftruncate(fd, MIB / 2), 0);
	struct holes holes = holes_of(fd, MIB / 2);
	assert_false(holes_has(&holes, 4096, 128 * 1024));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			reads_match_the_file, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			holes_are_not_read, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_hole_at_the_end_is_read, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_truncated_file_is_noticed, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_small_file_is_read, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("holes", tests, NULL, NULL);
}
