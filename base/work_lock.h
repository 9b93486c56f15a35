/* SPDX-License-Identifier: MIT */
/*
 * work_lock: that somebody is at work on an unfinished directory, so that others do not take it for
 * litter. It ends with the process. The directory is locked. Where other machines see it
 * (network_fs.h) they see no such lock: there a file in it is locked as well.
 */
#ifndef MVM_BASE_WORK_LOCK_H
#define MVM_BASE_WORK_LOCK_H

#include <stdbool.h>

struct hold {
	int directory;
	int file; /* -1: there are no other machines */
};

/*
 * Holds the directory that was just made. False with errno set: EAGAIN when another process saw it
 * without its lock, took it for litter, and is removing it. A file system without locks is fine:
 * there litter stays.
 */
bool hold_take(const char *path, struct hold *hold);
/*
 * Takes over what nobody holds, so as to remove it. False when there is nothing to remove, also
 * when it was empty and is gone now.
 */
bool hold_seize(int parent, const char *name, struct hold *hold);
/* Removes the directory, by `remove`, and ends the hold. */
void hold_remove(struct hold *hold, const char *path, bool (*remove)(const char *path));
/* Ends the hold on a directory that is finished and has another name now. */
void hold_finish(struct hold *hold);

#endif
