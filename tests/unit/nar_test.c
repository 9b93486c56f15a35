/* SPDX-License-Identifier: MIT */
/* Checked by nix-store --dump and nix-hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "imaging/store/nar_hash.h"
#include "tests/unit/fixture.h"

/* Prints the size and the hash that Nix computes for the path $1. */
static const char nix_hash_script[] =
	"export HOME=\"$PWD\"; nix-store --dump \"$1\" >nar; printf '%s ' "
	"\"$(stat -c %s nar)\"; sha256sum <nar | cut -c1-64; rm nar\n"
	"test \"$(nix-hash --type sha256 \"$1\")\" = \"$(nix-store --dump "
	"\"$1\" | sha256sum | cut -c1-64)\"";

static const char *our_hash(struct fixture *f, const char *path)
{
	char hash[65];
	uint64_t size;
	assert_ok(f, nar_hash(f->diag, path, hash, &size));
	return arena_printf(f->arena, "%llu %s\n", (unsigned long long)size, hash);
}

static void assert_same_as_nix(struct fixture *f, const char *path)
{
	assert_string_equal(our_hash(f, path), shell(f, nix_hash_script, path, NULL));
}

static void known_hashes_are_computed(void **state)
{
	struct fixture *f = *state;
	/* Computed once with Nix 2.8, for machines without Nix. */
	shell(f,
		"mkdir -p t/sub; printf 'hello\\n' >t/file; printf '#!/bin/sh\\n' >t/run; chmod "
		"755 t/run; ln -s ../file t/sub/link",
		NULL, NULL);
	assert_string_equal(our_hash(f, scratch_path(f, "t")),
		"880 4124ea93e63e479fbac4b2d0428a999263f78d306ca9d7d65024bdff7f4e6a3b\n");
}

static void every_shape_hashes_as_in_nix(void **state)
{
	static const char *const shapes[] = {
		": >x",
		"printf 1234567 >x",
		"printf 12345678 >x",
		"printf 123456789 >x",
		"printf x >x; chmod 100 x; chmod u+r x",
		"printf x >x; chmod 455 x",
		"mkdir x",
		"ln -s /nonexistent x",
		"mkdir x; ln -s '' x/empty 2>/dev/null || true; ln -s \"$(printf '%04000d' 7)\" "
		"x/long",
		"mkdir x; cd x; for n in B a Z _ - . .a .. é ~ 'a b' a.b a-b ab aB; do test -e "
		"\"$n\" || printf \"$n\" >\"$n\"; done; touch \"$(printf '\\377\\001')\"",
		"mkdir -p x/1/2/3/4/5/6/7/8/9; ln -s 9 x/1/2/3/4/5/6/7/8/l; echo deep "
		">x/1/2/3/4/5/6/7/8/9/f; chmod +x x/1/2/3/4/5/6/7/8/9/f",
		"head -c 262144 /dev/urandom >x",
		"mkdir x; for i in 1 2 3 4 5; do head -c $((262144 * i - 100 + 30 * i)) "
		"/dev/urandom >x/$i; done",
		"mkdir x; truncate -s 40M x/sparse; echo end >>x/sparse",
		"mkdir x; cd x; seq 3000 | xargs touch",
	};
	struct fixture *f = *state;
	if (!have_program(f, "nix-store"))
		skip();
	const char *path = scratch_path(f, "x");
	for (size_t i = 0; i < countof(shapes); i++) {
		shell(f, shapes[i], NULL, NULL);
		assert_same_as_nix(f, path);
		assert_true(tree_remove(path));
	}
	assert_same_as_nix(f, "/usr/share/doc");
}

static void refuses_files_nix_does_not_store(void **state)
{
	struct fixture *f = *state;
	char hash[65];
	uint64_t size;
	shell(f, "mkdir -p x/sub; mkfifo x/sub/pipe", NULL, NULL);
	assert_false(nar_hash(f->diag, scratch_path(f, "x"), hash, &size));
	assert_said(f, "/x/sub/pipe is not a regular file, a directory or a symbolic link");
	assert_false(nar_hash(f->diag, scratch_path(f, "missing"), hash, &size));
	assert_said(f, "/missing: No such file or directory");
	assert_int_equal(diag_status(f->diag), STATUS_INPUT);
	if (geteuid() == 0)
		return;
	shell(f, "rm x/sub/pipe; touch x/sub/secret; chmod 0 x/sub/secret", NULL, NULL);
	assert_false(nar_hash(f->diag, scratch_path(f, "x"), hash, &size));
	assert_said(f, "/x/sub/secret: Permission denied");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			known_hashes_are_computed, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			every_shape_hashes_as_in_nix, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			refuses_files_nix_does_not_store, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("nar", tests, NULL, NULL);
}
