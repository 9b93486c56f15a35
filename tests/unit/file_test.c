/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "base/buf.h"
#include "base/interrupts.h"
#include "base/own.h"
#include "base/staging.h"
#include "tests/unit/fixture.h"

/* The names in the scratch directory's `out`, including hidden ones, one per line. */
static const char *listed(struct fixture *f)
{
	return shell(f, "ls -A out", NULL, NULL);
}

static const char *in_out(struct fixture *f, const char *name)
{
	assert_ok(f, directory_make(f->diag, scratch_path(f, "out"), 0755));
	return path_join(f->arena, scratch_path(f, "out"), name);
}

static void put(struct fixture *f, const char *directory, const char *name, const char *text)
{
	assert_ok(f,
		file_write(
			f->diag, path_join(f->arena, directory, name), text, strlen(text), 0644));
}

static void publish(struct fixture *f, const char *target, const char *name)
{
	struct staging staging;
	assert_ok(f, staging_begin(f->arena, f->diag, target, &staging));
	put(f, staging.directory, name, name);
	assert_ok(f, staging_publish(f->diag, &staging));
	staging_abandon(&staging);
}

/* ---- staging ---- */

static void publishes_over_whatever_is_there(void **state)
{
	struct fixture *f = *state;
	const char *target = in_out(f, "result");
	publish(f, target, "one");
	assert_string_equal(shell(f, "ls -A out out/result; stat -c %a out/result", NULL, NULL),
		"out:\nresult\n\nout/result:\none\n755\n");
	shell(f, "mkdir out/result/sealed; touch out/result/sealed/x; chmod 555 out/result/sealed",
		NULL, NULL);
	publish(f, target, "two");
	assert_string_equal(
		shell(f, "ls -A out out/result", NULL, NULL), "out:\nresult\n\nout/result:\ntwo\n");
	shell(f, "mkdir kept; touch kept/file; rm -r out/result; ln -s ../kept out/result", NULL,
		NULL);
	publish(f, target, "three");
	assert_string_equal(shell(f, "ls -A out out/result kept", NULL, NULL),
		"kept:\nfile\n\nout:\nresult\n\nout/result:\nthree\n");
	shell(f, "rm -r out/result; ln -s nowhere out/result", NULL, NULL);
	publish(f, arena_printf(f->arena, "%s//", target), "four");
	assert_string_equal(shell(f, "ls -A out out/result", NULL, NULL),
		"out:\nresult\n\nout/result:\nfour\n");
}

static void an_abandoned_build_leaves_the_old(void **state)
{
	struct fixture *f = *state;
	const char *target = in_out(f, "result");
	publish(f, target, "old");
	struct staging staging;
	assert_ok(f, staging_begin(f->arena, f->diag, target, &staging));
	put(f, staging.directory, "new", "new");
	staging_abandon(&staging);
	staging_abandon(&staging);
	assert_string_equal(
		shell(f, "ls -A out out/result", NULL, NULL), "out:\nresult\n\nout/result:\nold\n");
	assert_false(staging_begin(f->arena, f->diag, scratch_path(f, "no/such/place"), &staging));
	assert_said(f, "no/such: No such file or directory");
	staging_abandon(&staging);
}

static void publishes_in_the_working_directory(void **state)
{
	struct fixture *f = *state;
	char *here = getcwd(NULL, 0);
	assert_int_equal(chdir(f->scratch), 0);
	publish(f, "result", "one");
	assert_int_equal(chdir(here), 0);
	free(here);
	assert_string_equal(shell(f, "ls -A . result", NULL, NULL), ".:\nresult\n\nresult:\none\n");
}

/* Runs `work` in a child, which exits with the returned status. */
static pid_t in_child(struct fixture *f, int (*work)(struct fixture *f))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(work(f));
	return pid;
}

