/* SPDX-License-Identifier: MIT */
#include "base/work_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/network_fs.h"

/* The first file in an unfinished directory, and the last to be removed. */
#define HOLD_FILE ".held"

enum { DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static bool is_taken(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

/* A process that takes the directory for litter has removed the file, or holds its lock. */
static bool hold_for_others(struct hold *hold)
{
	struct stat st;
	hold->file =
		openat(hold->directory, HOLD_FILE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (hold->file < 0 && errno != ENOENT && errno != ESTALE)
		return false;
	if (hold->file >= 0 && !is_taken(hold->file) && fstat(hold->file, &st) == 0 &&
		st.st_nlink > 0)
		return true;
	errno = EAGAIN;
	return false;
}

bool hold_take(const char *path, struct hold *hold)
{
	struct stat opened, named;
	*hold = (struct hold){open(path, DIRECTORY), -1};
	bool taken = hold->directory < 0 ? errno == ENOENT : is_taken(hold->directory);
	if (!taken && hold->directory >= 0 && fstat(hold->directory, &opened) == 0 &&
		fchmod(hold->directory, 0755) == 0) {
		if (lstat(path, &named) == 0 && named.st_ino == opened.st_ino &&
			named.st_dev == opened.st_dev)
			return !fd_is_remote(hold->directory) || hold_for_others(hold);
		taken = true;
	}
	if (taken)
		errno = EAGAIN;
	return false;
}

/* ---- leftovers of others ---- */

/*
 * An empty directory was just made by another machine; if we remove it, that machine makes another.
 * One that has files but not HOLD_FILE was finished and replaced, but could not be removed
 * completely because a file in it was open.
 */
static bool seize_from_others(int parent, const char *name, struct hold *hold)
{
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || (errno != ENOTEMPTY && errno != EEXIST))
		return false;
	hold->file =
		openat(hold->directory, HOLD_FILE, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return hold->file < 0 ? errno == ENOENT : flock(hold->file, LOCK_EX | LOCK_NB) == 0;
}

static void drop(struct hold *hold)
{
	fd_close(&hold->file);
	fd_close(&hold->directory);
}

bool hold_seize(int parent, const char *name, struct hold *hold)
{
	*hold = (struct hold){openat(parent, name, DIRECTORY), -1};
	if (hold->directory >= 0 && flock(hold->directory, LOCK_EX | LOCK_NB) == 0 &&
		(!fd_is_remote(hold->directory) || seize_from_others(parent, name, hold)))
		return true;
	drop(hold);
	return false;
}

/* ---- release ---- */

void hold_remove(struct hold *hold, const char *path, bool (*remove)(const char *path))
{
	remove(path);
	const bool was_open = hold->file >= 0;
	drop(hold);
	/* NFS keeps an open file under another name until it is closed. */
	if (was_open)
		rmdir(path);
}

void hold_finish(struct hold *hold)
{
	if (hold->file >= 0) {
		fd_close(&hold->file);
		unlinkat(hold->directory, HOLD_FILE, 0);
	}
	drop(hold);
}
