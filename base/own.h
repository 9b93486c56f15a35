/* SPDX-License-Identifier: MIT */
/*
 * own: which files of a published directory are ours, and whether they are as we left them.
 *
 * The directory has a list of all its files, OWN_LIST: names from its top, sorted, one on a line, a
 * backslash and control characters as \OOO; the list itself comes last, so that a list which was
 * cut off is known. It is a part of the directory's contents, and the same for the same contents.
 *
 * Beside it, in an extended attribute, stands the seal: a hash over what the file system says of
 * each listed file (inode, size, times of the last change). No program that writes to a file or
 * replaces it leaves its time of change as it was, so a seal that holds stands for contents that
 * are whole. Where there is none (no extended attributes, a copy, a crash before the data of
 * --no-sync was on the disk), nothing can be said, and the directory counts as changed.
 */
#ifndef MVM_BASE_OWN_H
#define MVM_BASE_OWN_H

#include <stdbool.h>

#include "base/diag.h"

struct arena;

#define OWN_DIRECTORY "share/mvmbuild"
#define OWN_LIST OWN_DIRECTORY "/files"
/*
 * A directory of this name holds what is added after publication (a runner's protected store
 * paths). All in it is ours, and in no list.
 */
#define OWN_ADDED "gcroots"

/* Writes the list of everything that is in `directory` now, and of itself. False after an error. */
bool own_list_write(struct arena *arena, struct diag *diag, const char *directory);

/*
 * The first file in `directory` that its list does not name, from its top; "." when that cannot be
 * found out, NULL when there is none. Without a list (made by an older version) everything below
 * the directories of a runner or a host is ours. What is mounted in it is not ours.
 */
const char *own_find_foreign(struct arena *arena, const char *directory);

/*
 * Removes from a published directory what is ours, and itself when nothing else is left. False:
 * something stays.
 */
bool own_remove(const char *directory);
/* The same for one that may be unfinished and then has no list: all in it is ours. */
bool own_remove_litter(const char *directory);

/*
 * Sets the seal; no matter whether it can. `durable`: the data is on the disk, so the seal holds
 * beyond this boot of the machine.
 */
void own_seal(struct arena *arena, const char *directory, bool durable);
/* Whether there is a seal, and it holds; `durable`: only one that holds beyond this boot counts. */
bool own_seal_holds(struct arena *arena, const char *directory, bool durable);

#endif
