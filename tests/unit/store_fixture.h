/* SPDX-License-Identifier: MIT */
/*
 * store_fixture: stores to make disks of, and a kernel to mount the disks. Included after
 * <cmocka.h>.
 */
#ifndef MVM_TESTS_STORE_FIXTURE_H
#define MVM_TESTS_STORE_FIXTURE_H

#include "imaging/store/nar_hash.h"
#include "imaging/disk/format.h"
#include "imaging/disk/store_disk.h"
#include "tests/unit/fixture.h"

/* The closure of all files in scratch/store. */
static inline struct closure closure_of(struct fixture *f)
{
	const char *list = shell(f, "ls -A store", NULL, NULL);
	VEC(struct store_path) paths = {0};
	for (const char *name = list; *name; name += strcspn(name, "\n") + 1) {
		const char *path = arena_printf(
			f->arena, "%s/store/%.*s", f->scratch, (int)strcspn(name, "\n"), name);
		vec_push(f->arena, &paths,
			(struct store_path){.path = path, .name = path_base(path), .nar_size = -1});
	}
	return (struct closure){.v = paths.v, .n = paths.n, .store_dir = scratch_path(f, "store")};
}

/* The closure of scratch/store, registered with its current hashes. */
static inline struct closure registered_closure(struct fixture *f)
{
	struct closure closure = closure_of(f);
	struct store_path *paths = arena_alloc(f->arena, closure.n * sizeof *paths);
	for (size_t i = 0; i < closure.n; i++) {
		char hash[NAR_HASH_DIGITS + 1];
		uint64_t size;
		paths[i] = closure.v[i];
		assert_ok(f, nar_hash(f->diag, paths[i].path, hash, &size));
		paths[i].nar_hash = arena_strdup(f->arena, hash);
	}
	closure.v = paths;
	return closure;
}

static inline struct store_disk_request request_of(
	struct fixture *f, const struct closure *closure, const char *output)
{
	unlink(scratch_path(f, output));
	return (struct store_disk_request){.format = &squashfs_format,
		.closure = closure,
		.output = scratch_path(f, output),
		.cache_dir = scratch_path(f, "cache"),
		.scratch_dir = f->scratch,
		.compression = "zstd",
		.block_size = 131072,
		.jobs = 2,
		.time = 1};
}

/* Links the requested disk; returns the number of packed paths. */
static inline size_t link_disk(struct fixture *f, const struct store_disk_request *request)
{
	struct store_disk_result result;
	assert_ok(f, store_disk_link(f->diag, request, &result));
	assert_int_equal(result.packed + result.reused, request->closure->n);
	return result.packed;
}

/* The link fails, reports both strings, and leaves no file behind. */
static inline void disk_fails(struct fixture *f, const struct store_disk_request *request,
	const char *why, const char *which)
{
	struct store_disk_result result;
	assert_false(store_disk_link(f->diag, request, &result));
	const char *said = messages(f);
	if (!strstr(said, why) || !strstr(said, which))
		fail_msg("expected \"%s\" and \"%s\" in: %s", why, which, said);
	assert_false(path_exists(request->output));
	assert_string_equal(
		shell(f, "ls -d erofs-* .object-* cache/tmp/* 2>/dev/null || true", NULL, NULL),
		"");
}

static inline bool is_root(void)
{
	if (geteuid() == 0)
		return true;
	print_message("skipped: needs root\n");
	return false;
}

/*
 * A shell script that creates every oddity that a store may contain. File sizes lie around the
 * block and page sizes; with LONG=250 no name has 255 bytes.
 */