static int status_of(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static int begin_and_die(struct fixture *f)
{
	struct staging staging;
	if (staging_begin(f->arena, f->diag, in_out(f, "result"), &staging))
		raise(SIGKILL);
	return 1;
}

static void directories_of_killed_builds_are_removed(void **state)
{
	struct fixture *f = *state;
	const char *target = in_out(f, "result");
	struct staging alive, other;
	/*
	 * These must not be removed: a build in progress, another target's staging directory, and
	 * files that only resemble ours.
	 */
	assert_ok(f, staging_begin(f->arena, f->diag, target, &alive));
	assert_ok(f, staging_begin(f->arena, f->diag, in_out(f, "result2"), &other));
	shell(f, "mkdir out/.result.mvmbuild-mine-is-longer; touch out/.result.mvmbuild-abcdef",
		NULL, NULL);
	for (int i = 0; i < 3; i++)
		assert_int_equal(status_of(in_child(f, begin_and_die)), 128 + SIGKILL);
	/* Each child removed its predecessor's directory; the last one is left. */
	assert_string_equal(shell(f, "ls -A out | wc -l", NULL, NULL), "5\n");
	publish(f, target, "done");
	assert_string_equal(shell(f, "ls -A out | wc -l", NULL, NULL), "5\n");
	assert_true(path_is_directory(alive.directory));
	assert_true(path_is_directory(other.directory));
	staging_abandon(&alive);
	staging_abandon(&other);
	assert_string_equal(
		listed(f), ".result.mvmbuild-abcdef\n.result.mvmbuild-mine-is-longer\nresult\n");
}

static int build_often(struct fixture *f)
{
	for (int i = 0; i < 40; i++) {
		struct staging staging;
		const char *me = arena_printf(f->arena, "%d.%d", (int)getpid(), i), *file = NULL;
		bool ok = staging_begin(f->arena, f->diag, in_out(f, "result"), &staging);
		file = ok ? path_join(f->arena, staging.directory, "builder") : NULL;
		ok = ok && file_write(f->diag, file, me, strlen(me), 0644) &&
			staging_publish(f->diag, &staging);
		if (!ok) {
			fprintf(stderr, "%s", messages(f));
			return 1;
		}
	}
	return 0;
}

static void many_builders_may_run_at_once(void **state)
{
	struct fixture *f = *state;
	pid_t builders[6];
	in_out(f, "");
	for (size_t i = 0; i < countof(builders); i++)
		builders[i] = in_child(f, build_often);
	int failed = 0;
	for (size_t i = 0; i < countof(builders); i++)
		failed += status_of(builders[i]) != 0;
	assert_int_equal(failed, 0);
	assert_string_equal(listed(f), "result\n");
	assert_string_equal(shell(f, "ls -A out/result", NULL, NULL), "builder\n");
}

static int build_until_terminated(struct fixture *f)
{
	struct staging staging;
	interrupts_handle();
	shell(f, "mkdir -p dirs/empty dirs/full/file", NULL, NULL);
	interrupts_remove_empty(scratch_path(f, "dirs"));
	interrupts_remove_empty(scratch_path(f, "dirs/empty"));
	interrupts_remove_empty(scratch_path(f, "dirs/full"));
	if (freopen("/dev/null", "w", stderr) &&
		staging_begin(f->arena, f->diag, in_out(f, "result"), &staging) &&
		file_write(f->diag, path_join(f->arena, staging.directory, "half"), "x", 1, 0644) &&
		kill(getpid(), SIGTERM) == 0)
		sleep(20);
	return 1;
}

static void an_interrupted_build_leaves_the_old(void **state)
{
	struct fixture *f = *state;
	publish(f, in_out(f, "result"), "old");
	assert_int_equal(status_of(in_child(f, build_until_terminated)), STATUS_INTERRUPTED);
	assert_string_equal(
		shell(f, "ls -A out out/result", NULL, NULL), "out:\nresult\n\nout/result:\nold\n");
	assert_string_equal(shell(f, "ls dirs", NULL, NULL), "full\n");
}

/* ---- own and foreign files ---- */

static void make_listed(
	struct fixture *f, const char *target, const char *name, struct staging *staging)
{
	assert_ok(f, staging_begin(f->arena, f->diag, target, staging));
	staging->listed = true;
	put(f, staging->directory, name, name);
}

static void foreign_files_stay(void **state)
{
	struct fixture *f = *state;
	struct staging staging;
	const char *target = in_out(f, "result");
	make_listed(f, target, "one", &staging);
	assert_ok(f, staging_publish(f->diag, &staging));
	assert_string_equal(
		shell(f, "cat out/result/" OWN_LIST, NULL, NULL), "one\nshare/mvmbuild/files\n");
	assert_true(staging_may_replace(f->arena, f->diag, target, "result", "one"));
	make_listed(f, target, "two", &staging);
	put(f, target, "volume", "precious"); /* appears while the new one is being built */
	assert_false(staging_publish(f->diag, &staging));
	assert_non_null(strstr(messages(f), "result has the file volume, which was not built"));
	assert_string_equal(shell(f, "ls -A out out/result; cat out/result/volume", NULL, NULL),
		"out:\nresult\n\nout/result:\none\nshare\nvolume\nprecious");
	assert_false(staging_may_replace(f->arena, f->diag, target, "result", "one"));
	assert_false(own_remove(target));
	assert_string_equal(shell(f, "cd out/result && find . -type f", NULL, NULL), "./volume\n");
}

static void odd_names_are_recognized_as_ours(void **state)
{
	struct fixture *f = *state;
	struct staging staging;
	const char *target = in_out(f, "result");
	make_listed(f, target, "a\nb\\c\177", &staging);
	assert_ok(f, staging_publish(f->diag, &staging));
	assert_null(own_find_foreign(f->arena, target));
	put(f, target, "a", "precious");
	assert_string_equal(own_find_foreign(f->arena, target), "a");
}

/* Makes the system call fail with this error from now on. */
static bool failing_call(unsigned number, unsigned error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {countof(code), code};
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* EINVAL, as on a file system that does not support the call. */
static bool without_call(unsigned number)
{
	return failing_call(number, EINVAL);
}

enum { NO_SECCOMP = 77 };

static int build_without_renameat2(struct fixture *f)
{
	if (!without_call(SYS_renameat2))
		return NO_SECCOMP;
	for (int i = 0; i < 3; i++) {
		struct staging staging;
		if (!staging_begin(f->arena, f->diag, in_out(f, "result"), &staging) ||
			!file_write(f->diag,
				path_join(f->arena, staging.directory,
					arena_printf(f->arena, "%d", i)),
				"x", 1, 0644) ||
			!staging_publish(f->diag, &staging)) {
			fprintf(stderr, "%s", messages(f));
			return 1;
		}
	}
	return 0;
}

/* The status of a child that blocks a system call for itself; skips the test if it cannot. */
static int status_without_call(struct fixture *f, int (*run)(struct fixture *f))
{
	const int status = status_of(in_child(f, run));
	if (status == NO_SECCOMP) {
		print_message("skipped: no seccomp filters here\n");
		skip();
	}
	return status;
}

static void publishes_where_names_cannot_be_exchanged(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(status_without_call(f, build_without_renameat2), 0);
	assert_string_equal(
		shell(f, "ls -A out out/result", NULL, NULL), "out:\nresult\n\nout/result:\n2\n");
	shell(f, "rm -r out/result; mkdir kept; touch kept/file; ln -s ../kept out/result", NULL,
		NULL);
	assert_int_equal(status_of(in_child(f, build_without_renameat2)), 0);
	assert_string_equal(shell(f, "ls -A out out/result kept", NULL, NULL),
		"kept:\nfile\n\nout:\nresult\n\nout/result:\n2\n");
}

/* Returns 0 if the directory was published, 1 if not. */
static int publish_without_fsync(struct fixture *f, bool unsynced)
{
	struct staging staging;
	if (!without_call(SYS_fsync))
		return NO_SECCOMP;
	if (!staging_begin(f->arena, f->diag, in_out(f, "result"), &staging) ||
		!file_write(f->diag, path_join(f->arena, staging.directory, "file"), "x", 1, 0644))
		return 2;
	staging.unsynced = unsynced;
	return staging_publish(f->diag, &staging) ? 0 : 1;
}

static int publish_synced(struct fixture *f)
{
	return publish_without_fsync(f, false);
}

static int publish_unsynced(struct fixture *f)
{
	return publish_without_fsync(f, true);
}

/* A directory that cannot be synced is not published, unless `unsynced` is set. */
static void publishing_syncs(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(status_without_call(f, publish_synced), 1);
	assert_string_equal(shell(f, "ls -A out", NULL, NULL), "");
	assert_int_equal(status_of(in_child(f, publish_unsynced)), 0);
	assert_string_equal(shell(f, "ls -A out out/result", NULL, NULL),
		"out:\nresult\n\nout/result:\nfile\n");
}

/* ---- files ---- */

static void copies_are_equal(void **state)
{
	static const char *const makes[] = {
		": >a",
		"printf x >a",
		"head -c 4096 /dev/urandom >a",
		"head -c 3000001 /dev/urandom >a",
		"truncate -s 9M a; printf end >>a",
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(makes); i++) {
		shell(f, makes[i], NULL, NULL);
		mode_t mask = umask(077);
		assert_ok(f, file_copy(f->diag, scratch_path(f, "a"), scratch_path(f, "b"), 0555));
		umask(mask);
		assert_string_equal(
			shell(f, "cmp a b; stat -c %a b; rm -f a b", NULL, NULL), "555\n");
	}
}

static int copy_without_help(struct fixture *f)
{
	if (!without_call(SYS_copy_file_range) || !without_call(SYS_ioctl))
		return NO_SECCOMP;
	return file_copy(f->diag, scratch_path(f, "a"), scratch_path(f, "b"), 0644) ? 0 : 1;
}

static void copies_without_copy_file_range(void **state)
{
	struct fixture *f = *state;
	shell(f, "head -c 3000001 /dev/urandom >a", NULL, NULL);
	assert_int_equal(status_without_call(f, copy_without_help), 0);
	shell(f, "cmp a b", NULL, NULL);
}

/* Copies a range from the middle of one file to the middle of another. */
static void copies_ranges(void **state)
{
	struct fixture *f = *state;
	shell(f, "head -c 100000 /dev/urandom >a; head -c 100000 /dev/urandom >b; cp b c", NULL,
		NULL);
	FD_CLEANUP int from = open(scratch_path(f, "a"), O_RDONLY | O_CLOEXEC);
	FD_CLEANUP int to = open(scratch_path(f, "b"), O_WRONLY | O_CLOEXEC);
	assert_true(fd_copy_range(from, 4096, to, 8192, 16384));
	assert_true(fd_copy_range(from, 33, to, 40001, 12345));
	assert_true(fd_copy_range(from, 0, to, 0, 0));
	shell(f,
		"dd if=a of=c bs=4096 skip=1 seek=2 count=4 conv=notrunc 2>/dev/null\n"
		"tail -c +34 a | head -c 12345 | dd of=c bs=1 seek=40001 conv=notrunc 2>/dev/null; "
		"cmp b c",
		NULL, NULL);
	/* A range beyond the end is an error, not a short copy. */
	assert_false(fd_copy_range(from, 99000, to, 0, 5000));
	assert_int_equal(errno, EIO);
}

static void failures_say_why_and_leave_nothing(void **state)
{
	struct fixture *f = *state;
	const char *target = scratch_path(f, "target"), *source = scratch_path(f, "source");
	struct bytes bytes;
	assert_false(file_copy(f->diag, source, target, 0644));
	assert_said(f, "source: No such file or directory");
	assert_false(file_copy(f->diag, f->scratch, target, 0644));
	assert_said(f, "is not a regular file");
	assert_false(path_exists(target));
	put(f, f->scratch, "source", "0123456789");
	put(f, f->scratch, "target", "mine");
	assert_false(file_copy(f->diag, source, target, 0644));
	assert_said(f, "target: File exists");
	assert_false(file_write(f->diag, target, "x", 1, 0644));
	assert_said(f, "target: File exists");
	assert_string_equal(contents(f, target).p, "mine");
	assert_ok(f, file_read(f->arena, f->diag, source, 10, &bytes));
	assert_false(file_read(f->arena, f->diag, source, 9, &bytes));
	assert_said(f, "is larger than");
	assert_false(file_read(f->arena, f->diag, "/dev/zero", 1 << 20, &bytes));
	assert_said(f, "/dev/zero is larger than 1 MiB");
	assert_false(file_read(f->arena, f->diag, f->scratch, 9, &bytes));
	assert_said(f, "Is a directory");
}

static void full_disk_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	if (geteuid() != 0 ||
		shell_try(f, "mkdir small; mount -t tmpfs -o size=64k none small", NULL, NULL)
				.exit_status != 0) {
		print_message("skipped: a full disk needs root and a mount\n");
		skip();
	}
	char *large = arena_alloc(f->arena, 1 << 20);
	put(f, f->scratch, "source", "");
	assert_int_equal(truncate(scratch_path(f, "source"), 1 << 20), 0);
	bool written = file_write(f->diag, scratch_path(f, "small/a"), large, 1 << 20, 0644);
	assert_said(f, "small/a: No space left on device");
	bool copied =
		file_copy(f->diag, scratch_path(f, "source"), scratch_path(f, "small/b"), 0644);
	assert_said(f, "small/b: No space left on device");
	const char *left = shell(f, "ls -A small; umount small", NULL, NULL);
	assert_false(written);
	assert_false(copied);
	assert_string_equal(left, "");
}

/* ---- trees and paths ---- */

static void removal_never_follows_links(void **state)
{
	struct fixture *f = *state;
	shell(f,
		"mkdir -p kept/sub tree/a/b; touch kept/file kept/sub/file tree/a/b/c; ln -s "
		"../kept tree/link; ln -s \"$PWD/kept/sub\" tree/a/link\n"
		"ln -s ../../kept/file tree/a/file; ln kept/file tree/hard; mkfifo tree/pipe; ln "
		"-s kept toplink\n"
		"mkdir -p tree/sealed/deep tree/dark; touch tree/sealed/deep/x tree/dark/x; chmod "
		"555 tree/sealed/deep tree/sealed; chmod 0 tree/dark",
		NULL, NULL);
	assert_true(tree_remove(scratch_path(f, "tree")));
	assert_true(tree_remove(scratch_path(f, "toplink")));
	assert_true(tree_remove(scratch_path(f, "never/was")));
	assert_true(tree_remove(scratch_path(f, "missing")));
	assert_string_equal(shell(f, "find . | LC_ALL=C sort; stat -c %a kept", NULL, NULL),
		".\n./kept\n./kept/file\n./kept/sub\n./kept/sub/file\n755\n");
	assert_true(tree_remove(scratch_path(f, "kept/file")));
	assert_false(tree_remove(scratch_path(f, "kept/.")));
}

/*
 * Mounts a directory and a file of `precious` in the tree. A bind mount has the same device number
 * as its surroundings.
 */
static bool mount_in_tree(struct fixture *f)
{
	static const char script[] =
		"mkdir -p precious/deep tree/a/b/in tree/c; echo x >precious/photo; echo x "
		">precious/deep/photo; touch tree/file tree/c/file\n"
		"mount --bind precious tree/a/b/in && mount --bind precious/photo tree/c/file && "
		"chmod 755 precious";
	return unshare(CLONE_NEWNS) == 0 &&
		mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
		shell_try(f, script, NULL, NULL).exit_status == 0;
}

static bool stays_in_its_mount(struct fixture *f)
{
	BUF_CLEANUP struct buf found = {0};
	const char *tree = scratch_path(f, "tree");
	if (!tree_find_mount(tree, &found) ||
		(strcmp(buf_text(&found), scratch_path(f, "tree/a/b/in")) != 0 &&
			strcmp(buf_text(&found), scratch_path(f, "tree/c/file")) != 0))
		return false;
	if (tree_remove(tree) || errno != EBUSY || tree_remove(scratch_path(f, "tree/a/b/in")) ||
		errno != EBUSY)
		return false;
	return strcmp(shell(f, "find precious tree | LC_ALL=C sort | xargs; stat -c %a precious",
			      NULL, NULL),
		       "precious precious/deep precious/deep/photo precious/photo tree tree/a "
		       "tree/a/b tree/a/b/in tree/a/b/in/deep "
		       "tree/a/b/in/deep/photo tree/a/b/in/photo tree/c tree/c/file\n755\n") == 0;
}

static bool goes_without_mounts(struct fixture *f)
{
	BUF_CLEANUP struct buf found = {0};
	const char *tree = scratch_path(f, "tree");
	shell(f, "umount tree/a/b/in tree/c/file", NULL, NULL);
	return !tree_find_mount(tree, &found) && tree_remove(tree) && !path_exists(tree);
}

enum { NO_MOUNTS = 78 };

/*
 * Runs with the calls failing for which an error is given, as on an older kernel or in a container
 * that forbids them.
 */
static int remove_mounted(struct fixture *f, unsigned openat2_error, unsigned statx_error)
{
	if (!mount_in_tree(f))
		return NO_MOUNTS;
	if ((openat2_error && !failing_call(SYS_openat2, openat2_error)) ||
		(statx_error && !failing_call(SYS_statx, statx_error)))
		return NO_SECCOMP;
	return stays_in_its_mount(f) && goes_without_mounts(f) ? 0 : 1;
}

static int remove_mounted_now(struct fixture *f)
{
	return remove_mounted(f, 0, 0);
}

static int remove_mounted_by_statx(struct fixture *f)
{
	return remove_mounted(f, ENOSYS, 0);
}

static int remove_mounted_by_proc(struct fixture *f)
{
	return remove_mounted(f, EPERM, ENOSYS);
}

static void removal_stays_in_its_mount(void **state)
{
	static int (*const kernels[])(struct fixture *) = {
		remove_mounted_now, remove_mounted_by_statx, remove_mounted_by_proc};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(kernels); i++) {
		const int status = status_of(in_child(f, kernels[i]));
		shell(f, "rm -rf tree precious", NULL, NULL);
		if (status == NO_MOUNTS || status == NO_SECCOMP) {
			print_message("skipped: no mounts or no seccomp filters here\n");
			skip();
		}
		assert_int_equal(status, 0);
	}
}

