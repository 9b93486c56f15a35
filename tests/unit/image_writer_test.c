/* SPDX-License-Identifier: MIT */
/* Images that are written in the background. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "imaging/disk/writer.h"
#include "tests/unit/fixture.h"

enum { PAGE = 4096, SOURCE_BYTES = 20 << 20 };

static int source_make(struct fixture *f)
{
	shell(f, "head -c 20971520 /dev/urandom >source", NULL, NULL);
	const int fd = open(scratch_path(f, "source"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static struct image_writer *writer_new(struct fixture *f, bool cached)
{
	struct image_writer *writer = image_writer_new(f->diag, scratch_path(f, "image"), cached);
	assert_ok(f, writer != NULL);
	return writer;
}

/*
 * Small and large copies between small writes, not in order, and a length that is not a multiple of
 * the page size.
 */
static void write_and_compare(struct fixture *f, bool cached)
{
	FD_CLEANUP int source = source_make(f);
	struct image_writer *writer = writer_new(f, cached);
	assert_true(image_writer_copy(writer, source, 0, 3 * PAGE, 5 * PAGE));
	assert_true(image_writer_copy(writer, source, PAGE, SOURCE_BYTES - PAGE, 10 * PAGE));
	assert_true(image_writer_put(writer, "first", 5, 0));
	assert_true(image_writer_copy(writer, source, 0, 0, 2 * PAGE));
	assert_true(image_writer_put(writer, "second", 6, 8 * PAGE + 100));
	image_writer_end(writer, SOURCE_BYTES + 9 * PAGE - 7);
	assert_ok(f, image_writer_finish(writer, f->diag));
	image_writer_free(writer);
	shell(f,
		"truncate -s $((20971520 + 9 * 4096 - 7)) expected\n"
		"dd if=source of=expected bs=4096 count=3 seek=5 conv=notrunc 2>said\n"
		"dd if=source of=expected bs=4096 skip=1 seek=10 conv=notrunc 2>said; truncate -s "
		"$((20971520 + 9 * 4096 - 7)) expected\n"
		"printf first | dd of=expected conv=notrunc 2>said; printf second | dd of=expected "
		"bs=1 seek=$((8 * 4096 + 100)) conv=notrunc 2>said",
		NULL, NULL);
	assert_same_contents(f, scratch_path(f, "image"), scratch_path(f, "expected"));
}

static void writes_past_the_cache(void **state)
{
	write_and_compare(*state, false);
}

static void writes_through_the_cache(void **state)
{
	write_and_compare(*state, true);
}

/*
 * A read returns data of earlier requests even if they are still queued. A source may be closed as
 * soon as its copy was requested.
 */
static void reads_see_queued_writes(void **state)
{
	struct fixture *f = *state;
	struct image_writer *writer = writer_new(f, false);
	int source = source_make(f);
	char wanted[PAGE], got[PAGE];
	assert_true(fd_read_all(source, wanted, sizeof wanted, SOURCE_BYTES - PAGE));
	for (unsigned i = 0; i < 100; i++)
		assert_true(
			image_writer_copy(writer, source, 0, SOURCE_BYTES / 4, (uint64_t)i * PAGE));
	assert_true(image_writer_copy(writer, source, 0, SOURCE_BYTES, 200 * PAGE));
	fd_close(&source);
	assert_true(image_writer_read(writer, got, sizeof got, 199 * PAGE + SOURCE_BYTES));
	assert_memory_equal(got, wanted, sizeof got);
	image_writer_free(writer);
}

static void abandoned_images_are_deleted(void **state)
{
	struct fixture *f = *state;
	FD_CLEANUP int source = source_make(f);
	struct image_writer *writer = writer_new(f, false);
	assert_true(image_writer_copy(writer, source, 0, SOURCE_BYTES, 0));
	image_writer_end(writer, SOURCE_BYTES);
	image_writer_free(writer);
	assert_false(path_exists(scratch_path(f, "image")));
}

/* A source that was truncated in the meantime is an error, not a signal and not a short image. */
static void sources_that_shrink_are_errors(void **state)
{
	struct fixture *f = *state;
	FD_CLEANUP int source = source_make(f);
	assert_int_equal(truncate(scratch_path(f, "source"), SOURCE_BYTES / 2), 0);
	struct image_writer *writer = writer_new(f, false);
	image_writer_copy(writer, source, 0, SOURCE_BYTES, 0);
	image_writer_end(writer, SOURCE_BYTES);
	assert_false(image_writer_finish(writer, f->diag));
	assert_said(f, "cannot write");
	/* Requests after a failure are dropped and return an error. */
	assert_false(image_writer_put(writer, "more", 4, 0));
	assert_int_equal(errno, EIO);
	image_writer_free(writer);
	assert_false(path_exists(scratch_path(f, "image")));
}

static void full_disks_are_reported(void **state)
{
	struct fixture *f = *state;
	FD_CLEANUP int source = source_make(f);
	struct rlimit before;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){SOURCE_BYTES / 2, before.rlim_max}), 0);
	struct image_writer *writer = writer_new(f, false);
	image_writer_copy(writer, source, 0, SOURCE_BYTES, 0);
	image_writer_end(writer, SOURCE_BYTES);
	const bool finished = image_writer_finish(writer, f->diag);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_false(finished);
	assert_said(f, "File too large");
	image_writer_free(writer);
	assert_false(path_exists(scratch_path(f, "image")));
}

static void existing_files_stay(void **state)
{
	struct fixture *f = *state;
	shell(f, "printf mine >image", NULL, NULL);
	assert_null(image_writer_new(f->diag, scratch_path(f, "image"), false));
	assert_said(f, "cannot create");
	shell(f, "[ \"$(cat image)\" = mine ]", NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			writes_past_the_cache, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			writes_through_the_cache, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			reads_see_queued_writes, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			abandoned_images_are_deleted, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			sources_that_shrink_are_errors, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			full_disks_are_reported, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			existing_files_stay, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
