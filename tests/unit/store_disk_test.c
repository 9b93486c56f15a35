/* SPDX-License-Identifier: MIT */
/*
 * Store disks of unusual trees, checked by unsquashfs, mksquashfs and the kernel; the cache repairs
 * itself and is safe against others.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "imaging/cache/object.h"
#include "tests/unit/store_fixture.h"

#define SETTINGS "squashfs-3-zstd-*-3-131072"

/* Links scratch/store into scratch/OUTPUT; returns the number of packed paths. */
static size_t link_store(struct fixture *f, const char *output)
{
	const struct closure closure = closure_of(f);
	const struct store_disk_request request = request_of(f, &closure, output);
	return link_disk(f, &request);
}

static void link_fails(struct fixture *f, const char *output, const char *why, const char *which)
{
	const struct closure closure = closure_of(f);
	const struct store_disk_request request = request_of(f, &closure, output);
	disk_fails(f, &request, why, which);
}

/* Leaves out the sizes of directories, which depend on the writer. */
static const char listing[] =
	"unsquashfs -lln \"$1\" | sed -E 's/^(d[^ ]+ [^ ]+) +[0-9]+ /\\1 /' | sort";

static void assert_same_tree(struct fixture *f, const char *one, const char *two)
{
	assert_string_equal(shell(f, listing, one, NULL), shell(f, listing, two, NULL));
	shell(f,
		"rm -rf x y; unsquashfs -q -n -no-xattrs -d x \"$1\" >/dev/null 2>&1 || true; "
		"unsquashfs -q -n -no-xattrs -d y \"$2\" >/dev/null 2>&1 || true\n"
		"diff -r --no-dereference x y && chmod -R u+w x y && rm -rf x y",
		one, two);
}

static void holds_every_oddity_at_any_block_size(void **state)
{
	static const uint32_t block_sizes[] = {4096, 131072, 1048576};
	struct fixture *f = *state;
	if (!have_program(f, "mksquashfs"))
		skip();
	shell(f, odd_store, NULL, NULL);
	const struct closure closure = closure_of(f);
	for (size_t i = 0; i < countof(block_sizes); i++) {
		struct store_disk_request request = request_of(f, &closure, "linked");
		request.block_size = block_sizes[i];
		struct store_disk_result linked, made;
		assert_ok(f, store_disk_link(f->diag, &request, &linked));
		struct store_disk_request other = request_of(f, &closure, "made");
		other.block_size = block_sizes[i];
		assert_ok(f, store_disk_mksquashfs(f->diag, &other, &made));
		assert_same_tree(f, "linked", "made");
		assert_int_equal(linked.inodes, made.inodes);
		assert_int_equal(linked.content_bytes, made.content_bytes);
		shell(f,
			"unsquashfs -q -n -d x linked >/dev/null 2>&1 || true; diff -r "
			"--no-dereference x store -x .links; chmod -R u+w x; rm -rf x",
			NULL, NULL);
	}
	const char *root = shell(
		f, "unsquashfs -lln linked | grep -E 'squashfs-root(/\\.links)?$'", NULL, NULL);
	assert_non_null(strstr(root, "drwxrwxr-t 0/30000"));
	assert_non_null(strstr(root, "drwxr-xr-x 0/0"));
	assert_string_equal(
		shell(f, "unsquashfs -lln linked | grep -c -E '^-..s|^-.....s'||true", NULL, NULL),
		"0\n");
}

static bool can_mount(struct fixture *f)
{
	if (!is_root())
		return false;
	shell(f, "mkdir -p store/x; echo x > store/x/y", NULL, NULL);
	link_store(f, "probe");
	shell(f, "rm -rf store", NULL, NULL);
	return kernel_mounts(f, "probe", "squashfs");
}

static void the_kernel_reads_it(void **state)
{
	struct fixture *f = *state;
	if (!can_mount(f))
		skip();
	shell(f, odd_store, NULL, NULL);
	link_store(f, "image");
	with_mount(f, "image",
		"diff -r --no-dereference -x .links store m; test \"$(stat -c %a:%u:%g m)\" = "
		"1775:0:30000\n"
		"test -d m/.links; test $(stat -c %h m/a-tree) = $(stat -c %h store/a-tree)");
}

