/* SPDX-License-Identifier: MIT */
/*
 * fixture: an arena, a diag, a scratch directory and a shell for the unit tests. Included after
 * <cmocka.h>.
 */
#ifndef MVM_TESTS_FIXTURE_H
#define MVM_TESTS_FIXTURE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/process.h"

struct fixture {
	struct arena *arena;
	struct diag *diag;
	const char *scratch; /* an empty directory, removed after the test */
#ifdef FIXTURE_MORE
	FIXTURE_MORE /* fields of one test file, whose setup starts with fixture_setup */
#endif
};

static inline int fixture_setup(void **state)
{
	const char *parent = getenv("TMPDIR");
	struct arena *arena = arena_new();
	struct fixture *f = arena_alloc(arena, sizeof *f);
	char *scratch =
		arena_printf(arena, "%s/mvm-test.XXXXXX", parent && *parent ? parent : "/tmp");
	*f = (struct fixture){.arena = arena, .diag = diag_new(arena), .scratch = scratch};
	*state = f;
	return mkdtemp(scratch) ? 0 : -1;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;
	bool removed = tree_remove(f->scratch);
	arena_free(f->arena);
	return removed ? 0 : -1;
}

/* A path in the scratch directory. */
static inline const char *scratch_path(struct fixture *f, const char *name)
{
	return path_join(f->arena, f->scratch, name);
}

/* The messages since the last call. */
static inline const char *messages(struct fixture *f)
{
	char *text = NULL;
	size_t size = 0;
	FILE *stream = open_memstream(&text, &size);
	diag_print(f->diag, stream, DIAG_HUMAN, false);
	fclose(stream);
	const char *kept = arena_strdup(f->arena, text);
	free(text);
	return kept;
}

static inline void assert_ok(struct fixture *f, bool ok)
{
	if (!ok)
		fail_msg("%s", messages(f));
}

/* The messages since the last call contain `part`. */
static inline void assert_said(struct fixture *f, const char *part)
{
	const char *text = messages(f);
	if (!strstr(text, part))
		fail_msg("expected \"%s\" in: %s", part, text);
}

/* Flips one bit of a file as a failing disk does: without changing its times and mode. */
static inline void flip_bit(const char *path, off_t at)
{
	struct stat st;
	char byte;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(chmod(path, 0600), 0);
	FD_CLEANUP int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd_read_all(fd, &byte, 1, at));
	byte ^= 4;
	assert_true(fd_write_all(fd, &byte, 1, at));
	assert_int_equal(fchmod(fd, st.st_mode & 07777), 0);
	assert_int_equal(futimens(fd, (struct timespec[]){st.st_atim, st.st_mtim}), 0);
}

/* Runs a shell script in the scratch directory. $1 and $2 are the given words (empty if NULL). */
static inline struct process_result shell_try(
	struct fixture *f, const char *script, const char *first, const char *second)
{
	const char *in_scratch = arena_printf(f->arena, "cd \"$0\"\n%s", script);
	const char *const argv[] = {"/bin/sh", "-ec", in_scratch, f->scratch, first ? first : "",
		second ? second : "", NULL};
	struct process_result result;
	assert_ok(f, process_run(f->arena, f->diag, argv, &result));
	return result;
}

/* Like shell_try, but fails the test if the script fails; returns its output. */
static inline const char *shell(
	struct fixture *f, const char *script, const char *first, const char *second)
{
	struct process_result result = shell_try(f, script, first, second);
	if (result.exit_status != 0)
		fail_msg("exit status %d of: %s\n%s%s", result.exit_status, script, result.output.p,
			result.error.p);
	return result.output.p;
}

static inline bool have_program(struct fixture *f, const char *name)
{
	if (shell_try(f, "PATH=$PATH:/usr/sbin:/sbin command -v \"$1\"", name, NULL).exit_status ==
		0)
		return true;
	print_message("skipped: no %s\n", name);
	return false;
}

static inline struct bytes contents(struct fixture *f, const char *path)
{
	struct bytes bytes;
	assert_ok(f, file_read(f->arena, f->diag, path, (size_t)1 << 30, &bytes));
	return bytes;
}

static inline void assert_same_contents(struct fixture *f, const char *one, const char *two)
{
	struct bytes a = contents(f, one), b = contents(f, two);
	assert_int_equal(a.n, b.n);
	assert_true(memcmp(a.p, b.p, a.n) == 0);
}

static inline uint64_t allocated_kib(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_blocks / 2;
}

#endif
