/* SPDX-License-Identifier: MIT */
/*
 * The object cache: small objects in bundles, and caches that others fill. The images must be equal
 * whatever happened to the cache.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "imaging/cache/cache.h"
#include "tests/unit/store_fixture.h"

#define SETTINGS "squashfs-*-zstd-*-3-131072"

struct linked {
	size_t packed, reused;
};

static struct linked link_with(
	struct fixture *f, const char *output, const struct cache_sharing *sharing)
{
	const struct closure closure = closure_of(f);
	struct store_disk_request request = request_of(f, &closure, output);
	request.sharing = sharing;
	struct store_disk_result result;
	assert_ok(f, store_disk_link(f->diag, &request, &result));
	assert_int_equal(result.packed + result.reused, closure.n);
	return (struct linked){result.packed, result.reused};
}

static size_t link_store(struct fixture *f, const char *output)
{
	return link_with(f, output, NULL).packed;
}

static bool link_is_refused(struct fixture *f, const struct cache_sharing *sharing)
{
	const struct closure closure = closure_of(f);
	struct store_disk_request request = request_of(f, &closure, "refused");
	request.sharing = sharing;
	struct store_disk_result result;
	return !store_disk_link(f->diag, &request, &result);
}

/* 40 small paths (files, links and directories, smaller and larger than a page) and a large one. */
static const char small_store[] = "mkdir -p store; cd store\n"
				  "i=0; while [ $i -lt 40 ]; do case $((i % 4)) in\n"
				  "0) echo unit $i > $i-unit;; 1) mkdir $i-tree; echo $i > "
				  "$i-tree/file; ln -s file $i-tree/link;;\n"
				  "2) head -c $((3500 + i * 80)) /dev/urandom > $i-page;; 3) ln -s "
				  "/nowhere/$i $i-link;; esac; i=$((i + 1)); done\n"
				  "head -c 100000 /dev/urandom > large\n";

static long count(struct fixture *f, const char *find)
{
	return strtol(
		shell(f, arena_printf(f->arena, "find %s | wc -l", find), NULL, NULL), NULL, 10);
}

static void small_objects_share_a_file(void **state)
{
	struct fixture *f = *state;
	shell(f, small_store, NULL, NULL);
	assert_int_equal(link_store(f, "cold"), 41);
	assert_int_equal(count(f, "cache/" SETTINGS " -type f ! -path '*/.bundles/*'"), 1);
	assert_int_equal(count(f, "cache/" SETTINGS "/.bundles -type f"), 1);
	assert_int_equal(count(f, "cache/tmp -type f"), 0);
	assert_int_equal(link_store(f, "warm"), 0);
	assert_same_contents(f, scratch_path(f, "cold"), scratch_path(f, "warm"));
	shell(f,
		"unsquashfs -q -n -d x warm >/dev/null; diff -r --no-dereference x store -x .links",
		NULL, NULL);
	const struct closure closure = closure_of(f);
	int64_t stored[41];
	memset(stored, 0xff, sizeof stored);
	struct store_disk_request request = request_of(f, &closure, "peek");
	request.stored = stored;
	store_disk_peek(&request);
	for (size_t i = 0; i < countof(stored); i++)
		assert_true(stored[i] >= 0);
}

static void any_wrong_byte_is_healed(void **state)
{
	struct fixture *f = *state;
	shell(f, small_store, NULL, NULL);
	link_store(f, "good");
	shell(f, "cp -a cache pristine", NULL, NULL);
	const char *bundle = shell(f, "printf %s cache/" SETTINGS "/.bundles/*", NULL, NULL);
	const struct bytes whole = contents(f, scratch_path(f, bundle));
	size_t packed = 0;
	for (size_t at = 0; at < whole.n; at += at < 64 || at > whole.n - 3000 ? 29 : 1499) {
		shell(f, "rm -rf cache; cp -a pristine cache", NULL, NULL);
		const char wrong = (char)(whole.p[at] ^ 0x20);
		FD_CLEANUP int fd = open(scratch_path(f, bundle), O_RDWR);
		assert_true(fd_write_all(fd, &wrong, 1, (off_t)at));
		packed += link_store(f, "image");
		assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
		assert_int_equal(link_store(f, "image"), 0);
		assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
	}
	assert_in_range(packed, 40, whole.n);
	for (size_t length = 0; length < whole.n; length += whole.n / 7) {
		shell(f, "rm -rf cache; cp -a pristine cache", NULL, NULL);
		assert_int_equal(truncate(scratch_path(f, bundle), (off_t)length), 0);
		assert_int_equal(link_store(f, "image"), 40);
		assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
	}
}