static void large_directories_and_files_fit(void **state)
{
	struct fixture *f = *state;
	if (!can_mount(f))
		skip();
	shell(f,
		"mkdir -p store/many/names store/sparse\n"
		"cd store/many/names; seq -f 'a rather long name for one of very many files %06g' "
		"70000 | tr '\\n' '\\0' | xargs -0 touch; cd ../..\n"
		"echo found > 'many/names/a rather long name for one of very many files 069999'\n"
		"truncate -s 4400000000 sparse/over-4g; printf end >> sparse/over-4g; printf mid | "
		"dd of=sparse/over-4g bs=1 seek=2200000001 conv=notrunc status=none",
		NULL, NULL);
	link_store(f, "image");
	with_mount(f, "image",
		"test $(ls m/many/names | wc -l) = 70000; test \"$(cat m/many/names/*069999)\" = "
		"found\n"
		"test -f 'm/many/names/a rather long name for one of very many files 000001'\n"
		"test ! -e 'm/many/names/a rather long name for one of very many files 070001'\n"
		"test $(stat -c %s m/sparse/over-4g) = 4400000003; test \"$(tail -c 3 "
		"m/sparse/over-4g)\" = end\n"
		"test \"$(dd if=m/sparse/over-4g bs=1 skip=2200000001 count=3 status=none)\" = "
		"mid");
	assert_in_range(contents(f, scratch_path(f, "image")).n, 1, 4000000);
}

static void equal_stores_give_equal_bytes(void **state)
{
	struct fixture *f = *state;
	shell(f, odd_store, NULL, NULL);
	assert_true(link_store(f, "cold") > 0);
	assert_int_equal(link_store(f, "warm"), 0);
	assert_same_contents(f, scratch_path(f, "cold"), scratch_path(f, "warm"));
	/* The path with its own cache file, and the five small ones. */
	shell(f, "rm -r cache/" SETTINGS "/a-tree cache/" SETTINGS "/.bundles", NULL, NULL);
	assert_int_equal(link_store(f, "warm"), 6);
	assert_same_contents(f, scratch_path(f, "cold"), scratch_path(f, "warm"));
	const struct closure closure = closure_of(f);
	for (unsigned jobs = 1; jobs <= 9; jobs += 4) {
		struct store_disk_request request = request_of(f, &closure, "uncached");
		request.cache_dir = NULL;
		request.jobs = jobs;
		struct store_disk_result result;
		assert_ok(f, store_disk_link(f->diag, &request, &result));
		assert_same_contents(f, scratch_path(f, "cold"), scratch_path(f, "uncached"));
	}
	assert_string_equal(
		shell(f, "ls -A cache/tmp; ls -A | grep object || true", NULL, NULL), "");
	shell(f, "rm -rf store/a-tree/* store/b-tree", NULL, NULL);
	/* With a warm cache the paths need not even exist. */
	struct store_disk_request request = request_of(f, &closure, "warm");
	struct store_disk_result result;
	assert_ok(f, store_disk_link(f->diag, &request, &result));
	assert_same_contents(f, scratch_path(f, "cold"), scratch_path(f, "warm"));
}

static void equal_blocks_are_shared(void **state)
{
	struct fixture *f = *state;
	shell(f,
		"mkdir -p store/a store/b; head -c 3000000 /dev/urandom > store/a/big; cp "
		"store/a/big store/b/other-name\n"
		"cp store/a/big store/a/copy; head -c 60000 /dev/urandom > store/a/s1; head -c "
		"50000 /dev/urandom > store/a/s2; cp store/a/s? store/b",
		NULL, NULL);
	link_store(f, "image");
	assert_in_range(contents(f, scratch_path(f, "image")).n, 3110000, 3150000);
	shell(f, "unsquashfs -q -n -d x image >/dev/null; diff -r x store -x .links", NULL, NULL);
}

static void damaged_objects_are_packed_again(void **state)
{
	static const char *const damages[] = {
		"truncate -s -1 $O",
		"truncate -s 10 $O",
		": > $O",
		"printf xx | dd of=$O bs=1 seek=$(($(stat -c %s $O) - 300)) conv=notrunc",
		"printf xx | dd of=$O bs=1 seek=$(($(stat -c %s $O) - 20)) conv=notrunc",
		"head -c 5000 /dev/urandom > $O",
		"cp cache/*/b $O",
		"rm $O; ln -s b $O",
		"rm $O; mkfifo $O",
		"rm $O; mkdir $O",
		"rm $O; mkdir -p $O/mine/deep",
		"rm $O; ln -s nowhere $O",
	};
	struct fixture *f = *state;
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
		assert_int_equal(link_store(f, "image"), 0);
	}
}

