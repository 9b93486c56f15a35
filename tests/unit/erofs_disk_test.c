/* SPDX-License-Identifier: MIT */
/*
 * Erofs store disks of unusual trees, checked by fsck.erofs, blkid and the kernel; with whichever
 * mkfs.erofs is installed, or without one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>

#include "imaging/erofs/super.h"
#include "imaging/erofs/mkfs.h"
#include "tests/unit/store_fixture.h"

#define SETTINGS "erofs-3-lz4hc-9-4096-tails-*"

static struct store_disk_request erofs_request(
	struct fixture *f, const struct closure *closure, const char *output)
{
	struct store_disk_request request = request_of(f, closure, output);
	request.format = &erofs_format;
	request.compression = "lz4hc";
	request.block_size = 0;
	request.tail_packing = true;
	return request;
}

/* Links scratch/store into scratch/OUTPUT; returns the number of packed paths. */
static size_t link_store(struct fixture *f, const char *output)
{
	const struct closure closure = closure_of(f);
	const struct store_disk_request request = erofs_request(f, &closure, output);
	return link_disk(f, &request);
}

static void link_fails(
	struct fixture *f, const char *compression, const char *why, const char *which)
{
	const struct closure closure = closure_of(f);
	struct store_disk_request request = erofs_request(f, &closure, "image");
	request.compression = compression;
	disk_fails(f, &request, why, which);
}

static bool have_erofs(struct fixture *f)
{
	return have_program(f, "mkfs.erofs") && have_program(f, "fsck.erofs");
}

static void holds_every_oddity_with_every_compression(void **state)
{
	static const struct {
		const char *compression;
		int level;
		uint32_t block_size;
		bool tail_packing;
	} ways[] = {{"none", 0, 0, true}, {"lz4", 0, 0, true}, {"lz4", 0, 0, false},
		{"lz4hc", 0, 0, true}, {"lz4hc", 12, 8192, true}, {"lz4hc", 0, 65536, true},
		{"lz4", 0, 1 << 20, true}, {"lz4", 0, 32768, false}, {"zstd", 0, 0, true},
		{"zstd", 3, 65536, true}, {"deflate", 0, 0, true}, {"deflate", 0, 16384, true}};
	struct fixture *f = *state;
	struct mkfs_erofs tool;
	if (!have_erofs(f))
		skip();
	assert_ok(f, mkfs_erofs_find(f->arena, f->diag, &tool));
	make_erofs_oddities(f);
	const struct closure closure = closure_of(f);
	for (size_t i = 0; i < countof(ways); i++) {
		struct store_disk_request request = erofs_request(f, &closure, "image");
		struct store_disk_result result;
		request.compression = ways[i].compression;
		request.level = ways[i].level;
		request.block_size = ways[i].block_size;
		request.tail_packing = ways[i].tail_packing;
		if (!mkfs_erofs_check(f->arena, f->diag, &tool, &request)) {
			assert_said(f, "it supports ");
			continue;
		}
		assert_ok(f, store_disk_link(f->diag, &request, &result));
		shell(f, extract_erofs, "image", NULL);
		/* `store` counts as the root; one more inode is .links */
		assert_int_equal(result.inodes,
			atoi(shell(f, "find store -printf x | wc -c", NULL, NULL)) + 1);
	}
}

static bool can_mount(struct fixture *f)
{
	if (!is_root() || !have_erofs(f))
		return false;
	shell(f, "mkdir -p store/x; echo x > store/x/y", NULL, NULL);
	link_store(f, "probe");
	shell(f, "rm -rf store", NULL, NULL);
	return kernel_mounts(f, "probe", "erofs");
}