static void many_bundles_become_few(void **state)
{
	struct fixture *f = *state;
	shell(f, "mkdir store", NULL, NULL);
	for (int i = 0; i < 30; i++) {
		shell(f, arena_printf(f->arena, "echo %d > store/path-%d", i, i), NULL, NULL);
		assert_int_equal(link_store(f, "image"), 1);
	}
	assert_in_range(count(f, "cache/" SETTINGS "/.bundles -type f"), 1, 8);
	assert_int_equal(link_store(f, "warm"), 0);
	assert_same_contents(f, scratch_path(f, "image"), scratch_path(f, "warm"));
}

/*
 * A foreign file of any kind at any place in the cache: the build creates the same image and
 * reports the file, and the next build finds the cache in order.
 */
static void obstacles_are_reported_and_removed(void **state)
{
	static const char *const places[] = {"lock", "tmp", SETTINGS, SETTINGS "/.bundles",
		SETTINGS "/.bundles/*", SETTINGS "/large"};
	static const char *const things[] = {"mkdir $P",
		"mkdir -p $P/mine; echo precious > $P/mine/file", "mkfifo $P", "ln -s nowhere $P",
		"echo precious > $P", ": > $P", "mknod $P c 1 3"};
	struct fixture *f = *state;
	shell(f, small_store, NULL, NULL);
	link_store(f, "good");
	shell(f, "cp -a cache pristine", NULL, NULL);
	for (size_t i = 0; i < countof(places); i++)
		for (size_t j = 0; j + !is_root() < countof(things); j++) {
			shell(f,
				arena_printf(f->arena,
					"rm -rf cache; cp -a pristine cache; P=$(echo cache/%s); "
					"rm -rf $P; %s",
					places[i], things[j]),
				NULL, NULL);
			link_store(f, "image");
			assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
			assert_int_equal(link_store(f, "image"), 0);
			assert_int_equal(
				count(f, "cache/tmp -type f"), strstr(things[j], "mine") && i == 1);
			/*
			 * Files that may be the user's are kept somewhere in the cache, except
			 * where they look like a damaged file of the cache. No file of the cache
			 * itself contains this line.
			 */
			const bool kept = strstr(things[j], "precious") &&
				(strstr(things[j], "mine") || i == 1 || i == 2 || i == 3);
			if (kept)
				shell(f, "grep -rqx precious cache", NULL, NULL);
			assert_int_equal(count(f,
						 "cache/lock cache/tmp cache/" SETTINGS
						 " cache/" SETTINGS "/.bundles -maxdepth 0"),
				4);
		}
	assert_said(f, "/large is not a regular file: its store path is packed again");
}

static void somebodys_files_in_tmp_stay(void **state)
{
	struct fixture *f = *state;
	shell(f, small_store, NULL, NULL);
	shell(f,
		"mkdir -p -m 700 cache cache/tmp; for n in notes 12 12-34-56 uses- bundle-x .x "
		"12-a; do echo precious > cache/tmp/$n; done\n"
		"for n in 12-34 uses-12-0 bundle-1-1; do echo litter > cache/tmp/$n; done",
		NULL, NULL);
	link_store(f, "image");
	assert_int_equal(count(f, "cache/tmp -type f"), 7);
	shell(f, "! grep -r litter cache/tmp", NULL, NULL);
}

