/* SPDX-License-Identifier: MIT */
/*
 * disk_place: a host's directory of linked store disks.
 *
 *   HASH.erofs        a disk; HASH is the hash of its link list
 *   HASH.erofs.seal   inode, size and times of the disk: a disk that was changed does not match
 *   .HASH.erofs.lock  held while the disk is checked, made or removed
 *   .HASH.erofs.work  the unfinished disk
 *   .refs/            links to the runners that need a disk, except those of the state directory
 *
 * The place of the VMs in STATE is STATE/.disks: their links current, booted and old are references
 * too. A reference is recorded before the lock is taken, and looked for while it is held: so a disk
 * is not removed between its check and the start of the VM.
 */
#ifndef MVM_COMPILER_LINKED_DISK_PLACE_H
#define MVM_COMPILER_LINKED_DISK_PLACE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/diag.h"

#define DISK_PLACE_NAME ".disks"
#define DISK_PLACE_VARIABLE "MICROVM_DISKS"

/*
 * Returns `given`, else the variable, else the place of the user: /var/lib/microvms/.disks for
 * root, or a directory in the cache. NULL with an error if the user has none.
 */
const char *disk_place_find(struct arena *arena, struct diag *diag, const char *given);
/* Makes the directory. False with an error if it belongs to another user. */
bool disk_place_make(struct arena *arena, struct diag *diag, const char *place);
/* Whether this user may change the place. A missing place is the user's. */
bool disk_place_is_ours(const char *place);

/* Waits for the lock of a disk. Returns a descriptor to close, or -1 with an error. */
int disk_lock(struct arena *arena, struct diag *diag, const char *place, const char *name);
/*
 * Whether the locked file still has its name: a collection removes the lock with the disk, and then
 * the next process makes another.
 */
bool disk_lock_is_named(int fd, const char *path);

/* Sets the seal of a disk. */
bool disk_seal(struct arena *arena, struct diag *diag, const char *disk);
/* Whether the disk exists and is the sealed one. */
bool disk_is_sealed(struct arena *arena, const char *disk);

/*
 * Records that the runner (absolute) needs the disk `name`, unless a VM of the state directory
 * does.
 */
bool disk_refer(struct arena *arena, struct diag *diag, const char *place, const char *runner,
	const char *name);
/* Removes the disks that no runner needs; *removed and *bytes are added to. */
bool disks_collect(struct arena *arena, struct diag *diag, const char *place, size_t *removed,
	unsigned long long *bytes);

#endif
