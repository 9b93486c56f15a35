/* SPDX-License-Identifier: MIT */
/* Hash trees, compared with veritysetup's and checked by it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "imaging/disk/verity.h"
#include "tests/unit/fixture.h"

enum { BLOCK = 4096, FANOUT = 128 };

/* Bytes that differ in every block and are hardly ever zero. */
static const char *image_make(struct fixture *f, const char *name, size_t size)
{
	const char *path = scratch_path(f, name);
	char *bytes = malloc(size);
	uint64_t state = size;
	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++) {
		state = state * 6364136223846793005u + 1442695040888963407u;
		bytes[i] = (char)(state >> 56);
	}
	assert_ok(f, file_write(f->diag, path, bytes, size, 0600));
	free(bytes);
	return path;
}

static struct verity append(struct fixture *f, const char *image, unsigned jobs)
{
	struct verity verity = {0};
	assert_ok(f, verity_append(f->diag, image, jobs, &verity));
	return verity;
}

static uint64_t size_of(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_size;
}

/*
 * Lets veritysetup make the tree for the same data, compares all bytes and the root hash, and has
 * it verify our tree.
 */
static void compare_with_veritysetup(struct fixture *f, size_t data, unsigned jobs)
{
	const char *ours = image_make(f, "ours", data), *theirs = image_make(f, "theirs", data);
	const uint64_t blocks = (data + BLOCK - 1) / BLOCK;
	const struct verity verity = append(f, ours, jobs);
	assert_int_equal(verity.data_blocks, blocks);
	assert_int_equal(size_of(ours), blocks * BLOCK + verity_tree_bytes(&verity));
	const char *format = arena_printf(f->arena,
		"PATH=$PATH:/usr/sbin:/sbin; truncate -s %llu \"$1\"; veritysetup format "
		"--hash-offset=%llu --data-blocks=%llu --salt=%s "
		"--uuid=%s \"$1\" \"$1\" >said; sed -n 's/^Root hash:[[:space:]]*//p' said | tr -d "
		"'\\n'",
		(unsigned long long)blocks * BLOCK, (unsigned long long)blocks * BLOCK,
		(unsigned long long)blocks, verity_salt_text(f->arena),
		verity_uuid_text(f->arena, &verity));
	assert_string_equal(shell(f, format, theirs, NULL), verity_root_text(f->arena, &verity));
	assert_same_contents(f, ours, theirs);
	const char *verify = arena_printf(f->arena,
		"PATH=$PATH:/usr/sbin:/sbin; veritysetup verify --hash-offset=%llu \"$1\" \"$1\" "
		"\"$2\"",
		(unsigned long long)blocks * BLOCK);
	shell(f, verify, ours, verity_root_text(f->arena, &verity));
	unlink(ours);
	unlink(theirs);
}

static void veritysetup_makes_the_same_tree(void **state)
{
	struct fixture *f = *state;
	static const size_t blocks[] = {1, 2, 3, FANOUT - 1, FANOUT, FANOUT + 1, 5 * FANOUT + 7,
		FANOUT * FANOUT, FANOUT * FANOUT + 1};
	if (!have_program(f, "veritysetup"))
		skip();
	for (size_t i = 0; i < countof(blocks); i++)
		compare_with_veritysetup(f, blocks[i] * BLOCK, 1 + (unsigned)i % 4);
}

static void data_is_padded_to_a_block(void **state)
{
	struct fixture *f = *state;
	static const size_t sizes[] = {1, BLOCK - 1, BLOCK + 1, FANOUT * BLOCK + 100};
	if (!have_program(f, "veritysetup"))
		skip();
	for (size_t i = 0; i < countof(sizes); i++)
		compare_with_veritysetup(f, sizes[i], 2);
}

static void threads_make_no_difference(void **state)
{
	struct fixture *f = *state;
	const size_t size = 1000 * BLOCK + 17;
	const char *one = image_make(f, "one", size);
	const struct verity first = append(f, one, 1);
	for (unsigned jobs = 2; jobs <= 64; jobs *= 2) {
		const char *many = image_make(f, "many", size);
		const struct verity other = append(f, many, jobs);
		assert_memory_equal(first.root, other.root, sizeof first.root);
		assert_same_contents(f, one, many);
		unlink(many);
	}
}

/* A constant, so that a change is noticed on machines without veritysetup too. */
static void root_hash_stays_what_it_is(void **state)
{
	struct fixture *f = *state;
	const struct verity verity = append(f, image_make(f, "image", 200 * BLOCK), 2);
	assert_string_equal(verity_root_text(f->arena, &verity),
		"8e31b8661033b34d22474ba0b637182ac5cee6065cddebf70ef8c9cf8acfe5aa");
	assert_string_equal(
		verity_uuid_text(f->arena, &verity), "8e31b866-1033-834d-a247-4ba0b637182a");
	struct verity read = {0};
	assert_true(verity_root_parse(verity_root_text(f->arena, &verity), &read));
	assert_memory_equal(read.root, verity.root, sizeof read.root);
}

static void malformed_root_hashes_are_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "0", "-",
		"000000000000000000000000000000000000000000000000000000000000000",
		"000000000000000000000000000000000000000000000000000000000000000g",
		"00000000000000000000000000000000000000000000000000000000000000000"};
	struct verity verity;
	for (size_t i = 0; i < countof(texts); i++)
		assert_false(verity_root_parse(texts[i], &verity));
}

static void failures_are_reported(void **state)
{
	struct fixture *f = *state;
	struct verity verity;
	assert_false(verity_append(f->diag, scratch_path(f, "missing"), 1, &verity));
	assert_said(f, "cannot write the hash tree of ");
	assert_false(verity_append(f->diag, "/dev/full", 2, &verity));
	assert_said(f, "cannot write the hash tree of /dev/full: ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			veritysetup_makes_the_same_tree, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			data_is_padded_to_a_block, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			threads_make_no_difference, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			root_hash_stays_what_it_is, fixture_setup, fixture_teardown),
		cmocka_unit_test(malformed_root_hashes_are_refused),
		cmocka_unit_test_setup_teardown(
			failures_are_reported, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
