/* SPDX-License-Identifier: MIT */
/*
 * own: which files of a published directory are ours, and whether they are unchanged.
 *
 * The directory has a list of all its files, OWN_LIST: paths from its top, sorted, one per line,
 * with a backslash and control characters as \OOO. The list itself comes last, so that a truncated
 * list is recognized. It belongs to the directory's contents, and the same contents have the same
 * list.
 *
 * The seal is an extended attribute beside the list: a hash over the inode, size and timestamps of
 * each listed file. A program that writes or replaces a file changes its ctime, so a seal that
 * matches proves that the contents are unchanged. Without a seal (no extended attributes, a copy, a
 * crash before the data of --no-sync was on the disk) the directory counts as changed.
 */
#ifndef MVM_BASE_OWN_H
#define MVM_BASE_OWN_H

#include <stdbool.h>

#include "base/diag.h"

struct arena;

#define OWN_DIRECTORY "share/mvmbuild"
#define OWN_LIST OWN_DIRECTORY "/files"
/*
 * A directory of this name contains files that are added after publication (a runner's protected
 * store paths). They are ours, but not listed.
 */
#define OWN_ADDED "gcroots"

/*
 * Writes the list of all files that are in `directory` now, and of the list itself. False after an
 * error.
 */
bool own_list_write(struct arena *arena, struct diag *diag, const char *directory);

/*
 * Returns the first file in `directory`, relative to its top, that is not ours: "." if that cannot
 * be found out, NULL if all are ours. Without a list (made by an older version) everything in the
 * usual directories of a runner or a host is ours. A mount in it is never ours.
 */
const char *own_find_foreign(struct arena *arena, const char *directory);

/*
 * Removes our files from a published directory, and the directory itself if it is empty then. False
 * if something remains.
 */
bool own_remove(const char *directory);
/* As own_remove, but an unfinished directory, which has no list yet, is removed whole. */
bool own_remove_litter(const char *directory);

/*
 * Sets the seal if possible; a failure is harmless. `durable`: the data is on the disk, so the seal
 * remains valid after a reboot.
 */
void own_seal(struct arena *arena, const char *directory, bool durable);
/*
 * Whether there is a seal and it matches; with `durable`, only one that is valid after a reboot
 * counts.
 */
bool own_seal_holds(struct arena *arena, const char *directory, bool durable);

#endif
