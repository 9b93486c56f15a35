/* SPDX-License-Identifier: MIT */
/*
 * Disks of root file systems: owners, all bits of modes, devices and extended attributes are kept
 * as they are in the directory, and its hash depends on each of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "imaging/cache/verify.h"
#include "imaging/erofs/mkfs.h"
#include "tests/unit/store_fixture.h"

#define NAME "0123456789abcdfghijklmnpqrsvwxyz-tree"

/* More users than one block of the table of their numbers holds. */
static const char tree[] =
	"mkdir -p tree/bin tree/proc/1 tree/dev tree/home/user tree/var/empty; cd tree\n"
	"echo su > bin/su; chmod 4755 bin/su; echo wall > bin/wall; chown 0:5 bin/wall\n"
	"chmod 2755 bin/wall; mkdir -m 1777 tmp; chown 1000:100 home/user; chmod 700 home/user\n"
	"echo mine > home/user/file; chown 70000:70001 home/user/file; chmod 640 home/user/file\n"
	"ln -s ../bin/su home/user/link; chown -h 1000:100 home/user/link\n"
	"mknod home/null c 1 3; chmod 666 home/null; mknod home/disk b 259 300\n"
	"mkfifo -m 600 home/pipe; chown 12:13 home/disk home/pipe\n"
	"python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"home/socket\")'\n"
	"echo ping > bin/ping; python3 -c 'import os; os.setxattr(\"bin/ping\", "
	"\"security.capability\", b\"\\1\\0\\0\\2\\0\\40\" + bytes(14)); "
	"os.setxattr(\"home/user\", \"user.note\", b\"x\" * 300)'\n"
	"echo same > home/one; echo same > home/two; chown 1:1 home/two; chmod 600 home/two\n"
	"echo secret > dev/hidden; mkdir home/many\n"
	"python3 -c 'import os\n"
	"for i in range(2500):\n"
	" open(\"home/many/%d\" % i, \"w\").write(\"%d\\n\" % i)\n"
	" os.chown(\"home/many/%d\" % i, i, i)'\n";

/* Everything that must be equal; the directories that are not packed are empty. */
static const char facts[] =
	"cd \"$1\"; find . -path './dev/*' -prune -o -path './proc/*' -prune -o -printf "
	"'%p %y %m %U:%G %l\\n' | sort\n"
	"stat -c '%t:%T' home/null home/disk; cat bin/su home/user/file home/two\n"
	"python3 -c 'import os; print(os.getxattr(\"bin/ping\", \"security.capability\"), "
	"os.getxattr(\"home/user\", \"user.note\"), os.listxattr(\"home/one\"))'\n"
	"find home/many -type f -exec cat {} + | sort -n | tail -n 1";

static struct closure rootfs_closure(struct fixture *f, const char *directory)
{
	struct store_path *path = arena_alloc(f->arena, sizeof *path);
	char hash[NAR_HASH_DIGITS + 1];
	uint64_t size;
	*path = (struct store_path){
		.path = "/nix/store/" NAME, .name = NAME, .rootfs = scratch_path(f, directory)};
	assert_ok(f, tree_hash(f->diag, path->rootfs, hash, &size));
	path->nar_hash = arena_strdup(f->arena, hash);
	path->nar_size = (int64_t)size;
	return (struct closure){.v = path, .n = 1, .store_dir = "/nix/store"};
}

static bool make_tree(struct fixture *f)
{
	if (!is_root() || !have_program(f, "python3"))
		return false;
	shell(f, tree, NULL, NULL);
	return true;
}

static void squashfs_keeps_every_attribute(void **state)
{
	struct fixture *f = *state;
	if (!have_program(f, "unsquashfs") || !make_tree(f))
		skip();
	const struct closure closure = rootfs_closure(f, "tree");
	const struct store_disk_request request = request_of(f, &closure, "image");
	assert_int_equal(link_disk(f, &request), 1);
	shell(f, "unsquashfs -q -n -d x image >/dev/null && mv x/" NAME " copy && rm -rf x", NULL,
		NULL);
	shell(f,
		arena_printf(f->arena,
			"facts() { %s; }; (facts tree) >one; (facts copy) >two; "
			"diff one two >&2; rmdir copy/dev copy/proc",
			facts),
		NULL, NULL);
	const struct store_disk_request cached = request_of(f, &closure, "again");
	assert_int_equal(link_disk(f, &cached), 0);
	shell(f, "cmp image again", NULL, NULL);
}