static void the_kernel_reads_it(void **state)
{
	struct fixture *f = *state;
	if (!can_mount(f))
		skip();
	make_erofs_oddities(f);
	for (int big = 0; big < 2; big++) {
		const struct closure closure = closure_of(f);
		struct store_disk_request request = erofs_request(f, &closure, "image");
		struct store_disk_result result;
		request.block_size = big ? 65536 : 0;
		request.time = 1234567;
		assert_ok(f, store_disk_link(f->diag, &request, &result));
		with_mount(f, "image",
			"diff -r --no-dereference -x .links store m; test \"$(stat -c %a:%u:%g:%h "
			"m)\" = 1775:0:30000:5\n"
			"test \"$(stat -c %a:%u:%g:%h m/.links)\" = 755:0:0:2; test -z \"$(ls -A "
			"m/.links)\"\n"
			"test \"$(stat -c %i m/.links/..)\" = \"$(stat -c %i m)\"; test \"$(stat "
			"-c %i m/a-tree/sub/..)\" = \"$(stat -c %i m/a-tree)\"\n"
			"test -z \"$(find m ! -newermt @1234566 -o -newermt @1234567)\"; test -z "
			"\"$(find m -mindepth 1 ! -user 0 -o -mindepth 1 ! -group 0)\"\n"
			"test -z \"$(find m -mindepth 1 -perm /7000)\"; test -z \"$(find m -type f "
			"-links +1)\"\n"
			"(cd store; find . -mindepth 1 ! -type l -printf '%y %#m %P\\n' | sed 's/ "
			"0*[0-7]*\\([0-7][0-7][0-7]\\) / \\1 /' | sort) > one\n"
			"(cd m; find . -mindepth 1 ! -type l ! -name .links -printf '%y %#m %P\\n' "
			"| sed 's/ 0*[0-7]*\\([0-7][0-7][0-7]\\) / \\1 /' | sort) > two\n"
			"diff one two; test $(stat -c %h m/a-tree) = $(stat -c %h store/a-tree)");
	}
}

/*
 * Files that end near the end of a segment (imaging/erofs/lz4.c), and holes: they give the same
 * bytes as the zeros that they stand for.
 */
static void segments_fit_together(void **state)
{
	static const struct {
		const char *compression;
		int level;
		uint32_t block_size;
		bool tail_packing;
	} ways[] = {{"lz4", 0, 0, true}, {"lz4hc", 3, 0, false}, {"lz4", 0, 65536, true}};
	struct fixture *f = *state;
	if (!have_erofs(f))
		skip();
	const bool mounts = can_mount(f);
	shell(f,
		"mkdir -p store/a; cd store/a; s=2080768\n"
		"for size in $((s - 1)) $s $((s + 1)) $((2 * s)) $((2 * s + 5000)); do\n"
		"  seq $size | head -c $size > text-$size; head -c $size /dev/urandom > "
		"random-$size; truncate -s $size hole-$size\n"
		"  (seq 150000; head -c $size /dev/urandom) | head -c $size > both-$size; (head -c "
		"$s /dev/urandom; seq $size) | head -c $size > other-$size\n"
		"done; (head -c 4100000 /dev/zero; seq 99999; head -c 4200000 /dev/zero) > middle",
		NULL, NULL);
	for (size_t i = 0; i < countof(ways); i++) {
		const struct closure closure = closure_of(f);
		struct store_disk_request request = erofs_request(f, &closure, "image");
		request.compression = ways[i].compression;
		request.level = ways[i].level;
		request.block_size = ways[i].block_size;
		request.tail_packing = ways[i].tail_packing;
		request.cache_dir = NULL;
		link_disk(f, &request);
		shell(f, extract_erofs, "image", NULL);
		if (mounts)
			with_mount(f, "image", "diff -r -x .links store m");
		shell(f, "cp -r --sparse=never store/a full; mv store/a holes; mv full store/a",
			NULL, NULL);
		request.output = scratch_path(f, "other");
		request.jobs = 5;
		link_disk(f, &request);
		assert_same_contents(f, scratch_path(f, "image"), request.output);
		shell(f, "rm -r store/a other; mv holes store/a", NULL, NULL);
	}
}

