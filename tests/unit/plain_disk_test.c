/* SPDX-License-Identifier: MIT */
/* Erofs store disks without compression, checked by fsck.erofs and the kernel. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/store_fixture.h"

static struct store_disk_request plain_request(
	struct fixture *f, const struct closure *closure, const char *output)
{
	struct store_disk_request request = request_of(f, closure, output);
	request.cache_dir = NULL;
	request.compression = "none";
	return request;
}

static struct store_disk_result make(
	struct fixture *f, const struct closure *closure, const char *output, bool trusted)
{
	struct store_disk_request request = plain_request(f, closure, output);
	struct store_disk_result result;
	request.trusted = trusted;
	assert_ok(f, store_disk_plain_erofs(f->diag, &request, &result));
	assert_int_equal(result.packed, closure->n);
	struct stat st;
	assert_int_equal(stat(request.output, &st), 0);
	assert_int_equal(st.st_size, result.image_bytes);
	return result;
}

static bool can_mount(struct fixture *f)
{
	if (!is_root())
		return false;
	shell(f, "mkdir -p store/x; echo x > store/x/y", NULL, NULL);
	const struct closure closure = closure_of(f);
	make(f, &closure, "probe", false);
	shell(f, "rm -rf store", NULL, NULL);
	return kernel_mounts(f, "probe", "erofs");
}

static void fsck_finds_every_oddity(void **state)
{
	struct fixture *f = *state;
	if (!have_program(f, "fsck.erofs"))
		skip();
	make_erofs_oddities(f);
	const struct closure closure = closure_of(f);
	const struct store_disk_result result = make(f, &closure, "image", false);
	shell(f, extract_erofs, "image", NULL);
	assert_int_equal(
		result.inodes, atoi(shell(f, "find store -printf x | wc -c", NULL, NULL)) + 1);
}

static void the_kernel_reads_it(void **state)
{
	struct fixture *f = *state;
	if (!can_mount(f))
		skip();
	make_erofs_oddities(f);
	const struct closure closure = closure_of(f);
	make(f, &closure, "image", false);
	with_mount(f, "image",
		"diff -r --no-dereference -x .links store m\n"
		"test \"$(stat -c %a:%u:%g m)\" = 1775:0:30000\n"
		"test -z \"$(find m -mindepth 1 -perm /7000)\"");
}

/* A guest that maps the disk sees whole pages. */
static void files_fill_whole_pages(void **state)
{
	struct fixture *f = *state;
	shell(f,
		"mkdir -p store/a; cd store/a; yes abcdefg | head -c 5000 >five; printf 1 >one; "
		"yes hijklmn | head -c 8192 >two",
		NULL, NULL);
	const struct closure closure = closure_of(f);
	make(f, &closure, "image", false);
	/* In the order of their names: after the first block come five, one and two. */
	shell(f,
		"{ cat store/a/five; head -c 3192 /dev/zero; cat store/a/one; head -c 4095 "
		"/dev/zero; cat store/a/two; } >wanted\n"
		"dd if=image bs=4096 skip=1 count=5 status=none | cmp - wanted",
		NULL, NULL);
}

static void equal_files_are_stored_once(void **state)
{
	struct fixture *f = *state;
	shell(f,
		"mkdir -p store/a store/b; head -c 1000000 /dev/urandom >store/a/one; cp "
		"store/a/one "
		"store/b/copy; ln store/a/one store/b/hard\n"
		/* the last page is equal, the rest is not */
		"cp store/a/one store/b/other; printf x | dd of=store/b/other conv=notrunc "
		"status=none",
		NULL, NULL);
	const struct closure closure = closure_of(f);
	int64_t stored[2];
	struct store_disk_request request = plain_request(f, &closure, "image");
	struct store_disk_result result;
	request.stored = stored;
	assert_ok(f, store_disk_plain_erofs(f->diag, &request, &result));
	const int64_t pages = 245 * 4096; /* of 1000000 bytes */
	assert_int_equal(stored[0], pages);
	assert_int_equal(stored[1], pages);
	assert_int_equal(result.content_bytes, 4000000);
	assert_in_range(result.image_bytes, 2000000, 2030000);
}

/* They are compared while the image may still end before them. */
static void equal_files_with_holes_are_stored_once(void **state)
{
	struct fixture *f = *state;
	shell(f,
		"mkdir -p store/a; cd store/a\n"
		"for i in 1 2 3 4 5 6 7 8 9; do truncate -s ${i}M $i.a; echo $i >>$i.a; cp "
		"--sparse=always $i.a $i.b; done",
		NULL, NULL);
	const struct closure closure = closure_of(f);
	const struct store_disk_result result = make(f, &closure, "image", false);
	assert_in_range(result.image_bytes, 45 << 20, 46 << 20);
}

static void full_disks_are_reported(void **state)
{
	struct fixture *f = *state;
	struct rlimit before;
	shell(f, "mkdir -p store/a; yes abc | head -c 200000 >store/a/a; cp store/a/a store/a/b",
		NULL, NULL);
	const struct closure closure = closure_of(f);
	const struct store_disk_request request = plain_request(f, &closure, "image");
	struct store_disk_result result;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){100000, before.rlim_max}), 0);
	const bool made = store_disk_plain_erofs(f->diag, &request, &result);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_false(made);
	assert_said(f, "cannot write");
	assert_false(path_exists(request.output));
}

