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
#define LOCK_FILE ".held"

enum { DIRECTORY = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

static bool is_taken(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
}

/* A process that takes the directory for litter has removed the file, or holds its lock. */
static bool lock_for_others(struct work_lock *lock)
{
	struct stat st;
	lock->file =
		openat(lock->directory, LOCK_FILE, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (lock->file < 0 && errno != ENOENT && errno != ESTALE)
		return false;
	if (lock->file >= 0 && !is_taken(lock->file) && fstat(lock->file, &st) == 0 &&
		st.st_nlink > 0)
		return true;
	errno = EAGAIN;
	return false;
}

bool work_lock_take(const char *path, struct work_lock *lock)
{
	struct stat opened, named;
	*lock = (struct work_lock){open(path, DIRECTORY), -1};
	bool taken = lock->directory < 0 ? errno == ENOENT : is_taken(lock->directory);
	if (!taken && lock->directory >= 0 && fstat(lock->directory, &opened) == 0 &&
		fchmod(lock->directory, 0755) == 0) {
		if (lstat(path, &named) == 0 && named.st_ino == opened.st_ino &&
			named.st_dev == opened.st_dev)
			return !fd_is_remote(lock->directory) || lock_for_others(lock);
		taken = true;
	}
	if (taken)
		errno = EAGAIN;
	return false;
}

/* ---- leftovers of others ---- */

/*
 * An empty directory was just made by another machine; if we remove it, that machine makes another.
 * One that has files but not LOCK_FILE was finished and replaced, but could not be removed
 * completely because a file in it was open.
 */
static bool seize_from_others(int parent, const char *name, struct work_lock *lock)
{
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || (errno != ENOTEMPTY && errno != EEXIST))
		return false;
	lock->file =
		openat(lock->directory, LOCK_FILE, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return lock->file < 0 ? errno == ENOENT : flock(lock->file, LOCK_EX | LOCK_NB) == 0;
}

static void drop(struct work_lock *lock)
{
	fd_close(&lock->file);
	fd_close(&lock->directory);
}

bool work_lock_seize(int parent, const char *name, struct work_lock *lock)
{
	*lock = (struct work_lock){openat(parent, name, DIRECTORY), -1};
	if (lock->directory >= 0 && flock(lock->directory, LOCK_EX | LOCK_NB) == 0 &&
		(!fd_is_remote(lock->directory) || seize_from_others(parent, name, lock)))
		return true;
	drop(lock);
	return false;
}

/* ---- release ---- */

void work_lock_remove(struct work_lock *lock, const char *path, bool (*remove)(const char *path))
{
	remove(path);
	const bool was_open = lock->file >= 0;
	drop(lock);
	/* NFS keeps an open file under another name until it is closed. */
	if (was_open)
		rmdir(path);
}

void work_lock_finish(struct work_lock *lock)
{
	if (lock->file >= 0) {
		fd_close(&lock->file);
		unlinkat(lock->directory, LOCK_FILE, 0);
	}
	drop(lock);
}
