/* SPDX-License-Identifier: MIT */
/*
 * work_lock: marks an unfinished directory as in use, so that others do not take it for litter. The
 * lock ends with the process. The directory itself is locked. Other machines do not see that lock,
 * so on a network file system (network_fs.h) a file in it is locked too.
 */
#ifndef MVM_BASE_WORK_LOCK_H
#define MVM_BASE_WORK_LOCK_H

#include <stdbool.h>

struct work_lock {
	int directory;
	int file; /* -1 unless on a network file system */
};

/*
 * Locks the directory that was just made. False with errno set: EAGAIN if another process saw it
 * before it was locked, took it for litter, and is removing it. A file system without locks is
 * fine; litter remains there.
 */
bool work_lock_take(const char *path, struct work_lock *lock);
/*
 * Locks a directory that nobody holds, in order to remove it. False if there is nothing to remove,
 * also if it was empty and has just been removed.
 */
bool work_lock_seize(int parent, const char *name, struct work_lock *lock);
/* Removes the directory by `remove`, and releases the lock. */
void work_lock_remove(struct work_lock *lock, const char *path, bool (*remove)(const char *path));
/* Releases the lock on a directory that is finished and renamed. */
void work_lock_finish(struct work_lock *lock);

#endif