static void damage_is_reported_and_repaired(void **state)
{
	struct fixture *f = *state;
	shell(f, small_store, NULL, NULL);
	link_store(f, "good");
	const char *bundle =
		scratch_path(f, shell(f, "printf %s cache/" SETTINGS "/.bundles/*", NULL, NULL));
	flip_bit(bundle, 300);
	assert_int_equal(link_store(f, "image"), 1);
	assert_said(f,
		arena_printf(f->arena, "%s: 0-unit was damaged: its store path is packed again",
			bundle));
	assert_false(path_exists(bundle)); /* its intact objects were copied to a new bundle */
	assert_int_equal(link_store(f, "image"), 0);
	shell(f, "truncate -s -1 $(echo cache/" SETTINGS "/.bundles/*)", NULL, NULL);
	link_store(f, "image");
	assert_said(f, " was damaged: the small store paths in it are packed again");
	assert_int_equal(link_store(f, "image"), 0);
	assert_string_equal(messages(f), "");
	assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
}

/* Sets a day of use in the bundle to long ago. A build that uses the object updates it. */
static void use_is_recorded_once_a_day(void **state)
{
	struct fixture *f = *state;
	shell(f, small_store, NULL, NULL);
	link_store(f, "good");
	const char *bundle =
		scratch_path(f, shell(f, "printf %s cache/" SETTINGS "/.bundles/*", NULL, NULL));
	const struct bytes before = contents(f, bundle);
	shell(f,
		"printf '\\1\\0\\0\\0' | dd of=\"$1\" bs=1 seek=$(($(stat -c %s \"$1\") - 4)) "
		"conv=notrunc status=none",
		bundle, NULL);
	link_store(f, "image");
	const struct bytes after = contents(f, bundle);
	assert_int_equal(before.n, after.n);
	assert_memory_equal(before.p, after.p, before.n);
	/* A large object's day of use is its file's modification time. */
	shell(f, "touch -d 2001-01-01 cache/" SETTINGS "/large", NULL, NULL);
	link_store(f, "image");
	assert_int_equal(count(f, "cache/" SETTINGS "/large -newermt 2001-01-02"), 1);
}