static void large_directories_and_files_fit(void **state)
{
	struct fixture *f = *state;
	if (!can_mount(f))
		skip();
	shell(f,
		"mkdir -p store/many/names store/sparse\n"
		"cd store/many/names; seq -f 'a rather long name for one of very many files %06g' "
		"5000 | tr '\\n' '\\0' | xargs -0 touch; cd ../..\n"
		"echo found > 'many/names/a rather long name for one of very many files 004999'\n"
		"mkdir many/dirs; cd many/dirs; seq 66000 | xargs mkdir; cd ../..\n"
		"truncate -s 4300000000 sparse/over-4g; printf end >> sparse/over-4g; printf mid | "
		"dd of=sparse/over-4g bs=1 seek=2200000001 conv=notrunc status=none",
		NULL, NULL);
	const struct closure closure = closure_of(f);
	struct store_disk_request request = erofs_request(f, &closure, "image");
	struct store_disk_result result;
	request.compression = "lz4";
	assert_ok(f, store_disk_link(f->diag, &request, &result));
	with_mount(f, "image",
		"test $(ls m/many/names | wc -l) = 5000; test \"$(cat m/many/names/*004999)\" = "
		"found\n"
		"test -f 'm/many/names/a rather long name for one of very many files 000001'\n"
		"test ! -e 'm/many/names/a rather long name for one of very many files 005001'\n"
		"test $(stat -c %h m/many/dirs) = 66002; test -d m/many/dirs/66000; test $(stat -c "
		"%Y m/many/dirs) = 1\n"
		"test $(stat -c %s m/sparse/over-4g) = 4300000003; test \"$(tail -c 3 "
		"m/sparse/over-4g)\" = end\n"
		"test $(stat -c %Y m/sparse/over-4g) = 1\n"
		"test \"$(dd if=m/sparse/over-4g bs=1 skip=2200000001 count=3 status=none)\" = "
		"mid");
}

static void equal_stores_give_equal_bytes(void **state)
{
	struct fixture *f = *state;
	if (!have_erofs(f))
		skip();
	make_erofs_oddities(f);
	assert_int_equal(link_store(f, "cold"), 8);
	assert_int_equal(link_store(f, "warm"), 0);
	assert_same_contents(f, scratch_path(f, "cold"), scratch_path(f, "warm"));
	/* The path with its own cache file, and the five small ones. */
	shell(f, "rm -r cache/" SETTINGS "/a-tree cache/" SETTINGS "/.bundles", NULL, NULL);
	setenv("SOURCE_DATE_EPOCH", "12345", 1);
	assert_int_equal(link_store(f, "warm"), 6);
	unsetenv("SOURCE_DATE_EPOCH");
	assert_same_contents(f, scratch_path(f, "cold"), scratch_path(f, "warm"));
	const struct closure closure = closure_of(f);
	for (unsigned jobs = 1; jobs <= 9; jobs += 4) {
		struct store_disk_request request = erofs_request(f, &closure, "uncached");
		request.cache_dir = NULL;
		request.jobs = jobs;
		struct store_disk_result result;
		assert_ok(f, store_disk_link(f->diag, &request, &result));
		assert_same_contents(f, scratch_path(f, "cold"), scratch_path(f, "uncached"));
	}
	/*
	 * Either deduplicated as auto-optimise-store does it, or not; written in another order and
	 * owned by another user.
	 */
	shell(f,
		"rm -rf cache; cp -r --no-preserve=links,timestamps store copied; chmod 6755 "
		"copied/a-tree/setuid; rm -rf store; mv copied store\n"
		"cp store/a-tree/text-1 store/a-tree/again; rm store/a-tree/again; ln -f "
		"store/a-tree/random-1000000 store/a-tree/copy-large",
		NULL, NULL);
	if (geteuid() == 0)
		shell(f, "chown -R 70000:70000 store", NULL, NULL);
	link_store(f, "other");
	assert_same_contents(f, scratch_path(f, "cold"), scratch_path(f, "other"));
	assert_string_equal(
		shell(f, "ls -A cache/tmp; ls -A | grep -e object -e erofs- || true", NULL, NULL),
		"");
	shell(f, "rm -rf store/a-tree/* store/b-tree", NULL, NULL);
	/* With a warm cache the paths need not even exist. */
	struct store_disk_request request = erofs_request(f, &closure, "warm");
	struct store_disk_result result;
	assert_ok(f, store_disk_link(f->diag, &request, &result));
	assert_same_contents(f, scratch_path(f, "cold"), scratch_path(f, "warm"));
}

static void images_have_different_uuids(void **state)
{
	static const char uuid[] = "od -An -tx1 -j 1072 -N 16 \"$1\"";
	struct fixture *f = *state;
	if (!have_erofs(f))
		skip();
	shell(f, "mkdir store; echo one > store/p", NULL, NULL);
	link_store(f, "one");
	shell(f, "rm -r cache; echo two > store/p", NULL, NULL);
	link_store(f, "two");
	assert_string_not_equal(shell(f, uuid, "one", NULL), shell(f, uuid, "two", NULL));
	shell(f, "mv store/p store/q", NULL, NULL);
	link_store(f, "three");
	assert_string_not_equal(shell(f, uuid, "two", NULL), shell(f, uuid, "three", NULL));
}