/* Neither read nor written, which would take minutes. */
static void holes_stay_holes(void **state)
{
	struct fixture *f = *state;
	if (!can_mount(f))
		skip();
	shell(f,
		"mkdir -p store/a; cd store/a; truncate -s 4800000000 sparse; printf end >>sparse; "
		"printf mid | dd of=sparse bs=1 seek=2200000001 conv=notrunc status=none; truncate "
		"-s 5000000000 empty",
		NULL, NULL);
	const struct closure closure = closure_of(f);
	make(f, &closure, "image", true);
	with_mount(f, "image",
		"test $(stat -c %s m/a/sparse) = 4800000003; test \"$(tail -c 3 m/a/sparse)\" = "
		"end\n"
		"test \"$(dd if=m/a/sparse bs=1 skip=2200000001 count=3 status=none)\" = mid\n"
		"test $(stat -c %s m/a/empty) = 5000000000\n"
		"test $(stat -c %b image) -lt 10000 # blocks of 512 bytes");
}

static void modified_paths_are_found(void **state)
{
	struct fixture *f = *state;
	shell(f, "mkdir -p store/a; yes abc | head -c 20000 >store/a/file", NULL, NULL);
	const struct closure closure = registered_closure(f);
	make(f, &closure, "image", false);
	shell(f, "printf x | dd of=store/a/file conv=notrunc status=none", NULL, NULL);
	struct store_disk_request request = plain_request(f, &closure, "image");
	struct store_disk_result result;
	assert_false(store_disk_plain_erofs(f->diag, &request, &result));
	assert_said(f, "/store/a was modified");
	assert_false(path_exists(request.output));
	make(f, &closure, "image", true);
}

static void unreadable_files_are_named(void **state)
{
	struct fixture *f = *state;
	shell(f, "mkdir -p store/a; mkfifo store/a/pipe", NULL, NULL);
	const struct closure closure = closure_of(f);
	const struct store_disk_request request = plain_request(f, &closure, "image");
	struct store_disk_result result;
	assert_false(store_disk_plain_erofs(f->diag, &request, &result));
	assert_said(f, "store/a/pipe is not a regular file");
	assert_false(path_exists(request.output));
}

/* Mounts a new file system that shares blocks at scratch/shared. */
static bool have_shared_blocks(struct fixture *f, const char *mkfs)
{
	const struct process_result result = shell_try(f,
		"truncate -s 400M disk && $1 disk >/dev/null 2>&1 && mkdir -p shared && "
		"mount -o loop disk shared",
		mkfs, NULL);
	if (result.exit_status)
		print_message("skipped: cannot make or mount a file system with %s here\n", mkfs);
	return result.exit_status == 0;
}

static void check_shared(struct fixture *f, uint64_t *shared_bytes)
{
	const struct closure closure = registered_closure(f);
	const struct store_disk_result trusted = make(f, &closure, "shared/trusted", true);
	make(f, &closure, "shared/verified", false);
	assert_same_contents(f, scratch_path(f, "plain"), scratch_path(f, "shared/trusted"));
	assert_same_contents(f, scratch_path(f, "plain"), scratch_path(f, "shared/verified"));
	*shared_bytes = trusted.shared_bytes;
}

static void shared_blocks_give_the_same_bytes(void **state)
{
	static const char *const mkfs[] = {"mkfs.xfs -q", "mkfs.btrfs -q"};
	struct fixture *f = *state;
	bool any = false;
	if (!is_root())
		skip();
	make_erofs_oddities(f);
	/* XFS's links are shorter. */
	shell(f, "rm store/a-tree/sub/long-link", NULL, NULL);
	shell(f, "truncate -s 50M store/a-tree/hole; echo end >>store/a-tree/hole", NULL, NULL);
	const struct closure closure = registered_closure(f);
	make(f, &closure, "plain", true);
	for (size_t i = 0; i < countof(mkfs); i++) {
		uint64_t shared_bytes;
		if (!have_shared_blocks(f, mkfs[i]))
			continue;
		any = true;
		shell(f, "cp -a store shared/; mv store kept; ln -s shared/store store", NULL,
			NULL);
		check_shared(f, &shared_bytes);
		shell(f, "rm store; mv kept store; umount shared; rm disk", NULL, NULL);
		assert_true(shared_bytes > 5000000);
	}
	if (!any)
		skip();
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	shell_try(f, "if mountpoint -q shared; then umount shared; fi", NULL, NULL);
	return fixture_teardown(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(fsck_finds_every_oddity),
		TEST(the_kernel_reads_it),
		TEST(files_fill_whole_pages),
		TEST(equal_files_are_stored_once),
		TEST(equal_files_with_holes_are_stored_once),
		TEST(full_disks_are_reported),
		TEST(holes_stay_holes),
		TEST(modified_paths_are_found),
		TEST(unreadable_files_are_named),
		TEST(shared_blocks_give_the_same_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