static const char odd_store[] =
	"mkdir -p store/a-tree/empty-directory store/a-tree/sub/deeper/deepest store/b-tree/sub\n"
	"cd store\n"
	"printf 'a file at the root' > c-file; ln -s a-tree/sub d-link; ln -s /nowhere/at/all "
	"e-dangling; : > f-empty\n"
	"echo '#!/bin/sh' > g-program; chmod 555 g-program\n"
	"cd a-tree\n"
	": > empty; : > sub/empty\n"
	"for size in 1 2 4095 4096 4097 65536 131071 131072 131073 262143 262144 262145 1000000; "
	"do\n"
	"  head -c $size /dev/urandom > random-$size; yes mvm | head -c $size > text-$size; head "
	"-c $size /dev/zero > zeros-$size\n"
	"done\n"
	"truncate -s 300000 holes; printf x | dd of=holes bs=1 seek=299999 conv=notrunc "
	"status=none\n"
	"truncate -s 786432 middle; yes data | head -c 131072 | dd of=middle bs=131072 seek=3 "
	"conv=notrunc status=none\n"
	"cp random-4097 copy-small; cp random-1000000 copy-large; ln random-65536 sub/hard; ln "
	"random-262145 sub/deeper/hard-large\n"
	"cp random-1000000 almost; printf x | dd of=almost bs=1 seek=999999 conv=notrunc "
	"status=none\n"
	"ln -s ../text-1 sub/link; ln -s \"$(head -c 4000 /dev/zero | tr '\\0' t)\" sub/long-link\n"
	"long=$(head -c ${LONG:-251} /dev/zero | tr '\\0' n)\n"
	"echo long > \"file$long\"; mkdir \"mapd$long\"; echo in > \"mapd$long/file$long\"\n"
	"echo odd > '-rf'; echo odd > 'a b'; echo odd > \"$(printf 'new\\nline')\"; echo odd > "
	"\"$(printf '\\377\\201')\"; echo odd > '*?[]'\n"
	"echo odd > 'sub/..two'; echo odd > '#'; echo 'odd' > '\"'; echo odd > \"'\"; echo odd > "
	"'\\'\n"
	"echo s > setuid; chmod 6755 setuid; mkdir sticky; chmod 1755 sticky; echo r > readonly; "
	"chmod 444 readonly; chmod 555 sub/deeper/deepest\n"
	"i=0; while [ $i -lt 600 ]; do echo $((i % 7)) > sub/deeper/many-$i; i=$((i + 1)); done\n"
	"cp random-1000000 ../b-tree/shared; cp text-1000000 ../b-tree/sub/shared-text; cp "
	"random-262144 ../b-tree\n"
	"head -c 100000 /dev/urandom > ../b-tree/own; cp random-262145 ../b-tree/again; cp "
	"../b-tree/own ../h-own\n";

/* As odd_store, with names that fit into a directory of erofs-utils. */
static inline void make_erofs_oddities(struct fixture *f)
{
	shell(f, arena_printf(f->arena, "LONG=250\n%s", odd_store), NULL, NULL);
}

/* Compares the tree that erofs-utils extracts from $1 with scratch/store, without owners. */
static const char extract_erofs[] =
	"fsck.erofs \"$1\" >log 2>&1 || { cat log; false; }\n"
	"rm -rf x; fsck.erofs --extract=x --overwrite --no-preserve-owner --no-preserve-perms "
	"\"$1\" >log 2>&1 || { cat log; false; }\n"
	"diff -r --no-dereference -x .links store x; chmod -R u+w x; rm -rf x";

/* Whether the kernel mounts the image; prints why the test is skipped if not. */
static inline bool kernel_mounts(struct fixture *f, const char *image, const char *type)
{
	const bool mounts =
		shell_try(f, "mkdir -p m; mount -t \"$2\" -o loop,ro \"$1\" m && umount m", image,
			type)
			.exit_status == 0;
	if (!mounts)
		print_message("skipped: no loop devices or no %s here\n", type);
	return mounts;
}

/* Runs the script with the image mounted at m. */
static inline void with_mount(struct fixture *f, const char *image, const char *script)
{
	shell(f, "mkdir -p m; mount -o loop,ro \"$1\" m", image, NULL);
	struct process_result result = shell_try(f, script, NULL, NULL);
	shell(f, "umount m", NULL, NULL);
	if (result.exit_status)
		fail_msg("%s%s", result.output.p, result.error.p);
}

#endif
