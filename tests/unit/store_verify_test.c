/* SPDX-License-Identifier: MIT */
/* No program makes a store disk from a path that differs from its registered hash. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "imaging/erofs/mkfs.h"
#include "tests/unit/store_fixture.h"

static const struct engine {
	const char *name;
	bool (*make)(struct diag *diag, const struct store_disk_request *request,
		struct store_disk_result *result);
	const struct image_format *format;
	const char *compression;
	uint32_t block_size;
} engines[] = {
	{"squashfs", store_disk_link, &squashfs_format, "zstd", 131072},
	{"squashfs of small blocks", store_disk_link, &squashfs_format, "zstd", 4096},
	{"squashfs of large blocks", store_disk_link, &squashfs_format, "zstd", 1048576},
	{"mksquashfs", store_disk_mksquashfs, &squashfs_format, "zstd", 131072},
	{"erofs", store_disk_link, &erofs_format, "lz4", 0},
	{"mkfs.erofs", store_disk_mkfs_erofs, &erofs_format, "lz4", 0},
};

static bool have_engine(struct fixture *f, const struct engine *engine)
{
	struct mkfs_erofs tool;
	if (engine->make == store_disk_mksquashfs)
		return have_program(f, "mksquashfs");
	if (engine->format == &squashfs_format)
		return true;
	if (!have_program(f, "mkfs.erofs"))
		return false;
	assert_ok(f, mkfs_erofs_find(f->arena, f->diag, &tool));
	if (engine->make == store_disk_link || mkfs_erofs_is_at_least(&tool, 1, 7))
		return true;
	print_message("skipped: mkfs.erofs %s cannot read a tar stream\n", tool.version);
	return false;
}

static struct store_disk_request engine_request(
	struct fixture *f, const struct engine *engine, const struct closure *closure)
{
	struct store_disk_request request = request_of(f, closure, "image");
	request.format = engine->format;
	request.compression = engine->compression;
	request.block_size = engine->block_size;
	return request;
}

static void registered_content_is_packed(void **state)
{
	struct fixture *f = *state;
	struct store_disk_result result;
	shell(f, arena_printf(f->arena, "LONG=250\n%s", odd_store), NULL, NULL);
	const struct closure closure = registered_closure(f);
	signal(SIGPIPE, SIG_IGN);
	for (const struct engine *engine = engines; engine < engines + countof(engines); engine++) {
		const struct store_disk_request request = engine_request(f, engine, &closure);
		if (have_engine(f, engine))
			assert_ok(f, engine->make(f->diag, &request, &result));
	}
}

/* Each changes the tree that make_tree creates. */
static const char *const changes[] = {
	"printf x | dd of=small bs=1 seek=2 conv=notrunc status=none",
	"printf x | dd of=large bs=1 seek=1199999 conv=notrunc status=none",
	"printf x | dd of=sub/copy-of-large bs=1 seek=1199999 conv=notrunc status=none",
	"printf x | dd of=sub/copy-of-small bs=1 seek=2 conv=notrunc status=none",
	"printf x | dd of=zeros bs=1 seek=200000 conv=notrunc status=none",
	"chmod +x small",
	"chmod -x program",
	"ln -sfn elsewhere link",
	": >new",
	": >sub/new",
	"rm empty",
	"mv small smaller",
	"rmdir sub/nothing",
	"rm empty; mkdir empty",
	"printf x >empty",
	"truncate -s +1 small",
	"truncate -s -1 large",
	"cat small >sub/only",
};

static void make_tree(struct fixture *f)
{
	shell(f,
		"rm -rf store; mkdir -p store/a store/b/sub/nothing store/c; echo a >store/a/a; "
		"echo c >store/c/c\n"
		"cd store/b; seq 100 >small; seq 1000000 | head -c 1200000 >large; cp large "
		"sub/copy-of-large; cp small sub/copy-of-small\n"
		"truncate -s 400000 zeros; echo only >sub/only; : >empty; ln -s target link; "
		"printf '#!/bin/sh\\n' >program; chmod 755 program",
		NULL, NULL);
}