static void erofs_keeps_every_attribute(void **state)
{
	struct fixture *f = *state;
	if (!have_program(f, "mkfs.erofs") || !have_program(f, "fsck.erofs") || !make_tree(f))
		skip();
	shell(f, "mkdir tree/proc/2; mkfifo tree/proc/2/pipe", NULL, NULL);
	const struct closure closure = rootfs_closure(f, "tree");
	struct store_disk_request request = request_of(f, &closure, "image");
	request.format = &erofs_format;
	request.compression = "lz4hc";
	request.block_size = 0;
	request.tail_packing = true;
	assert_int_equal(link_disk(f, &request), 1);
	shell(f, "fsck.erofs image", NULL, NULL);
	if (shell_try(f, "mkdir m && mount -o loop,ro image m", NULL, NULL).exit_status != 0) {
		print_message("skipped: no loop devices or no erofs here\n");
		skip();
	}
	const struct process_result compared = shell_try(f,
		arena_printf(f->arena,
			"facts() { %s; }; (facts tree) >one; (facts m/" NAME ") >two; "
			"diff one two >&2; test -z \"$(ls m/" NAME "/dev m/" NAME "/proc | grep -v "
			":)\"",
			facts),
		NULL, NULL);
	shell(f, "umount m", NULL, NULL);
	if (compared.exit_status != 0)
		fail_msg("%s", compared.error.p);
}

/* The sizes of attributes move a file's index, whose form depends on its place. */
static void erofs_finds_the_contents_behind_attributes(void **state)
{
	static const struct {
		const char *compression;
		uint32_t block_size;
	} ways[] = {{"lz4", 0}, {"lz4hc", 65536}, {"deflate", 0}};
	struct fixture *f = *state;
	struct mkfs_erofs tool;
	if (!is_root() || !have_program(f, "python3") || !have_program(f, "fsck.erofs") ||
		!have_program(f, "mkfs.erofs"))
		skip();
	assert_ok(f, mkfs_erofs_find(f->arena, f->diag, &tool));
	shell(f,
		"mkdir tree; cd tree; python3 -c 'import os\n"
		"for i in range(40):\n"
		" name = \"%d\" % i\n"
		" open(name, \"w\").write(\"\".join(\"%d\\n\" % n for n in range(1000 * i)))\n"
		" os.setxattr(name, \"user.note\", b\"x\" * i)\n"
		" os.chown(name, 70000 * (i // 4 % 2), 0)'",
		NULL, NULL);
	const struct closure closure = rootfs_closure(f, "tree");
	for (size_t i = 0; i < countof(ways); i++) {
		struct store_disk_request request = request_of(f, &closure, "image");
		request.format = &erofs_format;
		request.compression = ways[i].compression;
		request.block_size = ways[i].block_size;
		request.tail_packing = true;
		if (!mkfs_erofs_check(f->arena, f->diag, &tool, &request)) {
			assert_said(f, "it supports ");
			continue;
		}
		assert_int_equal(link_disk(f, &request), 1);
		shell(f,
			"rm -rf x; fsck.erofs --extract=x --overwrite image >log 2>&1 || { cat "
			"log; "
			"false; }\n"
			"diff -r tree x/" NAME,
			NULL, NULL);
	}
}