static void equal_blocks_are_shared(void **state)
{
	struct fixture *f = *state;
	if (!have_erofs(f))
		skip();
	shell(f,
		"mkdir -p store/a store/b; head -c 3000000 /dev/urandom > store/a/big; cp "
		"store/a/big store/b/other-name\n"
		"cp store/a/big store/a/copy; seq 500000 > store/a/text; cp store/a/text store/b; "
		"head -c 100 store/a/text > store/b/start",
		NULL, NULL);
	link_store(f, "image");
	assert_in_range(contents(f, scratch_path(f, "image")).n, 4000000, 5500000);
	shell(f, extract_erofs, "image", NULL);
}

static void small_paths_share_blocks(void **state)
{
	struct fixture *f = *state;
	if (!have_erofs(f))
		skip();
	shell(f,
		"mkdir store; cd store; i=0; while [ $i -lt 200 ]; do mkdir path-$i; echo $i > "
		"path-$i/unit; ln -s ../path-$i link-$i; i=$((i + 1)); done",
		NULL, NULL);
	assert_int_equal(link_store(f, "cold"), 400);
	assert_int_equal(link_store(f, "warm"), 0);
	assert_same_contents(f, scratch_path(f, "cold"), scratch_path(f, "warm"));
	assert_in_range(contents(f, scratch_path(f, "cold")).n, 1, 400 * 200);
	shell(f, extract_erofs, "cold", NULL);
}

/* mkfs.erofs compresses with a shared library that can be updated without it. */
static void another_compressor_makes_other_objects(void **state)
{
	struct fixture *f = *state;
	if (!have_erofs(f))
		skip();
	shell(f, "mkdir store lib; seq 20000 > store/p", NULL, NULL);
	const char *library = shell(f,
		"mkfs.erofs -V 2>&1 | grep -q zstd && LD_TRACE_LOADED_OBJECTS=1 mkfs.erofs -V | "
		"sed -n 's/.*libzstd[^ ]* => \\([^ ]*\\).*/\\1/p' | tr -d '\\n' || true",
		NULL, NULL);
	if (!*library) {
		print_message("skipped: this mkfs.erofs loads no libzstd\n");
		skip();
	}
	const struct closure closure = closure_of(f);
	struct store_disk_request image = erofs_request(f, &closure, "image"), other = image;
	image.compression = other.compression = "zstd";
	other.output = scratch_path(f, "other");
	assert_int_equal(link_disk(f, &image), 1);
	shell(f, "cp -L \"$1\" lib/; echo >> lib/*", library, NULL);
	setenv("LD_LIBRARY_PATH", scratch_path(f, "lib"), 1);
	const size_t packed = link_disk(f, &other), again = link_disk(f, &other);
	unsetenv("LD_LIBRARY_PATH");
	assert_int_equal(packed, 1);
	assert_int_equal(again, 0);
	assert_int_equal(link_disk(f, &image), 0);
	assert_same_contents(f, scratch_path(f, "image"), scratch_path(f, "other"));
}

static void damaged_objects_are_packed_again(void **state)
{
	static const char *const damages[] = {"truncate -s -1 $O", ": > $O",
		"printf xx | dd of=$O bs=1 seek=$(($(stat -c %s $O) - 400)) conv=notrunc",
		"head -c 5000 /dev/urandom > $O", "cp cache/erofs-*/b $O"};
	struct fixture *f = *state;
	if (!have_erofs(f))
		skip();
	shell(f,
		"mkdir -p store/a/d store/b; seq 100000 > store/a/d/numbers; echo a > "
		"store/a/small; seq 90000 > store/b/numbers",
		NULL, NULL);
	link_store(f, "good");
	for (size_t i = 0; i < countof(damages); i++) {
		shell(f, arena_printf(f->arena, "O=$(echo cache/" SETTINGS "/a); %s", damages[i]),
			NULL, NULL);
		assert_int_equal(link_store(f, "image"), 1);
		assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
	}
}