static const char *nix_form(struct fixture *f, const char *path)
{
	char hash[NAR_HASH_DIGITS + 1];
	uint64_t size;
	assert_ok(f, nar_hash(f->diag, path, hash, &size));
	if (have_program(f, "nix-hash"))
		return shell(f,
			"export HOME=\"$PWD\"; printf sha256:; nix-hash --type sha256 --to-base32 "
			"\"$1\" | tr -d '\\n'",
			hash, NULL);
	return "sha256:";
}

static void assert_refused(struct fixture *f, const struct engine *engine,
	const struct closure *closure, const char *registered)
{
	const struct store_disk_request request = engine_request(f, engine, closure);
	struct store_disk_result result;
	const char *found = nix_form(f, scratch_path(f, "store/b"));
	if (engine->make(f->diag, &request, &result))
		fail_msg("%s made an image", engine->name);
	const char *said = messages(f),
		   *wanted = arena_printf(
			   f->arena, "/store/b was modified: its recorded hash is %s", registered);
	if (!strstr(said, wanted) || !strstr(said, found) || !strstr(said, "[modified-path]"))
		fail_msg(
			"%s: expected \"%s\" and \"%s\" in: %s", engine->name, wanted, found, said);
	assert_false(path_exists(request.output));
	assert_string_equal(
		shell(f, "ls -d cache/tmp/* cache/*/b erofs-* .object-* 2>/dev/null || true", NULL,
			NULL),
		"");
}

static void refuse_every_change(struct fixture *f, const struct engine *engine)
{
	struct store_disk_result result;
	for (size_t i = 0; i < countof(changes); i++) {
		make_tree(f);
		const struct closure closure = registered_closure(f);
		const char *registered = nix_form(f, scratch_path(f, "store/b"));
		const struct store_disk_request request = engine_request(f, engine, &closure);
		shell(f,
			arena_printf(f->arena, "rm -rf cache; cp -a store/b kept; cd store/b\n%s",
				changes[i]),
			NULL, NULL);
		assert_refused(f, engine, &closure, registered);
		shell(f, "rm -rf store/b; mv kept store/b", NULL, NULL);
		assert_ok(f, engine->make(f->diag, &request, &result));
		unlink(request.output);
	}
}

static void every_change_is_refused(void **state)
{
	struct fixture *f = *state;
	signal(SIGPIPE, SIG_IGN);
	for (const struct engine *engine = engines; engine < engines + countof(engines); engine++)
		if (have_engine(f, engine))
			refuse_every_change(f, engine);
}

static size_t link_paths(struct fixture *f, struct store_path path, const char *hash)
{
	path.nar_hash = hash;
	const struct closure closure = {.v = &path, .n = 1};
	const struct store_disk_request request = engine_request(f, &engines[0], &closure);
	struct store_disk_result result;
	assert_ok(f, store_disk_link(f->diag, &request, &result));
	return result.packed;
}

/*
 * An unregistered path is looked up in the cache by its name alone, a registered one also by its
 * hash.
 */
static void objects_are_found_by_their_hashes(void **state)
{
	struct fixture *f = *state;
	shell(f, "mkdir store; echo one >store/p", NULL, NULL);
	const struct store_path path = closure_of(f).v[0];
	const char *one = registered_closure(f).v[0].nar_hash;
	assert_int_equal(link_paths(f, path, NULL), 1);
	assert_int_equal(link_paths(f, path, one), 0);
	shell(f, "echo two >store/p", NULL, NULL);
	const char *two = registered_closure(f).v[0].nar_hash;
	assert_int_equal(link_paths(f, path, one), 0); /* found in the cache, so not read */
	assert_int_equal(link_paths(f, path, NULL), 0);
	assert_int_equal(link_paths(f, path, two), 1);
	assert_int_equal(link_paths(f, path, two), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(registered_content_is_packed),
		TEST(every_change_is_refused),
		TEST(objects_are_found_by_their_hashes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