static void a_build_may_be_killed_at_any_moment(void **state)
{
	struct fixture *f = *state;
	shell(f,
		"mkdir -p store; cd store; i=0; while [ $i -lt 3000 ]; do echo $i > path-$i; "
		"i=$((i + 1)); done",
		NULL, NULL);
	const struct closure closure = closure_of(f);
	link_store(f, "good");
	for (long milliseconds = 1; milliseconds < 100; milliseconds += 9) {
		if (milliseconds % 3 == 0)
			shell(f, "rm -rf cache", NULL, NULL);
		else
			shell(f, "for b in cache/*/.bundles/*; do rm \"$b\"; break; done", NULL,
				NULL);
		pid_t pid = fork();
		if (pid == 0) {
			const struct store_disk_request request = request_of(f, &closure, "killed");
			struct store_disk_result result;
			_exit(store_disk_link(f->diag, &request, &result) ? 0 : 1);
		}
		nanosleep(&(struct timespec){.tv_nsec = milliseconds * 1000000}, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		link_store(f, "image");
		assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
		assert_int_equal(link_store(f, "image"), 0);
		assert_int_equal(count(f, "cache/tmp -type f"), 0);
	}
}

/* ---- caches that others fill ---- */

/* Moves the cache of the small store to `theirs`, which `sharing` reads. */
static void share(struct fixture *f, struct cache_sharing *sharing, const char *const *directories)
{
	shell(f, small_store, NULL, NULL);
	link_store(f, "good");
	shell(f, "mv cache theirs", NULL, NULL);
	*sharing = (struct cache_sharing){.directories = directories, .n = 1};
}

static void a_shared_cache_is_read_and_never_written(void **state)
{
	struct fixture *f = *state;
	struct cache_sharing sharing;
	const char *const directories[] = {scratch_path(f, "theirs")};
	static const char listing[] = "find theirs -printf '%p %m %s %T@ %C@ %n\\n' | sort";
	share(f, &sharing, directories);
	shell(f, "touch -d 2001-01-01 theirs/*/large", NULL, NULL);
	const char *before = shell(f, listing, NULL, NULL);
	struct linked linked = link_with(f, "image", &sharing);
	assert_int_equal(linked.reused, 41);
	assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
	assert_int_equal(count(f, "cache -type f -size +0"), 0);
	shell(f, "echo new > store/new", NULL, NULL);
	linked = link_with(f, "image", &sharing);
	assert_int_equal(linked.packed, 1);
	assert_string_equal(before, shell(f, listing, NULL, NULL));
	/* Without a writable cache. */
	const struct closure closure = closure_of(f);
	struct store_disk_request request = request_of(f, &closure, "other");
	request.sharing = &sharing;
	request.cache_dir = NULL;
	struct store_disk_result result;
	assert_ok(f, store_disk_link(f->diag, &request, &result));
	assert_int_equal(result.packed, 1);
	assert_same_contents(f, scratch_path(f, "image"), scratch_path(f, "other"));
	shell(f, "mkdir empty", NULL, NULL);
	const char *const empty[] = {scratch_path(f, "empty")},
			  *const missing[] = {scratch_path(f, "missing")};
	assert_false(link_is_refused(f, &(struct cache_sharing){.directories = empty, .n = 1}));
	assert_true(link_is_refused(f, &(struct cache_sharing){.directories = missing, .n = 1}));
	assert_said(f, "/missing: No such file or directory");
}

static void damage_in_a_shared_cache_is_healed(void **state)
{
	struct fixture *f = *state;
	struct cache_sharing sharing;
	const char *const directories[] = {scratch_path(f, "theirs")};
	share(f, &sharing, directories);
	shell(f,
		"printf xx | dd of=$(echo theirs/*/large) bs=1 seek=50000 conv=notrunc "
		"status=none; chmod 444 theirs/*/large\n"
		"printf xx | dd of=$(echo theirs/*/.bundles/*) bs=1 seek=300 conv=notrunc "
		"status=none",
		NULL, NULL);
	struct linked linked = link_with(f, "image", &sharing);
	assert_int_equal(linked.packed, 2);
	assert_said(f, "/large was damaged: its store path is packed again");
	assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
	linked = link_with(f, "image", &sharing);
	assert_int_equal(linked.packed, 0);
	assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
}

static void a_shared_cache_replaces_damaged_objects(void **state)
{
	struct fixture *f = *state;
	struct cache_sharing sharing;
	const char *const directories[] = {scratch_path(f, "theirs")};
	share(f, &sharing, directories);
	shell(f, "cp -a theirs cache", NULL, NULL);
	flip_bit(
		scratch_path(f, shell(f, "printf %s cache/" SETTINGS "/large", NULL, NULL)), 50000);
	flip_bit(scratch_path(f, shell(f, "printf %s cache/" SETTINGS "/.bundles/*", NULL, NULL)),
		300);
	assert_int_equal(link_with(f, "image", &sharing).packed, 0);
	assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
	const char *said = messages(f);
	assert_non_null(strstr(said, "/large was damaged: another cache has its store path"));
	assert_non_null(strstr(said, ": 0-unit was damaged: another cache has its store path"));
	assert_int_equal(link_with(f, "image", &sharing).packed, 0);
	assert_string_equal(messages(f), "");
}

static void another_build_of_a_path_is_not_used(void **state)
{
	struct fixture *f = *state;
	const char *const directories[] = {scratch_path(f, "theirs")};
	const struct cache_sharing sharing = {.directories = directories, .n = 1};
	shell(f, "mkdir store; echo poison > store/p", NULL, NULL);
	for (int i = 0; i < 2; i++) {
		const struct closure closure = registered_closure(f);
		struct store_disk_request request = request_of(f, &closure, "image");
		request.sharing = i ? &sharing : NULL;
		struct store_disk_result result;
		assert_ok(f, store_disk_link(f->diag, &request, &result));
		assert_int_equal(result.packed, 1);
		if (!i)
			shell(f, "mv cache theirs; echo right > store/p", NULL, NULL);
	}
	assert_string_equal(shell(f, "unsquashfs -cat image p", NULL, NULL), "right\n");
}

static void caches_writable_by_others_are_refused(void **state)
{
	struct fixture *f = *state;
	struct cache_sharing sharing;
	const char *const directories[] = {scratch_path(f, "theirs")};
	share(f, &sharing, directories);
	static const char *const wide[] = {"theirs", "theirs/*-*", "theirs/*-*/.bundles"};
	for (size_t i = 0; i < countof(wide); i++) {
		shell(f, arena_printf(f->arena, "chmod g+w %s", wide[i]), NULL, NULL);
		assert_true(link_is_refused(f, &sharing));
		assert_said(f, "is writable by others");
		shell(f, arena_printf(f->arena, "chmod g-w %s", wide[i]), NULL, NULL);
	}
	/* Files that others can write to are ignored. */
	shell(f, "chmod 666 theirs/*/large theirs/*/.bundles/*", NULL, NULL);
	assert_int_equal(link_with(f, "image", &sharing).packed, 41);
	if (!is_root())
		skip();
	shell(f,
		"rm -rf cache; chmod 644 theirs/*/large theirs/*/.bundles/*; chown 12345 "
		"theirs/*/large",
		NULL, NULL);
	assert_int_equal(link_with(f, "image", &sharing).packed, 1);
	shell(f, "rm -rf cache; chown -R 12345 theirs", NULL, NULL);
	assert_true(link_is_refused(f, &sharing));
	assert_said(f, "--cache-owner 12345");
	static const uid_t owners[] = {12345};
	sharing.owners = (struct cache_owners){.v = owners, .n = 1};
	assert_int_equal(link_with(f, "image", &sharing).packed, 0);
	assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
}

/* In the sandbox of a Nix build, root's files seem to belong to nobody. */
static void anyones_cache_in_the_store_of_a_nix_build_is_read(void **state)
{
	struct fixture *f = *state;
	struct cache_sharing sharing;
	const char *const directories[] = {scratch_path(f, "nix/theirs")};
	share(f, &sharing, directories);
	if (!is_root())
		skip();
	shell(f, "mkdir nix nix2; mv theirs nix; chown -R 12345 nix", NULL, NULL);
	assert_true(link_is_refused(f, &sharing));
	setenv("NIX_STORE", scratch_path(f, "nix2"), 1);
	assert_true(link_is_refused(f, &sharing));
	setenv("NIX_STORE", scratch_path(f, "nix"), 1);
	assert_int_equal(link_with(f, "image", &sharing).packed, 0);
	unsetenv("NIX_STORE");
	assert_same_contents(f, scratch_path(f, "good"), scratch_path(f, "image"));
}

static void a_cache_in_the_store_of_a_nix_build_records_no_day(void **state)
{
	struct fixture *f = *state;
	shell(f, small_store, NULL, NULL);
	setenv("NIX_STORE", scratch_path(f, "."), 1);
	link_store(f, "image");
	unsetenv("NIX_STORE");
	const char *bundle = shell(f, "printf %s cache/" SETTINGS "/.bundles/*", NULL, NULL);
	const struct bytes whole = contents(f, scratch_path(f, bundle));
	static const uint32_t none[40];
	assert_memory_equal(whole.p + whole.n - sizeof none, none, sizeof none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(small_objects_share_a_file),
		TEST(any_wrong_byte_is_healed),
		TEST(obstacles_are_reported_and_removed),
		TEST(somebodys_files_in_tmp_stay),
		TEST(damage_is_reported_and_repaired),
		TEST(many_bundles_become_few),
		TEST(use_is_recorded_once_a_day),
		TEST(a_build_may_be_killed_at_any_moment),
		TEST(a_shared_cache_is_read_and_never_written),
		TEST(damage_in_a_shared_cache_is_healed),
		TEST(a_shared_cache_replaces_damaged_objects),
		TEST(another_build_of_a_path_is_not_used),
		TEST(caches_writable_by_others_are_refused),
		TEST(anyones_cache_in_the_store_of_a_nix_build_is_read),
		TEST(a_cache_in_the_store_of_a_nix_build_records_no_day),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
