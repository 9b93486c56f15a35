/* SPDX-License-Identifier: MIT */
/* The collection of linked disks, beside another collection and a link of the same disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "compiler/linked/disk_place.h"
#include "tests/unit/fixture.h"

#define DISK "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.erofs"

static struct fixture *interfering; /* NULL: nobody interferes */

/*
 * Between the opening and the locking of the lock, another collection removes it, and a link makes
 * a new one.
 */
int flock(int fd, int operation)
{
	if (interfering)
		shell(interfering, "rm disks/." DISK ".lock; : > disks/." DISK ".lock", NULL, NULL);
	return (int)syscall(SYS_flock, fd, operation);
}

/* Before a reference is made, a collection removes the empty directory for it. */
int symlink(const char *target, const char *path)
{
	struct fixture *f = interfering;
	interfering = NULL;
	if (f)
		shell(f, "rm -r disks", NULL, NULL);
	return (int)syscall(SYS_symlinkat, target, AT_FDCWD, path);
}

static size_t collected(struct fixture *f)
{
	size_t removed = 0;
	unsigned long long bytes = 0;
	assert_ok(f, disks_collect(f->arena, f->diag, scratch_path(f, "disks"), &removed, &bytes));
	return removed;
}

static void a_disk_with_a_new_lock_stays(void **state)
{
	struct fixture *f = *state;
	shell(f, "mkdir -m 700 disks; : > disks/." DISK ".lock; echo disk > disks/" DISK, NULL,
		NULL);
	interfering = f;
	assert_int_equal(collected(f), 0);
	interfering = NULL;
	assert_true(path_exists(scratch_path(f, "disks/" DISK)));
	assert_int_equal(collected(f), 1);
	assert_false(path_exists(scratch_path(f, "disks")));
}

static void a_reference_outlives_a_collection(void **state)
{
	struct fixture *f = *state;
	const char *place = scratch_path(f, "disks");
	shell(f, "mkdir -m 700 disks", NULL, NULL);
	interfering = f;
	assert_ok(f, disk_refer(f->arena, f->diag, place, f->scratch, DISK));
	assert_null(interfering);
	assert_string_equal(shell(f, "ls disks/.refs | wc -l", NULL, NULL), "1\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_disk_with_a_new_lock_stays),
		TEST(a_reference_outlives_a_collection),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