/*
 * Bit rot leaves size, times and mode unchanged. It may happen during the boot in which the object
 * was written, and after the object was used.
 */
static void rot_is_noticed_at_every_use(void **state)
{
	struct fixture *f = *state;
	shell(f,
		"mkdir -p store/a; seq 100000 > store/a/numbers; head -c 300000 /dev/urandom > "
		"store/a/noise",
		NULL, NULL);
	link_store(f, "good");
	const char *object =
		scratch_path(f, shell(f, "printf %s cache/" SETTINGS "/a", NULL, NULL));
	for (size_t i = 0; i < 10; i++) {
		struct stat before;
		assert_int_equal(link_store(f, "image"), 0);
		assert_int_equal(stat(object, &before), 0);
		flip_bit(object, (off_t)((uint64_t)before.st_size * i / 10));
		assert_int_equal(link_store(f, "image"), 1);
		assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
		assert_said(f, "/a was damaged: its store path is packed again");
	}
}

/* Returns the hash of an object's only fragment; replaces it by `forged` unless that is NULL. */
static uint64_t fragment_hash(const char *path, const uint64_t *forged)
{
	FD_CLEANUP int fd = open(path, O_RDWR);
	struct object_footer footer;
	struct object_fragment fragment;
	const off_t at = lseek(fd, 0, SEEK_END) - (off_t)sizeof footer;
	assert_true(fd_read_all(fd, &footer, sizeof footer, at));
	assert_int_equal(footer.fragments, 1);
	assert_true(fd_read_all(fd, &fragment, sizeof fragment, at - (off_t)sizeof fragment));
	if (!forged)
		return fragment.hash;
	fragment.hash = *forged;
	assert_true(fd_write_all(fd, &fragment, sizeof fragment, at - (off_t)sizeof fragment));
	unsigned char tables[4096];
	const size_t bytes = (size_t)(footer.records_bytes + sizeof fragment);
	assert_in_range(bytes, 1, sizeof tables);
	assert_true(fd_read_all(fd, tables, bytes, (off_t)footer.tables_offset));
	const XXH128_hash_t hash = XXH3_128bits(tables, bytes);
	footer.tables_hash[0] = hash.low64;
	footer.tables_hash[1] = hash.high64;
	footer.footer_hash = object_footer_hash(&footer);
	assert_true(fd_write_all(fd, &footer, sizeof footer, at));
	return *forged;
}

static void equal_hashes_are_not_equal_blocks(void **state)
{
	struct fixture *f = *state;
	shell(f,
		"mkdir store; head -c 100000 /dev/urandom > store/a; head -c 100000 /dev/urandom > "
		"store/b",
		NULL, NULL);
	link_store(f, "image");
	const char *a = scratch_path(f, shell(f, "printf %s cache/" SETTINGS "/a", NULL, NULL));
	const char *b = scratch_path(f, shell(f, "printf %s cache/" SETTINGS "/b", NULL, NULL));
	const uint64_t hash = fragment_hash(a, NULL);
	fragment_hash(b, &hash);
	assert_int_equal(link_store(f, "image"), 0);
	shell(f, "unsquashfs -q -n -d x image >/dev/null; diff -r x store -x .links", NULL, NULL);
}

/* Links in a child process, which then exits; returns its id. */
static pid_t link_in_child(struct fixture *f, const struct closure *closure, const char *output)
{
	pid_t pid = fork();
	if (pid)
		return pid;
	const struct store_disk_request request = request_of(f, closure, output);
	struct store_disk_result result;
	_exit(store_disk_link(f->diag, &request, &result) ? 0 : 1);
}

static void builds_may_run_at_the_same_time(void **state)
{
	struct fixture *f = *state;
	shell(f, odd_store, NULL, NULL);
	const struct closure closure = closure_of(f);
	for (int round = 0; round < 3; round++) {
		static const char *const names[] = {"i0", "i1", "i2", "i3"};
		pid_t pids[countof(names)];
		shell(f, "rm -rf cache", NULL, NULL);
		for (size_t i = 0; i < countof(names); i++)
			pids[i] = link_in_child(f, &closure, names[i]);
		for (size_t i = 0; i < countof(names); i++) {
			int status;
			assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
			assert_int_equal(status, 0);
		}
		for (size_t i = 1; i < countof(names); i++)
			assert_same_contents(
				f, scratch_path(f, names[0]), scratch_path(f, names[i]));
		assert_string_equal(shell(f, "ls -A cache/tmp", NULL, NULL), "");
	}
}

