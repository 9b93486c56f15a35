/* SPDX-License-Identifier: MIT */
/* Streams of pieces, read by gzip. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>

#include "base/buf.h"
#include "imaging/initrd/gzip_pieces.h"
#include "tests/unit/fixture.h"

struct text {
	const char *bytes;
	size_t n;
};

/* Moderately compressible text; each `kind` gives a different one. */
static struct text make_text(struct fixture *f, size_t n, unsigned kind)
{
	char *bytes = arena_alloc(f->arena, n + 1);
	uint32_t state = kind * 2654435761u + 1;
	for (size_t i = 0; i < n; i++) {
		state = state * 1664525 + 1013904223;
		bytes[i] = (char)(state >> 30 ? 'a' + (char)(state >> 28) : (char)(state >> 20));
	}
	return (struct text){bytes, n};
}

static const char *write_stream(struct fixture *f, const char *name, struct gzip_memo *memo,
	const struct text *texts, size_t n)
{
	const char *path = scratch_path(f, name);
	FD_CLEANUP int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct gzip_stream stream;
	assert_true(gzip_begin(&stream, fd, memo));
	for (size_t i = 0; i < n; i++)
		assert_true(gzip_add(&stream, texts[i].bytes, texts[i].n, i % 2));
	assert_true(gzip_end(&stream));
	return path;
}

static void gzip_reads_the_stream(void **state)
{
	struct fixture *f = *state;
	const struct text texts[] = {make_text(f, 3, 1), make_text(f, 100000, 2),
		make_text(f, 0, 3), make_text(f, 70000, 4), make_text(f, 100000, 2),
		make_text(f, 17 << 20, 5)};
	struct buf whole = {0};
	for (size_t i = 0; i < countof(texts); i++)
		buf_add(&whole, texts[i].bytes, texts[i].n);
	const char *stream = write_stream(f, "stream", NULL, texts, countof(texts)),
		   *plain = scratch_path(f, "plain");
	assert_ok(f, file_write(f->diag, plain, whole.p, whole.n, 0600));
	buf_free(&whole);
	shell(f, "gzip -t \"$1\" && gzip -dc \"$1\" | cmp - \"$2\"", stream, plain);
	shell(f, "gzip -dc \"$1\" | cmp - /dev/null", write_stream(f, "empty", NULL, NULL, 0),
		NULL);
}

/* More pieces and bytes than the memo holds. */
static void a_memo_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct text texts[300];
	for (size_t i = 0; i < countof(texts); i++)
		texts[i] = make_text(f, i == 7 ? 9 << 20 : 20000 + i * 31, (unsigned)i % 140);
	const char *plain = write_stream(f, "plain", NULL, texts, countof(texts));
	struct gzip_memo *memo = gzip_memo_new();
	for (unsigned round = 0; round < 2; round++)
		shell(f, "cmp \"$1\" \"$2\" && rm \"$2\"", plain,
			write_stream(f, "remembered", memo, texts, countof(texts)));
	gzip_memo_free(memo);
	gzip_memo_free(NULL);
}

static void a_full_disk_is_reported(void **state)
{
	struct fixture *f = *state;
	FD_CLEANUP int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct gzip_stream stream;
	const struct text text = make_text(f, 10000, 1);
	assert_false(gzip_begin(&stream, fd, NULL) && gzip_add(&stream, text.bytes, text.n, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			gzip_reads_the_stream, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_memo_changes_nothing, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_full_disk_is_reported, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