static void no_inode_count_looks_like_minix(void **state)
{
	static const uint64_t magics[] = {0x137f, 0x138f, 0x2468, 0x2478, 0x4d5a, 0x7f13, 0x8f13,
		0x6824, 0x7824, 0x5a4d, 0x1137f};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(magics); i++)
		assert_true(erofs_inode_count(magics[i]) == magics[i] + 1);
	assert_true(erofs_inode_count(4990) == 4990);
	if (!have_erofs(f) || !have_program(f, "blkid"))
		skip();
	/* The root, .links and the directory are inodes too. */
	shell(f, "mkdir -p store/many; cd store/many; seq 4988 | xargs touch", NULL, NULL);
	link_store(f, "image");
	shell(f,
		"PATH=$PATH:/usr/sbin:/sbin; blkid -p image > said; grep -q 'TYPE=\"erofs\"' said; "
		"grep -q 'LABEL=\"nix-store\"' said; fsck.erofs image",
		NULL, NULL);
}

static void unsupported_files_are_named(void **state)
{
	struct fixture *f = *state;
	if (!have_erofs(f))
		skip();
	shell(f, "mkdir -p store/a/sub store/c; echo x > store/c/y; mkfifo store/a/sub/pipe", NULL,
		NULL);
	link_fails(f, "lz4hc", "/store/a/sub/pipe", "is not a regular file");
	shell(f, "rm -r store/a", NULL, NULL);
	struct closure closure = closure_of(f);
	shell(f, "rm -r store/c", NULL, NULL);
	const struct store_disk_request request = erofs_request(f, &closure, "image");
	struct store_disk_result result;
	assert_false(store_disk_link(f->diag, &request, &result));
	assert_said(f, "/store/c: No such file");
	shell(f, "mkdir store/.links", NULL, NULL);
	link_fails(f, "lz4hc", "two paths of the store disk", ".links");
}

/* Runs with this script as mkfs.erofs, in a directory at the front of PATH. */
static void with_tool(struct fixture *f, const char *script, const char *why, const char *which)
{
	const char *path = arena_strdup(f->arena, getenv("PATH"));
	shell(f,
		"mkdir -p bin; printf '%s\\n' '#!/bin/sh' \"$1\" > bin/mkfs.erofs; chmod +x "
		"bin/mkfs.erofs",
		script, NULL);
	setenv("PATH", arena_printf(f->arena, "%s/bin:%s", f->scratch, path), 1);
	link_fails(f, "zstd", why, which);
	setenv("PATH", path, 1);
}

#define SAYS \
	"[ $1 != -V ] || { echo mkfs.erofs 1.5; echo Available compressors are: zstd, lz4; exit " \
	"1; }; for image; do shift; [ $# != 1 ] || break; done; "

static void a_failing_mkfs_erofs_is_reported(void **state)
{
	struct fixture *f = *state;
	shell(f, "mkdir -p store/a; echo a > store/a/a; echo b > store/b; echo c > store/c", NULL,
		NULL);
	with_tool(f, "echo nonsense", "does not print its version", "mkfs.erofs");
	with_tool(f, "[ $1 != -V ] || echo mkfs.erofs 1.5; echo Available compressors are: lzma",
		"does not support the compression \"zstd\"", "it supports lzma, none");
	with_tool(f, SAYS "echo out of luck >&2; exit 3", "failed with status 3 on", "out of luck");
	with_tool(f, SAYS "exit 0", "cannot read", "/erofs-");
	with_tool(f, SAYS "head -c 8192 /dev/zero > $image", "cannot read the image",
		"no super block");
	with_tool(f, SAYS "kill -9 $$", "status 137", "/store/");
	/* An image of another directory. */
	if (have_erofs(f))
		with_tool(f,
			SAYS "PATH=${PATH#*:}; mkdir -p ${0%/*}/empty; exec mkfs.erofs $image "
			     "${0%/*}/empty >/dev/null",
			"cannot use", "a file is missing");
	const char *path = arena_strdup(f->arena, getenv("PATH"));
	setenv("PATH", "/nowhere", 1);
	const struct closure closure = {
		.v = (const struct store_path[]){{.path = scratch_path(f, "store/b"), .name = "b"}},
		.n = 1};
	struct store_disk_request request = erofs_request(f, &closure, "image");
	struct store_disk_result result;
	request.compression = "zstd";
	assert_false(store_disk_link(f->diag, &request, &result));
	assert_said(f, "cannot find mkfs.erofs");
	/* We have LZ4 ourselves. */
	request.compression = "lz4hc";
	assert_ok(f, store_disk_link(f->diag, &request, &result));
	setenv("PATH", path, 1);
}