static void a_killed_build_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	shell(f,
		"mkdir -p store; for i in 1 2 3 4 5 6; do head -c 3000000 /dev/urandom > "
		"store/r$i; done",
		NULL, NULL);
	const struct closure closure = closure_of(f);
	struct store_disk_request request = request_of(f, &closure, "good");
	request.cache_dir = NULL;
	struct store_disk_result result;
	assert_ok(f, store_disk_link(f->diag, &request, &result));
	for (long milliseconds = 1; milliseconds < 100; milliseconds += 7) {
		shell(f, "rm -rf cache", NULL, NULL);
		pid_t pid = link_in_child(f, &closure, "killed");
		nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000}, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		link_store(f, "image");
		assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
		assert_string_equal(shell(f, "ls -A cache/tmp", NULL, NULL), "");
	}
}

static void a_cache_of_another_user_is_refused(void **state)
{
	struct fixture *f = *state;
	shell(f, "mkdir -p store cache; echo x > store/x; chmod 777 cache", NULL, NULL);
	link_fails(f, "image", "is writable by others", "/cache");
	shell(f, "chmod 755 cache; mkdir -m 775 cache/tmp", NULL, NULL);
	link_fails(f, "image", "is writable by others", "/cache/tmp");
	shell(f, "rm -r cache; echo file > cache", NULL, NULL);
	link_fails(f, "image", "cannot make the cache directory", "/cache");
	if (!is_root())
		skip();
	shell(f, "rm cache; mkdir cache; chown 12345 cache", NULL, NULL);
	link_fails(f, "image", "belongs to user 12345", "/cache");
}

static void a_full_disk_is_reported(void **state)
{
	struct fixture *f = *state;
	if (!is_root())
		skip();
	shell(f, "mkdir -p store cache out; head -c 200000 /dev/urandom > store/a", NULL, NULL);
	if (shell_try(f,
		    "mount -t tmpfs -o size=1m,mode=700 none cache && mount -t tmpfs -o size=2m "
		    "none out",
		    NULL, NULL)
			.exit_status != 0) {
		print_message("skipped: cannot mount\n");
		skip();
	}
	assert_int_equal(link_store(f, "image"), 1);
	shell(f, "head -c 3000000 /dev/urandom > store/b", NULL, NULL);
	link_fails(f, "image", "No space left on device", "/cache");
	const char *litter = shell(f, "ls -A cache/tmp", NULL, NULL),
		   *left = shell(f, "ls -A cache/" SETTINGS, NULL, NULL);
	shell(f, "umount cache", NULL, NULL);
	link_fails(f, "out/image", "No space left on device", "/out/image");
	const char *output = shell(f, "ls -A out; umount out", NULL, NULL);
	assert_string_equal(litter, "");
	assert_string_equal(left, "a\n");
	assert_string_equal(output, "");
}

static void unsupported_files_are_named(void **state)
{
	struct fixture *f = *state;
	shell(f, "mkdir -p store/a/sub store/c; echo x > store/c/y; mkfifo store/a/sub/pipe", NULL,
		NULL);
	link_fails(f, "image", "/store/a/sub/pipe", "is not a regular file");
	const struct closure closure = closure_of(f);
	const struct store_disk_request request = request_of(f, &closure, "image");
	struct store_disk_result result;
	assert_false(store_disk_mksquashfs(f->diag, &request, &result));
	assert_said(f, "/store/a/sub/pipe");
	shell(f, "rm -r store/a/sub/pipe store/c", NULL, NULL);
	struct closure gone = closure;
	assert_int_equal(gone.n, 2);
	const struct store_disk_request of_gone = request_of(f, &gone, "image");
	assert_false(store_disk_link(f->diag, &of_gone, &result));
	assert_said(f, "/store/c: No such file");
	assert_false(store_disk_mksquashfs(f->diag, &of_gone, &result));
	assert_said(f, "/store/c: No such file");
	assert_string_equal(shell(f, "ls cache/tmp; ls image 2>/dev/null || true", NULL, NULL), "");
	if (geteuid() != 0) {
		shell(f, "mkdir store/d; echo x > store/d/secret; chmod 0 store/d/secret", NULL,
			NULL);
		link_fails(f, "image", "/store/d/secret", "Permission denied");
	}
}

