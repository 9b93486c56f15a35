/* SPDX-License-Identifier: MIT */
#include "compiler/microvm/links.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/interrupts.h"

const char *link_read(struct arena *arena, const char *path)
{
	for (size_t size = 256;; size *= 2) {
		char *target = arena_alloc(arena, size);
		ssize_t length = readlink(path, target, size - 1);
		if (length < 0)
			return NULL;
		if ((size_t)length < size - 1)
			return target;
	}
}

static bool cannot_write(struct diag *diag, const char *path)
{
	return diag_error(diag, STATUS_FAILED, NULL, "unwritable-state", "cannot write %s: %s",
		path, strerror(errno));
}

/*
 * The name does not depend on the process, so that the next run replaces what a killed one left.
 * The VM's lock is held.
 */
static const char *temporary_of(struct arena *arena, const char *path)
{
	return arena_printf(arena, "%s/.%s.new", path_parent(arena, path), path_base(path));
}

static bool put_in_place(
	struct arena *arena, struct diag *diag, const char *temporary, const char *path)
{
	struct stat st;
	if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
		errno = EISDIR;
	else if (rename(temporary, path) == 0) {
		directory_sync(path_parent(arena, path));
		return true;
	}
	cannot_write(diag, path);
	unlink(temporary);
	return false;
}

bool link_set(struct arena *arena, struct diag *diag, const char *path, const char *target)
{
	const char *temporary = temporary_of(arena, path);
	tree_remove(temporary);
	if (path_exists(path) && !link_read(arena, path))
		return diag_error(diag, STATUS_FAILED, NULL, "unwritable-state",
			"%s is not a symbolic link and was left alone", path);
	/* A signal to stop must not come between the two steps. */
	interrupts_hold();
	const bool ok = symlink(target, temporary) == 0 ? put_in_place(arena, diag, temporary, path)
							: cannot_write(diag, path);
	interrupts_go_on();
	return ok;
}

void link_tidy(struct arena *arena, const char *path)
{
	tree_remove(temporary_of(arena, path));
}

bool links_swap(struct arena *arena, struct diag *diag, const char *a, const char *b)
{
	if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) != 0)
		return cannot_write(diag, a);
	directory_sync(path_parent(arena, a));
	directory_sync(path_parent(arena, b));
	return true;
}