static void makes_directories(void **state)
{
	struct fixture *f = *state;
	shell(f, "mkdir a; chmod 700 a; mkdir real; ln -s real link; touch file", NULL, NULL);
	assert_ok(f, directory_make(f->diag, scratch_path(f, "a//b/./c/"), 0755));
	assert_ok(f, directory_make(f->diag, scratch_path(f, "link/x"), 0755));
	assert_ok(f, directory_make(f->diag, "/", 0755));
	assert_string_equal(shell(f, "stat -c '%a %n' a a/b a/b/c real/x", NULL, NULL),
		"700 a\n755 a/b\n755 a/b/c\n755 real/x\n");
	assert_false(directory_make(f->diag, scratch_path(f, "file/x"), 0755));
	assert_said(f, "/file: ");
}

/* sysfs refuses new directories with another error than the one for a path that is absent. */
static void a_refused_directory_says_why(void **state)
{
	struct fixture *f = *state;
	if (mkdir("/sys/mvm-test", 0755) == 0 || errno == ENOENT)
		skip();
	const char *why = arena_printf(f->arena, "directory /sys/mvm-test: %s", strerror(errno));
	assert_false(directory_make(f->diag, "/sys/mvm-test/below", 0755));
	assert_said(f, why);
}

static void makes_parents(void **state)
{
	struct fixture *f = *state;
	assert_true(parents_make(scratch_path(f, "p/q//file"), 0700));
	assert_string_equal(
		shell(f, "stat -c '%a %n' p p/q; ls p/q", NULL, NULL), "700 p\n700 p/q\n");
	assert_true(parents_make("file", 0700));
	size_t failed = 0;
	shell(f, "touch p/q/file", NULL, NULL);
	const char *path = scratch_path(f, "p/q/file/below");
	assert_false(directories_make(path, 0700, &failed));
	assert_int_equal(failed, strlen(path) - strlen("/below"));
	assert_int_equal(errno, EEXIST);
	char *longer = memset(arena_alloc(f->arena, PATH_MAX + 1), 'x', PATH_MAX);
	longer[PATH_MAX] = '\0';
	assert_false(directories_make(longer, 0700, NULL));
	assert_int_equal(errno, ENAMETOOLONG);
}