static void a_shrinking_file_is_reported(void **state)
{
	/*
	 * A file of sysfs with a size of 4096 that yields fewer bytes stands for one that shrinks.
	 * Blocks of 4096 bytes make it a large file.
	 */
	static const char file[] = "/sys/kernel/mm/transparent_hugepage/enabled";
	struct fixture *f = *state;
	struct stat st;
	if (stat(file, &st) != 0 || st.st_size != 4096) {
		print_message("skipped: no %s\n", file);
		skip();
	}
	for (uint32_t block = 4096; block <= 8192; block += 4096) {
		const struct store_path path = {.path = file, .name = "enabled", .nar_size = -1};
		const struct closure closure = {.v = &path, .n = 1};
		struct store_disk_request request = request_of(f, &closure, "image");
		request.block_size = block;
		struct store_disk_result result;
		assert_false(store_disk_link(f->diag, &request, &result));
		assert_said(
			f, "/sys/kernel/mm/transparent_hugepage/enabled changed while it was read");
	}
}

static void many_paths_need_few_descriptors(void **state)
{
	struct fixture *f = *state;
	shell(f,
		"mkdir store; cd store; i=0; while [ $i -lt 3000 ]; do echo $i > path-$i; i=$((i + "
		"1)); done",
		NULL, NULL);
	struct rlimit old, few;
	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	few.rlim_cur = 256;
	setrlimit(RLIMIT_NOFILE, &few);
	size_t cold = link_store(f, "cold"), warm = link_store(f, "warm");
	shell(f, "rm -r cache; mkdir away; mv store/path-?? away", NULL, NULL);
	link_store(f, "mixed");
	shell(f, "mv away/* store", NULL, NULL);
	size_t mixed = link_store(f, "mixed");
	setrlimit(RLIMIT_NOFILE, &old);
	assert_int_equal(cold, 3000);
	assert_int_equal(warm, 0);
	assert_int_equal(mixed, 90);
	assert_same_contents(f, scratch_path(f, "cold"), scratch_path(f, "warm"));
	assert_same_contents(f, scratch_path(f, "cold"), scratch_path(f, "mixed"));
	/* Small paths are stored side by side. */
	assert_in_range(contents(f, scratch_path(f, "cold")).n, 1, 3000 * 100);
	shell(f, "unsquashfs -q -n -d x cold >/dev/null; diff -r x store -x .links", NULL, NULL);
}

struct progress_seen {
	uint64_t done, total;
	unsigned calls;
};

static void progress_record(void *context, uint64_t done, uint64_t total)
{
	struct progress_seen *seen = context;
	assert_true(done >= seen->done && done <= total);
	*seen = (struct progress_seen){done, total, seen->calls + 1};
}

static void progress_goes_forward_to_the_end(void **state)
{
	struct fixture *f = *state;
	shell(f,
		"mkdir -p store/a store/b; head -c 3000000 /dev/urandom > store/a/big; seq 1000 > "
		"store/b/small; cp store/a/big store/c",
		NULL, NULL);
	const struct closure closure = closure_of(f);
	struct store_path paths[3];
	for (size_t i = 0; i < closure.n; i++) {
		paths[i] = closure.v[i];
		paths[i].nar_size = 2500000;
	}
	const struct closure sized = {.v = paths, .n = closure.n};
	for (int warm = 0; warm < 2; warm++) {
		struct progress_seen seen = {0};
		struct store_disk_request request = request_of(f, &sized, "image");
		request.progress = progress_record;
		request.progress_context = &seen;
		struct store_disk_result result;
		assert_ok(f, store_disk_link(f->diag, &request, &result));
		assert_int_equal(seen.done, 7500000);
		assert_int_equal(seen.total, 7500000);
		assert_true(seen.calls > (warm ? 2 : 20));
	}
}

/*
 * Every build writes the tables, even with a warm cache, so they are compressed at a low level; a
 * high level is meant for data, which is compressed once. Images without data are therefore equal
 * at all levels.
 */
static void tables_are_equal_at_all_high_levels(void **state)
{
	struct fixture *f = *state;
	shell(f,
		"mkdir -p store/tree; cd store/tree; for i in $(seq 400); do mkdir $i; ln -s "
		"../$i/target-$((i * i)) $i/a; : >$i/empty$i; done",
		NULL, NULL);
	const struct closure closure = closure_of(f);
	static const int levels[] = {3, 19};
	for (size_t i = 0; i < countof(levels); i++) {
		struct store_disk_request request =
			request_of(f, &closure, arena_printf(f->arena, "level%d", levels[i]));
		request.level = levels[i];
		link_disk(f, &request);
	}
	assert_same_contents(f, scratch_path(f, "level3"), scratch_path(f, "level19"));
}