static void every_attribute_is_in_the_hash(void **state)
{
	static const char *const changes[] = {"chmod 755 bin/su", "chown 1:0 bin/su",
		"chown 0:1 bin/su", "chmod 755 tmp", "chown -h 0:0 home/user/link",
		"rm home/null; mknod home/null c 1 5",
		"python3 -c 'import os; os.removexattr(\"bin/ping\", \"security.capability\")'",
		"chmod 700 .", "echo x > bin/su", "mkfifo -m 644 new"};
	struct fixture *f = *state;
	if (!make_tree(f))
		skip();
	for (size_t i = 0; i < countof(changes); i++) {
		const char *before = rootfs_closure(f, "tree").v[0].nar_hash;
		shell(f, arena_printf(f->arena, "cd tree; %s", changes[i]), NULL, NULL);
		const char *after = rootfs_closure(f, "tree").v[0].nar_hash;
		if (strcmp(before, after) == 0)
			fail_msg("the hash does not depend on: %s", changes[i]);
	}
	const char *before = rootfs_closure(f, "tree").v[0].nar_hash;
	shell(f, "cd tree; echo x > proc/new; touch -d @5 bin/su", NULL, NULL);
	assert_string_equal(rootfs_closure(f, "tree").v[0].nar_hash, before);
}

static void a_change_while_it_is_packed_is_found(void **state)
{
	struct fixture *f = *state;
	if (!make_tree(f))
		skip();
	const struct closure closure = rootfs_closure(f, "tree");
	const struct store_disk_request request = request_of(f, &closure, "image");
	shell(f, "chmod 777 tree/bin/su", NULL, NULL);
	disk_fails(f, &request, "file-changed", "tree");
}

/*
 * Most disk file systems have less room for attributes than an image; tmpfs has more since
 * Linux 6.6.
 */
static void attributes_that_no_image_holds_are_refused(void **state)
{
	static const char *const attributes[] = {"(65536,)", "(60000,) * 5"};
	struct fixture *f = *state;
	char tree_of_tmpfs[] = "/dev/shm/mvm-test.XXXXXX", hash[NAR_HASH_DIGITS + 1];
	uint64_t size;
	if (!have_program(f, "python3") || !mkdtemp(tree_of_tmpfs))
		skip();
	for (size_t i = 0; i < countof(attributes); i++) {
		const char *script = arena_printf(f->arena,
			"echo x > $1/file; python3 -c 'import os, sys\n"
			"for i, n in enumerate(%s):\n"
			" os.setxattr(sys.argv[1] + \"/file\", \"user.%%d\" %% i, b\"x\" * n)' $1",
			attributes[i]);
		if (shell_try(f, script, tree_of_tmpfs, NULL).exit_status != 0) {
			tree_remove(tree_of_tmpfs);
			print_message("skipped: tmpfs has no such attributes here\n");
			skip();
		}
		assert_false(tree_hash(f->diag, tree_of_tmpfs, hash, &size));
		assert_non_null(strstr(messages(f), "/file are larger than an image can hold"));
		shell(f, "rm $1/file", tree_of_tmpfs, NULL);
	}
	shell(f, "rm -r \"$1\"", tree_of_tmpfs, NULL);
}

/* A small object is in a bundle, which knows it by its name. */
static void a_small_tree_is_found_in_the_cache(void **state)
{
	struct fixture *f = *state;
	shell(f, "mkdir tiny; echo tiny > tiny/file", NULL, NULL);
	const struct closure closure = rootfs_closure(f, "tiny");
	const struct store_disk_request cold = request_of(f, &closure, "cold");
	assert_int_equal(link_disk(f, &cold), 1);
	const struct store_disk_request warm = request_of(f, &closure, "warm");
	assert_int_equal(link_disk(f, &warm), 0);
	shell(f, "cmp cold warm", NULL, NULL);
	const struct cache_verify_request request = {.path = warm.cache_dir, .jobs = 1};
	struct cache_verify_result result;
	assert_ok(f, cache_verify(f->arena, f->diag, &request, &result));
	assert_int_equal(result.objects, 1);
	assert_int_equal(result.damaged.n, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(squashfs_keeps_every_attribute),
		TEST(erofs_keeps_every_attribute),
		TEST(erofs_finds_the_contents_behind_attributes),
		TEST(every_attribute_is_in_the_hash),
		TEST(a_change_while_it_is_packed_is_found),
		TEST(a_small_tree_is_found_in_the_cache),
		TEST(attributes_that_no_image_holds_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