static void reads_the_start_of_a_file(void **state)
{
	struct fixture *f = *state;
	char text[4];
	shell(f, "printf abcdef >start; : >empty", NULL, NULL);
	assert_int_equal(file_start(scratch_path(f, "start"), text, sizeof text), 3);
	assert_string_equal(text, "abc");
	assert_int_equal(file_start(scratch_path(f, "empty"), text, sizeof text), 0);
	assert_string_equal(text, "");
	assert_int_equal(file_start(scratch_path(f, "absent"), text, sizeof text), -1);
	assert_int_equal(errno, ENOENT);
	assert_true(directory_sync(scratch_path(f, ".")));
	assert_false(directory_sync(scratch_path(f, "start")));
	assert_int_equal(errno, ENOTDIR);
}

static void splits_and_joins_paths(void **state)
{
	static const struct {
		const char *path, *base, *parent;
	} cases[] = {
		{"/a/b", "b", "/a"},
		{"a", "a", "."},
		{"/a", "a", "/"},
		{"a/b/c", "c", "a/b"},
		{"./x", "x", "."},
	};
	struct fixture *f = *state;
	for (size_t i = 0; i < countof(cases); i++) {
		assert_string_equal(path_base(cases[i].path), cases[i].base);
		assert_string_equal(path_parent(f->arena, cases[i].path), cases[i].parent);
	}
	assert_string_equal(path_join(f->arena, "/", "a"), "/a");
	assert_string_equal(path_join(f->arena, "a/", "b"), "a/b");
	assert_string_equal(path_join(f->arena, "a", "b"), "a/b");
}

int main(int argc, char *argv[])
{
	interrupts_clean_up(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			publishes_over_whatever_is_there, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			an_abandoned_build_leaves_the_old, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			publishes_in_the_working_directory, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			directories_of_killed_builds_are_removed, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			many_builders_may_run_at_once, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			an_interrupted_build_leaves_the_old, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			publishes_where_names_cannot_be_exchanged, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			foreign_files_stay, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			odd_names_are_recognized_as_ours, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(publishing_syncs, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(copies_are_equal, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			copies_without_copy_file_range, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(copies_ranges, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			failures_say_why_and_leave_nothing, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			full_disk_leaves_nothing, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			removal_never_follows_links, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			removal_stays_in_its_mount, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(makes_directories, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			a_refused_directory_says_why, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(makes_parents, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			reads_the_start_of_a_file, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
			splits_and_joins_paths, fixture_setup, fixture_teardown),
	};
	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