static void an_emptied_cache_does_not_stop_a_build(void **state)
{
	struct fixture *f = *state;
	shell(f,
		"mkdir -p store; for i in 1 2 3 4 5 6; do head -c 2000000 /dev/urandom > "
		"store/r$i; done",
		NULL, NULL);
	link_store(f, "good");
	const struct closure closure = closure_of(f);
	for (int cold = 0; cold < 2; cold++) {
		if (cold)
			shell(f, "rm -rf cache", NULL, NULL);
		else
			link_store(f, "warm");
		pid_t pid = link_in_child(f, &closure, "image");
		for (int i = 0; i < 200; i++)
			shell(f, "rm -f cache/" SETTINGS "/* cache/tmp/*", NULL, NULL);
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
	}
}

static void equal_names_are_refused(void **state)
{
	struct fixture *f = *state;
	shell(f, "mkdir -p store; echo x > store/x", NULL, NULL);
	const struct closure one = closure_of(f);
	const struct store_path twice[] = {one.v[0], one.v[0]};
	const struct closure closure = {.v = twice, .n = countof(twice)};
	const struct store_disk_request request = request_of(f, &closure, "image");
	struct store_disk_result result;
	assert_false(store_disk_link(f->diag, &request, &result));
	assert_said(f, "two paths of the store disk are named \"x\"");
	shell(f, "mv store/x store/.links", NULL, NULL);
	link_fails(f, "image", "two paths of the store disk", ".links");
}

static void mksquashfs_has_other_compressors(void **state)
{
	static const char *const names[] = {"gzip", "lzo", "lz4", "xz", "zstd", "none"};
	struct fixture *f = *state;
	if (!have_program(f, "mksquashfs"))
		skip();
	shell(f, "mkdir -p store/only; seq 10000 > store/only/numbers", NULL, NULL);
	link_store(f, "linked");
	const struct closure closure = closure_of(f);
	setenv("SOURCE_DATE_EPOCH", "12345", 1);
	for (size_t i = 0; i < countof(names); i++) {
		struct store_disk_result result;
		static const char *const outputs[] = {"one", "two"};
		for (size_t k = 0; k < countof(outputs); k++) {
			struct store_disk_request request = request_of(f, &closure, outputs[k]);
			request.compression = names[i];
			request.jobs = 1 + (unsigned)k;
			assert_ok(f, store_disk_mksquashfs(f->diag, &request, &result));
		}
		assert_same_contents(f, scratch_path(f, "one"), scratch_path(f, "two"));
		assert_same_tree(f, "one", "linked");
	}
	unsetenv("SOURCE_DATE_EPOCH");
	struct store_disk_request request = request_of(f, &closure, "image");
	request.compression = "zip";
	struct store_disk_result result;
	assert_false(store_disk_mksquashfs(f->diag, &request, &result));
	assert_said(f, "does not support the compression \"zip\"");
	request.compression = "lz4";
	assert_false(store_disk_link(f->diag, &request, &result));
	assert_said(f, "not \"lz4\"");
	request.level = 3;
	assert_false(store_disk_mksquashfs(f->diag, &request, &result));
	assert_said(f, "lz4 has no compression levels");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(holds_every_oddity_at_any_block_size),
		TEST(the_kernel_reads_it),
		TEST(large_directories_and_files_fit),
		TEST(equal_stores_give_equal_bytes),
		TEST(equal_blocks_are_shared),
		TEST(damaged_objects_are_packed_again),
		TEST(rot_is_noticed_at_every_use),
		TEST(equal_hashes_are_not_equal_blocks),
		TEST(builds_may_run_at_the_same_time),
		TEST(a_killed_build_leaves_nothing_behind),
		TEST(a_cache_of_another_user_is_refused),
		TEST(a_full_disk_is_reported),
		TEST(unsupported_files_are_named),
		TEST(a_shrinking_file_is_reported),
		TEST(many_paths_need_few_descriptors),
		TEST(progress_goes_forward_to_the_end),
		TEST(tables_are_equal_at_all_high_levels),
		TEST(an_emptied_cache_does_not_stop_a_build),
		TEST(equal_names_are_refused),
		TEST(mksquashfs_has_other_compressors),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