static void impossible_settings_are_refused(void **state)
{
	struct fixture *f = *state;
	if (!have_erofs(f))
		skip();
	shell(f, "mkdir -p store/a", NULL, NULL);
	const struct closure closure = closure_of(f);
	struct store_disk_request request = erofs_request(f, &closure, "image");
	struct store_disk_result result;
	request.compression = "zip";
	assert_false(store_disk_link(f->diag, &request, &result));
	assert_said(f, "does not support the compression \"zip\"");
	request.compression = "lz4";
	request.level = 3;
	assert_false(store_disk_link(f->diag, &request, &result));
	assert_said(f, "lz4 has no compression levels");
	request.level = 0;
	request.block_size = 5000;
	assert_false(store_disk_link(f->diag, &request, &result));
	assert_said(f, "not 5000 bytes");
}

static void whole_images_have_fragments(void **state)
{
	static const char *const features[] = {"fragments", "dedupe"};
	struct fixture *f = *state;
	struct mkfs_erofs tool;
	if (!have_erofs(f))
		skip();
	assert_ok(f, mkfs_erofs_find(f->arena, f->diag, &tool));
	make_erofs_oddities(f);
	const struct closure closure = closure_of(f);
	struct store_disk_request request = erofs_request(f, &closure, "image");
	struct store_disk_result result;
	request.features = features;
	request.nfeatures = countof(features);
	signal(SIGPIPE, SIG_IGN);
	if (!mkfs_erofs_is_at_least(&tool, 1, 7)) {
		assert_false(store_disk_mkfs_erofs(f->diag, &request, &result));
		assert_said(f, "cannot read a tar stream");
		return;
	}
	assert_ok(f, store_disk_mkfs_erofs(f->diag, &request, &result));
	/* fsck.erofs 1.9 cannot extract images with fragments. */
	shell(f, "fsck.erofs image", NULL, NULL);
	if (is_root())
		with_mount(f, "image",
			"diff -r --no-dereference -x .links store m; test \"$(stat -c %a:%u:%g "
			"m)\" = 1775:0:30000");
	request.output = scratch_path(f, "again");
	request.jobs = 1;
	assert_ok(f, store_disk_mkfs_erofs(f->diag, &request, &result));
	assert_same_contents(f, scratch_path(f, "image"), scratch_path(f, "again"));
	shell(f, "mkfifo store/a-tree/pipe; rm image", NULL, NULL);
	request.output = scratch_path(f, "image");
	assert_false(store_disk_mkfs_erofs(f->diag, &request, &result));
	assert_said(f, "is not a regular file");
	assert_false(path_exists(request.output));
}

struct progress_seen {
	uint64_t done;
	unsigned between; /* calls that reported neither the beginning nor the end */
};

static void progress_record(void *context, uint64_t done, uint64_t total)
{
	struct progress_seen *seen = context;
	assert_true(done >= seen->done && done <= total);
	seen->between += done > total / 100 && done < total - total / 100;
	seen->done = done;
}

static void progress_is_reported(void **state)
{
	struct fixture *f = *state;
	if (!have_erofs(f))
		skip();
	shell(f, "mkdir -p store/a; truncate -s 2G store/a/sparse", NULL, NULL);
	const struct closure closure = closure_of(f);
	struct store_path path = closure.v[0];
	path.nar_size = (int64_t)2 << 30;
	const struct closure sized = {.v = &path, .n = 1};
	struct store_disk_request request = erofs_request(f, &sized, "image");
	struct store_disk_result result;
	struct progress_seen seen = {0};
	request.progress = progress_record;
	request.progress_context = &seen;
	assert_ok(f, store_disk_link(f->diag, &request, &result));
	assert_true(seen.done == (uint64_t)2 << 30);
	assert_true(seen.between > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(holds_every_oddity_with_every_compression),
		TEST(the_kernel_reads_it),
		TEST(segments_fit_together),
		TEST(large_directories_and_files_fit),
		TEST(equal_stores_give_equal_bytes),
		TEST(images_have_different_uuids),
		TEST(equal_blocks_are_shared),
		TEST(small_paths_share_blocks),
		TEST(another_compressor_makes_other_objects),
		TEST(damaged_objects_are_packed_again),
		TEST(no_inode_count_looks_like_minix),
		TEST(unsupported_files_are_named),
		TEST(a_failing_mkfs_erofs_is_reported),
		TEST(progress_is_reported),
		TEST(impossible_settings_are_refused),
		TEST(whole_images_have_fragments),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
